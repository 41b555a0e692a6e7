// Each example as it stands, by the commands that examples/README.md shows. The test suite of examples/vitest runs by itself.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { embeddedTexts } from "../../kernels-gpu/embed.ts";
import { root, touchstone } from "../command.ts";
import { program } from "../needs.ts";
import { chromium, show } from "./browser.ts";
import { commandsOf, readWorkflow } from "./workflow.ts";

const scratch = mkdtempSync(join(tmpdir(), "touchstone-examples-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const [python, compiler] = ["python3", "cc"].map(program);
const example = (path: string): string => join(root, "examples", path);

/** Runs a program of the tree and resolves with what it printed. Rejects with its standard error. */
function run(...words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--import", "tsx", ...words], { cwd: root }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stdout + stderr));
    });
  });
}

/** `touchstone check` on one case. The installed package judges each kernel in full (test/package/). */
async function replay(line: string, command: string): Promise<string> {
  const { out, err } = await touchstone(["check", "--replay", line, "--exec", command, "--target", "ieee"]);
  return out + err;
}

describe("kernels that the command judges", () => {
  test("TypeScript", async () => {
    const words = ["--op", "swiglu.forward", "--kernel", example("typescript/swiglu.ts"), "--target", "ieee"];
    expect(await run("cli/index.ts", "check", ...words, "--runs", "5", "--seed", "1")).toMatch(/1 kernels? within/);
  });

  test("WGSL", async () => {
    const line = "rmsnorm.forward R=9 C=66 eps=1e-6 profile=unit seed=1";
    const printed = await run("cli/index.ts", "check", "--replay", line, "--kernel", example("wgsl/rmsnorm.ts"));
    expect(printed).toMatch(/^y: 594 elements, 0 unjudged, 0 outside.*\n[\s\S]*\npass\n$/m);
  });

  test.skipIf(python.absent)(`Python${python.note}`, async () => {
    const command = `PYTHONDONTWRITEBYTECODE=1 python3 '${example("python/swiglu.py")}'`;
    const printed = await replay("swiglu.forward R=3 F=5 profile=unit seed=1", command);
    expect(printed).toMatch(/^y: 15 elements, 0 unjudged, 0 outside.*\n[\s\S]*\npass\n$/m);
  });

  test.skipIf(compiler.absent)(`C${compiler.note}`, async () => {
    const binary = join(scratch, "linear");
    const client = join(root, "golden/clients/c");
    execFileSync("cc", ["-std=c99", "-O2", "-I", client, "-o", binary, example("c/linear.c"), "-lm"]);
    const line = "linear.forward R=3 C=43 O=5 profile=unit seed=1";
    const printed = await replay(line, `'${binary}'`);
    expect(printed).toMatch(/^y: 15 elements, 0 unjudged, 0 outside.*\n[\s\S]*\npass\n$/m);
  });
});

test("the program in TypeScript says what is exact, what is allowed, and that the kernel passed", async () => {
  const printed = await run(example("typescript/judge.ts"));
  expect(printed).toMatch(
    /^exact: .*\nallowed: .*\nthe largest error is 0\.\d+ of its bound\nswiglu\.forward passed \d+ cases\n$/,
  );
});

test("the README's program passes", async () => {
  const [, snippet] = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"))!;
  const printed = await run("--input-type=module", "-e", `${snippet!}\nconsole.log(passed, findings);`);
  expect(printed).toBe("true []\n");
});

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [example("browser/main.js")],
    bundle: true,
    format: "esm",
    platform: "browser", // which has no node: modules, so an import of one fails
    write: false,
    alias: { "touchstone-llama": join(root, "index.ts"), "touchstone-llama/webgpu": join(root, "webgpu.ts") },
    plugins: [
      {
        name: "the texts of kernels, as the build writes them",
        setup: ({ onLoad }) => onLoad({ filter: /kernels-gpu.texts\.ts$/ }, () => ({ contents: embeddedTexts() })),
      },
    ],
  });
  return outputFiles[0]!.text;
}

describe("the browser page", () => {
  test("its script needs nothing of Node", async () => {
    expect(await bundle()).not.toMatch(/["']node:/);
  });

  test.skipIf(chromium.absent)(`judges its kernel on the page's device${chromium.note}`, async () => {
    const files = { "index.html": readFileSync(example("browser/index.html"), "utf8"), "main.js": await bundle() };
    expect(await show(files, /passed|failed|not judged/, 50_000)).toMatch(/swiglu\.forward passed \d+ cases/);
  });
});

const workflow = readWorkflow(example("ci/touchstone.yml"));
test.skipIf(workflow === undefined)(
  `the workflow installs, builds, judges and keeps the verdict${workflow === undefined ? " (skipped: there is no python3 with yaml)" : ""}`,
  () => {
    const { steps } = workflow!.jobs["kernels"]!;
    for (const step of steps) expect([step, typeof (step.uses ?? step.run)]).toEqual([step, "string"]);
    const runs = commandsOf(workflow!);
    expect(runs[0]).toMatch(/^npm install .*touchstone-llama$/);
    const [include] = /(?<=-I )\S+/.exec(runs[1]!)!;
    expect(existsSync(join(root, include.replace("node_modules/touchstone-llama/dist/", ""), "touchstone.h"))).toBe(
      true,
    );
    expect(runs[2]).toMatch(
      /^export SEED="[^;]*; npx touchstone check --op linear\.forward --exec \.\/linear .*--json touchstone\.json$/,
    );
    expect(steps.at(-1)!.with!["path"]).toBe("touchstone.json");
  },
);

test("examples/README.md lists every folder of examples", () => {
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const page = readFileSync(example("README.md"), "utf8");
  for (const { name } of folders) expect(page).toContain(`\`examples/${name}/`);
});
