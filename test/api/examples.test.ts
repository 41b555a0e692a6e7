// The examples in the comments of the public names: each compiles, and each runs.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { reference, tensor } from "../../index.ts";
import { recordSteps } from "../../node.ts";
import { testDevice } from "../device.ts";
import { program } from "../needs.ts";
import { declarationsOf, entries, examplesIn } from "./declarations.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const build = dirname(dirname(inject("cli")));
const folder = mkdtempSync(join(tmpdir(), "touchstone-examples-"));
const started = process.cwd();
const python = program("python3");

const examples = [
  ...new Map(entries.flatMap((entry) => declarationsOf(build, entry)).map((one) => [one.name, one])).values(),
]
  .flatMap(({ name, comment }) =>
    examplesIn(comment).map((code, i) => ({ name: i === 0 ? name : `${name}, ${i + 1}`, code })),
  )
  .map(({ name, code }, i) => ({ name, code, file: join(folder, `example-${i}.ts`) }));

/** The files that examples read, and a folder in which they may write. */
beforeAll(async () => {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  cpSync(join(root, "golden/clients/python/rmsnorm.py"), join(folder, "mine.py"));
  for (const file of ["model.safetensors", "tokenizer.model"]) {
    cpSync(join(root, "golden/models/small", file), join(folder, file));
  }
  for (const { file, code } of examples) writeFileSync(file, `${code}export {};\n`);
  process.chdir(folder);
  const config = { ...reference.presets.tiny, nLayers: 1 };
  const tokens = tensor(Int32Array.of(1, 2, 3, 4), [1, 4]);
  const weights = reference.initialWeights(config, 1, Float32Array);
  await recordSteps("step.safetensors", { config, weights, batches: [{ tokens, targets: tokens }] });
  Object.assign(globalThis, { device: (await testDevice()).device });
});

afterAll(() => {
  process.chdir(started);
  rmSync(folder, { recursive: true, force: true });
});

test("there are examples of every entry", () => {
  expect(examples.length).toBeGreaterThan(60);
});

test("they compile as a user compiles them", () => {
  const compilerOptions = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023"],
    types: ["node", "@webgpu/types"],
    strict: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
    paths: { "touchstone-llama": [join(root, "index.ts")], "touchstone-llama/*": [join(root, "*.ts")] },
  };
  const files = examples.map(({ file }) => file);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  let said = "";
  try {
    execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8", cwd: folder });
  } catch (error) {
    const own = (error as { stdout: string }).stdout.split("\n").filter((line) => line.startsWith("example-"));
    said = own.map((line) => line.replace(/^example-(\d+)/, (_, i: string) => examples[Number(i)]!.name)).join("\n");
  }
  expect(said).toBe("");
});

describe("they run", () => {
  test.each(examples)("$name", async ({ file, code }) => {
    if (code.includes("python3") && python.absent) return;
    await import(/* @vite-ignore */ file);
  });
});
