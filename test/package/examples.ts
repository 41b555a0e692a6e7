// The examples as a user copies them: out of the installed package, run where it is installed.
import { build } from "esbuild";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, show } from "../examples/browser.ts";
import { commandsOf, readWorkflow } from "../examples/workflow.ts";

/** What install.ts gives: a step that is counted, and a command that must succeed. */
export interface Runner {
  step(title: string, check: () => void): void;
  succeed(command: string, args: readonly string[], cwd: string, env?: Readonly<Record<string, string>>): string;
}

const PASSED = /kernels? within (its bound|their bounds),/;
/** What a Node that reads no TypeScript needs. */
const withTypes = { NODE_OPTIONS: "--import tsx" };

function copied(place: string): string {
  const folder = join(place, "examples");
  cpSync(join(place, "node_modules", "touchstone-llama", "examples"), folder, { recursive: true });
  return folder;
}

function expectPassed(text: string, pattern = PASSED): void {
  if (!pattern.test(text)) throw new Error(`expected ${pattern}, got:\n${text}`);
}

/** Everything but the browser page, in a project with tsx, TypeScript and vitest. */
export function runExamples({ step, succeed }: Runner, place: string): void {
  const folder = copied(place);
  const check = (...words: string[]): string =>
    succeed("npx", ["touchstone", "check", ...words, "--runs", "20", "--seed", "1"], folder, withTypes);
  step("example: a kernel in WGSL", () =>
    expectPassed(check("--op", "rmsnorm.forward", "--kernel", "./wgsl/rmsnorm.ts")),
  );
  step("example: the program that judges it", () =>
    expectPassed(succeed("npx", ["tsx", "wgsl/judge.ts"], folder), /^rmsnorm\.forward passed \d+ cases on /),
  );
  step("example: a kernel in TypeScript", () =>
    expectPassed(check("--op", "swiglu.forward", "--kernel", "./typescript/swiglu.ts", "--target", "ieee")),
  );
  step("example: the program that judges it", () =>
    expectPassed(succeed("npx", ["tsx", "typescript/judge.ts"], folder), /swiglu\.forward passed \d+ cases\n$/),
  );
  step("example: a kernel in Python", () =>
    expectPassed(check("--op", "swiglu.forward", "--exec", "python3 python/swiglu.py", "--target", "ieee")),
  );
  step("example: a test suite", () => void succeed("npx", ["vitest", "run", "--root", "examples/vitest"], place));
  step("example: all of them compile", () => {
    const sources = ["typescript", "vitest", "wgsl"].flatMap((name) =>
      readdirSync(join(folder, name))
        .filter((file) => file.endsWith(".ts"))
        .map((file) => join("examples", name, file)),
    );
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--allowImportingTsExtensions", "--target", "es2022"];
    const types = ["--module", "nodenext", "--types", "node,@webgpu/types"];
    succeed("npx", ["tsc", "--ignoreConfig", ...options, ...types, ...sources], place);
  });
}

/** The workflow's commands but the installation, where the package is installed without its optional parts. */
export function runWorkflow({ step, succeed }: Runner, place: string): void {
  const folder = copied(place);
  const workflow = readWorkflow(join(folder, "ci", "touchstone.yml"));
  if (workflow === undefined) {
    process.stdout.write("skipped example: a CI workflow: there is no python3 with yaml\n");
    return;
  }
  cpSync(join(folder, "c", "linear.c"), join(place, "linear.c"));
  step("example: a CI workflow, and a kernel in C", () => {
    for (const command of commandsOf(workflow).slice(1)) {
      succeed("sh", ["-c", command.replaceAll(/\$\{\{[^}]*\}\}/g, "1")], place);
    }
    const verdict = JSON.parse(readFileSync(join(place, "touchstone.json"), "utf8")) as { kernels: { op: string }[] };
    if (verdict.kernels[0]?.op !== "linear.forward")
      throw new Error("touchstone.json has no verdict of linear.forward");
  });
}

/** The browser page, bundled against the installed package. Undefined where it passed or no browser can be had. */
export async function pageFails(place: string): Promise<Error | undefined> {
  if (chromium.absent) {
    process.stdout.write(`example: a browser page${chromium.note}\n`);
    return undefined;
  }
  const entry = join(place, "examples", "browser", "main.js");
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  const page = readFileSync(join(place, "examples", "browser", "index.html"), "utf8");
  const text = await show({ "index.html": page, "main.js": outputFiles[0]!.text }, /passed|failed|not judged/, 60_000);
  return /swiglu\.forward passed/.test(text) ? undefined : new Error(text);
}
