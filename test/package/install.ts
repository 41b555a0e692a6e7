// The package as a stranger gets it: packed, installed into empty folders, used by programs outside the tree, with its optional
// parts and without. Run by `npm run test:package`; it installs from the registry, so it is no part of `npm test`.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, chromiumFlags, unpackChromium } from "../examples/browser.ts";
import { pageFails, runExamples, runWorkflow } from "./examples.ts";
import { script } from "../script.ts";

script("test:package", "The package, installed into an empty folder.").parse();

const root = fileURLToPath(new URL("../..", import.meta.url));
const outside = fileURLToPath(new URL("outside", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "touchstone-package-"));
/** What README.md says is the lowest. */
const LOWEST_TYPESCRIPT = "5.0";
const counts = { passed: 0, failed: 0, skipped: 0 };

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], cwd: string, more: Readonly<Record<string, string>> = {}): Ran {
  return spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 1 << 26, env: { ...process.env, ...more } });
}

/** What a command prints. Throws, with what it said, unless it succeeds. */
function succeed(
  command: string,
  args: readonly string[],
  cwd: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const { status, stdout, stderr } = run(command, args, cwd, more);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: exit status ${status}\n${stdout}${stderr}`);
  return stdout;
}

function step(title: string, check: () => void): void {
  const start = performance.now();
  let failure: unknown;
  try {
    check();
    counts.passed++;
  } catch (error) {
    counts.failed++;
    failure = error;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${failure === undefined ? "passed" : "FAILED"} ${title} (${seconds} s)\n`);
  if (failure !== undefined) process.stdout.write(`${(failure as Error).message}\n`);
}

function expectText(text: string, pattern: RegExp): void {
  if (!pattern.test(text)) throw new Error(`expected ${pattern}, got:\n${text}`);
}

/** An empty project with the package in it, and the programs of outside/. */
function project(name: string, archive: string, words: readonly string[]): string {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, "package.json"), '{ "private": true, "type": "module" }\n');
  cpSync(outside, place, { recursive: true });
  cpSync(join(root, "kernels-gpu", "add.forward.wgsl"), join(place, "mine.wgsl"));
  succeed("npm", ["install", "--silent", "--no-fund", "--no-audit", archive, ...words], place);
  return place;
}

/** Compiles types.ts and the suite as a stranger would, under one way of resolving modules. */
function compiles(place: string, resolution: string, lib: readonly string[], typescript = place): void {
  const compilerOptions = {
    target: "es2022",
    module: resolution === "bundler" ? "esnext" : resolution,
    moduleResolution: resolution,
    lib,
    // A browser's types have WebGPU's; others take them from @webgpu/types, which do not check without a browser's.
    types: lib.includes("dom") ? ["node"] : ["node", "@webgpu/types"],
    skipLibCheck: !lib.includes("dom"),
    strict: true,
    noEmit: true,
  };
  writeFileSync(
    join(place, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["types.ts", "suite.test.ts"] }),
  );
  succeed("node", [join(typescript, "node_modules/typescript/bin/tsc"), "-p", "."], place);
}

/** Runs kernel.browser.mjs inside Chromium. */
function inBrowser(place: string): void {
  const unpacked = join(folder, "chromium");
  mkdirSync(unpacked);
  const { path, env } = unpackChromium(unpacked);
  const given = { ...env, CHROMIUM: path, CHROMIUM_FLAGS: chromiumFlags.join(" ") };
  const printed = succeed("npx", ["vitest", "run", "--config", "vitest.browser.config.mjs"], place, given);
  expectText(printed, /Tests .*2 passed/);
}

try {
  succeed("npm", ["pack", "--silent", "--pack-destination", folder], root);
  const [name] = readdirSync(folder);
  if (name === undefined) throw new Error("npm pack made no archive");
  const archive = join(folder, name);
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const tools = ["typescript", "tsx", "vitest", "@vitest/browser-playwright", "playwright", "@types/node"].map(
    (tool) => `${tool}@${devDependencies[tool]}`,
  );

  const whole = project("whole", archive, tools);
  step("the installed package checks its kernels", () => {
    const table = succeed("npx", ["touchstone", "check", "--runs", "5", "--seed", "1"], whole);
    process.stdout.write(table);
    expectText(table, /kernels? within (its bound|their bounds),/);
  });
  step("its fixtures are what its sources make", () => void succeed("npx", ["touchstone", "golden", "check"], whole));
  step("a kernel of one's own passes the command", () => {
    const words = ["touchstone", "check", "--op", "add", "--kernel", "./mine.mjs", "--runs", "5", "--seed", "1"];
    expectText(succeed("npx", words, whole), /kernels? within (its bound|their bounds),/);
  });
  step("a program uses oracle, compare, cases and judge", () => void succeed("node", ["pure.mjs"], whole));
  step("and a device: candidateOf on Dawn", () => void succeed("node", ["device.mjs"], whole));
  step("a test suite uses the matchers", () => void succeed("npx", ["vitest", "run", "--no-cache"], whole));
  if (chromium.absent) {
    counts.skipped++;
    process.stdout.write(`skipped the same judge in a browser${chromium.note}\n`);
  } else step("the same judge in headless Chromium, by vitest's browser mode", () => inBrowser(whole));
  for (const resolution of ["node16", "nodenext", "bundler"]) {
    step(`types resolve under ${resolution}`, () => compiles(whole, resolution, ["es2023"]));
    step(`and with a browser's types`, () => compiles(whole, resolution, ["es2023", "dom"]));
  }

  step(`types compile with TypeScript ${LOWEST_TYPESCRIPT}`, () => {
    const lowest = join(folder, "lowest");
    mkdirSync(lowest);
    succeed("npm", ["install", "--silent", "--no-fund", "--no-audit", `typescript@~${LOWEST_TYPESCRIPT}.0`], lowest);
    compiles(whole, "nodenext", ["es2023"], lowest);
  });

  runExamples({ step, succeed }, whole);
  const failure = await pageFails(whole).catch((error: unknown) => error as Error);
  step("example: a browser page", () => {
    if (failure !== undefined) throw failure;
  });

  const lean = project("lean", archive, ["--omit=optional"]);
  step("without optional parts there is no Dawn and no Chromium", () => {
    for (const part of ["webgpu", "@sparticuz"]) {
      if (existsSync(join(lean, "node_modules", part))) throw new Error(`node_modules/${part} is there`);
    }
  });
  runWorkflow({ step, succeed }, lean);
  step("and the judge works", () => void succeed("node", ["pure.mjs"], lean));
  step("and the command that needs a device says what to add", () => {
    const { status, stderr } = run("npx", ["touchstone", "check", "--op", "add", "--runs", "1"], lean);
    if (status !== 2) throw new Error(`exit status ${status}, expected 2: ${stderr}`);
    expectText(stderr, /^touchstone: no device: .*npm install webgpu.*@sparticuz\/chromium@147\.0\.0.*$/m);
    if (stderr.trim().split("\n").length !== 1) throw new Error(`expected one line, got:\n${stderr}`);
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
