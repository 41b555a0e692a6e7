// Candidates that nobody of this project wrote the judge for: kernels in plain Python and C, right and wrong, and processes
// that misbehave in the middle of a run.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Interrupted, ProtocolError } from "../../reference/candidate.ts";
import { startProcess, type ProcessOptions } from "../../judge/candidates/process.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import type { Report } from "../../judge/campaign.ts";
import { campaign } from "../campaign.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { cli } from "../command.ts";
import { program } from "../needs.ts";
import { ieeeTerms } from "../terms.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const [python, compiler, ps] = ["python3", "cc", "ps"].map(program);
const TIMEOUT = 30_000;

/** Temporary files of these tests, and of the processes that they start. */
const folder = mkdtempSync(join(tmpdir(), "touch stone-"));
const binary = join(folder, "kernel");
const { TMPDIR } = process.env;

beforeAll(() => {
  process.env.PYTHONPATH = here("../../golden/clients/python");
  process.env.PYTHONDONTWRITEBYTECODE = "1";
  process.env.TMPDIR = folder;
  if (compiler.absent) return;
  const options = ["-O3", "-I", here("../../golden/clients/c"), "-o", binary, here("kernel.c"), "-lm"];
  const { status, stderr } = spawnSync("cc", options, { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

afterAll(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  rmSync(folder, { recursive: true, force: true });
});

const inPython = (fault: string): string => `exec python3 '${here("kernel.py")}' '${fault}'`;
const inC = (fault: string): string => `exec '${binary}' '${fault}'`;

function candidateOf(command: string, op: string, more: Partial<ProcessOptions> = {}) {
  return startProcess({ command, operation: operations.get(op)!, dtype: "float32", timeout: TIMEOUT, ...more });
}

async function check(command: string, op: string, dtype: DTypeName, target: Target = targets.ieee): Promise<Report> {
  const candidate = candidateOf(command, op, { dtype });
  try {
    return await campaign(
      { operation: operations.get(op)!, spec: judgeRows.get(op)! },
      candidate,
      { target, dtype },
      { runs: 15, seed: 1 },
    );
  } finally {
    await candidate.close?.();
  }
}

for (const { language, absent, command } of [
  { language: `Python${python.note}`, absent: python.absent, command: inPython },
  { language: `C${compiler.note}`, absent: compiler.absent, command: inC },
]) {
  describe(`a kernel in ${language}`, () => {
    test.skipIf(absent).each(["attention.forward", "rmsnorm.forward", "adamw.forward"])(
      "that is right passes: %s",
      { timeout: 4 * TIMEOUT },
      async (op) => {
        const { failures, unjudged, elements } = await check(command("none"), op, "float32");
        expect(failures).toEqual([]);
        expect(elements).toBeGreaterThan(1000);
        expect(unjudged).toBeLessThan(elements / 100); // at the ends of AdamW's scalars some have no bound
      },
    );

    const faults =
      command === inC
        ? { "attention.forward": ["no rescaling"], "rmsnorm.forward": ["C - 1"], "adamw.forward": ["coupled"] }
        : { "attention.forward": ["heads", "top-left", "low P"], "rmsnorm.forward": ["eps"], "adamw.forward": ["eps"] };
    const list = Object.entries(faults).flatMap(([op, names]) => names.map((fault) => [op, fault] as const));
    test.skipIf(absent).each(list)("that is wrong is rejected: %s, %s", { timeout: 4 * TIMEOUT }, async (op, fault) => {
      const { failures } = await check(command(fault), op, "float32");
      expect(failures).toHaveLength(1);
      expect(failures[0].worst).toBeDefined(); // for its numbers
      expect(failures[0].replay).toContain(op);
    });
  });
}

describe.skipIf(python.absent)(`weights rounded to bfloat16 before they meet v${python.note}`, () => {
  const declared = { ...targets.ieee, stores: { P: "bfloat16" } } as const;
  test("pass when that is declared", { timeout: 4 * TIMEOUT }, async () => {
    expect((await check(inPython("low P"), "attention.forward", "bfloat16", declared)).failures).toEqual([]);
  });
  test("are rejected when it is not", { timeout: 4 * TIMEOUT }, async () => {
    expect((await check(inPython("low P"), "attention.forward", "bfloat16")).failures[0]?.worst).toBeDefined();
  });
  test("without them bfloat16 passes", { timeout: 4 * TIMEOUT }, async () => {
    expect((await check(inPython("none"), "attention.forward", "bfloat16")).failures).toEqual([]);
  });
});

describe.skipIf(python.absent)(`in the middle of a run${python.note}`, () => {
  const op = "rmsnorm.forward";
  const operation = operations.get(op)!;
  const problem = judgeRows.get(op)!.build({ R: 3, C: 5, eps: "1e-5" }, "unit", 1);
  const judged = async (candidate: ReturnType<typeof candidateOf>) =>
    (await judgeProblem(operation, candidate, problem, ieeeTerms)).findings;

  test.each([
    ["killed", /ended by SIGKILL|exit status 137/, TIMEOUT],
    ["leaves", /ended with exit status 0/, TIMEOUT],
    ["endless", /did not answer within 2 s/, 2000],
    ["garbage", /without ending a line/, TIMEOUT],
    ["lines", /answered "xxx.*expected \{"protocol":2,"case":2\}/, TIMEOUT],
  ])("a process is survived that is %s", { timeout: 2 * TIMEOUT }, async (fault, message, timeout) => {
    const candidate = candidateOf(inPython(fault), op, { timeout });
    try {
      expect(await judged(candidate)).toEqual([]);
      expect((await judged(candidate)).join("\n")).toMatch(message);
      expect(await judged(candidate)).toEqual([]); // started again
    } finally {
      await candidate.close?.();
    }
    expect(touchstoneFolders()).toEqual([]);
  });

  test.skipIf(process.platform === "win32")(
    "an end is told though what the process started keeps its output open",
    async () => {
      const candidate = candidateOf("sleep 60 & exit 7", op);
      const started = performance.now();
      expect((await judged(candidate)).join("\n")).toMatch(/ended with exit status 7/);
      expect(performance.now() - started).toBeLessThan(TIMEOUT / 2);
      await candidate.close?.();
    },
  );

  test("an interruption ends the case at once, and is no finding", async () => {
    const interruption = new AbortController();
    const candidate = candidateOf(inPython("endless"), op, { signal: interruption.signal });
    expect(await judged(candidate)).toEqual([]);
    setTimeout(() => interruption.abort(), 200);
    const started = performance.now();
    await expect(judged(candidate)).rejects.toThrow(Interrupted);
    expect(performance.now() - started).toBeLessThan(TIMEOUT / 2);
    await expect(judged(candidate)).rejects.toThrow(Interrupted);
    await candidate.close?.();
  });

  test.skipIf(ps.absent)(
    `of touchstone check, a signal leaves no file and no process${ps.note}`,
    async () => {
      const file = join(folder, "process id");
      const command = `${inPython("endless")} '${file}'`;
      const words = ["check", "--op", op, "--runs", "5", "--seed", "1", "--exec", command];
      const child = spawn(process.execPath, [cli, ...words]);
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.stdout.resume();
      let said = "";
      child.stderr.on("data", (text) => (said += String(text)));
      while (child.exitCode === null && !(existsSync(file) && readFileSync(file, "utf8") !== "")) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      child.kill("SIGTERM");
      expect(await ended).toBe(130);
      expect(said).toContain("interrupted");
      expect(touchstoneFolders()).toEqual([]);
      const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", readFileSync(file, "utf8")], { encoding: "utf8" });
      expect(stdout.trim()).toMatch(/^(Z.*)?$/); // gone, or dead and not yet collected
    },
    2 * TIMEOUT,
  );
});

describe("a client of another version", () => {
  const op = "add.forward";
  const operation = operations.get(op)!;
  const problem = judgeRows.get(op)!.build({ N: 3 }, "unit", 1);
  const answering = (answer: string): string => `read line; echo '${answer}'; sleep 60`;

  test.each([
    ['{"case":1}', 1],
    ['{"case":1,"error":"no input w"}', 1],
    ['{"protocol":3,"case":1}', 3],
  ])("that answers %s is told so in one line, and is no finding", async (answer, version) => {
    const command = answering(answer);
    const candidate = candidateOf(command, op);
    const told = new ProtocolError(
      `${command} speaks protocol ${version}, expected 2: take golden/clients of this version`,
    );
    await expect(judgeProblem(operation, candidate, problem, ieeeTerms)).rejects.toThrow(told);
    await candidate.close?.();
  });

  test("ends touchstone check with exit status 2", { timeout: TIMEOUT }, () => {
    const words = ["check", "--op", op, "--runs", "5", "--seed", "1", "--exec", answering('{"case":1}')];
    const told = spawnSync(process.execPath, [cli, ...words], {
      encoding: "utf8",
    });
    expect(told.stderr).toMatch(
      /^touchstone: .* speaks protocol 1, expected 2: take golden\/clients of this version$/m,
    );
    expect(told.status).toBe(2);
  });

  const request = JSON.stringify({ case: 1, op, dtype: "float32", scalars: {}, float32Outputs: [] });
  test.skipIf(python.absent)(
    `in Python: a client of today ends at an older judge's request, in one line${python.note}`,
    () => {
      const { status, stderr } = spawnSync("python3", [here("kernel.py"), "none"], {
        input: request,
        encoding: "utf8",
      });
      expect(stderr).toBe("touchstone.py speaks protocol 2, the judge 1: take golden/clients of the judge's version\n");
      expect(status).toBe(1);
    },
  );
  test.skipIf(compiler.absent)(
    `in C: a client of today ends at an older judge's request, in one line${compiler.note}`,
    () => {
      const { status, stderr } = spawnSync(binary, ["none"], { input: request, encoding: "utf8" });
      expect(stderr).toBe("touchstone.h: speaks protocol 2, the judge 1: take golden/clients of the judge's version\n");
      expect(status).toBe(2);
    },
  );
});

test.skipIf(compiler.absent)(`a kernel's refusal is reported in its own words${compiler.note}`, async () => {
  const candidate = candidateOf(inC("none"), "add.forward");
  const problem = judgeRows.get("add.forward")!.build({ N: 3 }, "unit", 1);
  await expect(candidate.run(problem.inputs, problem.scalars)).rejects.toThrow("said: no 'such' op");
  await candidate.close?.();
});

function touchstoneFolders(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("touchstone-") && !name.includes("evidence"));
}
