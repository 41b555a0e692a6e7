// Candidates of the quicker hostile kinds: each is what its list says, and nothing stays running. `npm run campaign:hostile` tries all.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cli, touchstone } from "../command.ts";
import { findingsOnModule, findingsOnProcess, isSaid, running } from "./hostile.ts";
import { badModules, hostileModules, moduleText } from "./hostile-modules.ts";
import { hostileProcesses } from "./hostile-processes.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-hostile-"));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  expect(running("sleep 100100")).toEqual([]);
  expect(running(folder)).toEqual([]);
});

describe.concurrent("a module", () => {
  const quick = [
    "exits with 0",
    "never settles",
    "rejects astray",
    "throws what cannot be read",
    "detaches an input",
    "replaces what it is run with",
    "replaces Math.abs",
    "returns a huge output",
    "ends its parent",
    "answers gigabytes by itself",
    "leaves a process running outside its group",
  ];
  test.for(quick)("that %s", async (name, { expect: expected }) => {
    const module = hostileModules[name];
    const findings = await findingsOnModule(module, folder);
    expected(isSaid(module.says, findings), findings.join("\n")).toBe(true);
  });

  test.for(["exits as it loads", "throws null as it loads"])(
    "that %s is bad input",
    async (name, { expect: expected }) => {
      expected((await findingsOnModule(badModules[name], folder)).join("\n")).toMatch(badModules[name].says as RegExp);
    },
  );
});

describe.concurrent("a process", () => {
  const quick = [
    "is right",
    "removes its folder",
    "changes its inputs",
    "leaves a link",
    "leaves a pipe",
    "leaves a hole of 50 GB",
    "writes a line as it starts",
    "writes a line after its answer",
    "writes a line at its end",
    "leaves its group twice over",
    "leaves its group without its environment",
  ];
  test.for(quick)("that %s", async (name, { expect: expected }) => {
    const program = hostileProcesses[name];
    const findings = await findingsOnProcess(program, folder);
    expected(isSaid(program.says, findings), findings.join("\n")).toBe(true);
  });
});

describe("touchstone check", () => {
  const check = ["check", "--op", "swiglu.forward", "--seed", "1", "--runs", "2"];
  const kernel = (name: string): string => {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, moduleText(hostileModules[name]));
    return path;
  };

  test.each(["SIGINT", "SIGTERM"] as const)("of a module that loops for ever ends at once with %s", async (signal) => {
    const [path, mark] = [join(folder, `${signal}.mjs`), join(folder, signal)];
    const line = `fs.writeFileSync(${JSON.stringify(mark)}, ""); for (;;);`;
    writeFileSync(path, moduleText({ place: "before", line, says: "harmless" }));
    const child = spawn(process.execPath, [cli, ...check, "--kernel", path, "--timeout", "3600"]);
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.stdout.resume();
    child.stderr.resume();
    while (!existsSync(mark)) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill(signal);
    expect(await ended).toBe(130);
  });

  test("of a module that exits with 0 is a FAIL", async () => {
    const { code, out } = await touchstone([...check, "--kernel", kernel("exits with 0")]);
    expect(out).toContain("ended with exit status 0");
    expect(code).toBe(1);
  });

  test("without a temporary folder is bad input", async () => {
    const { code, err } = await touchstone([...check, "--exec", "cat"], { before: "TMPDIR=/nowhere; export TMPDIR;" });
    expect(err).toMatch(/^touchstone: \/nowhere: takes no files of a case, .*expected a temporary folder with room$/m);
    expect(code).toBe(2);
  });
});
