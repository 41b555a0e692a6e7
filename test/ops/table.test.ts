// The table of ops, walked: every row is whole, and every kernel file has enough mutants to show that its tests can fail.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { judgeRows } from "../../judge/ops/index.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { statedEvaluations } from "../../zoo/swiglu-stated.ts";
import { mutants } from "../../zoo/mutants/index.ts";
import { mutate } from "../../zoo/mutants/mutant.ts";
import { kernelOf } from "../../kernels-gpu/index.ts";
import { operations } from "../../reference/ops/index.ts";

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const tests = new Set(readdirSync(folder("test/ops")));

describe.each([...operations.keys()])("%s", (op) => {
  const stem = op.split(".")[0];
  test("has cases, a kernel, correct evaluations, and tests of both", () => {
    expect(judgeRows.has(op), `${op} has no cases`).toBe(true);
    expect(kernelOf(op), `${op} has no kernel`).toBeDefined();
    expect(evaluationsOf(op).length, `${op} has no correct evaluation in the zoo`).toBeGreaterThan(0);
    expect(tests).toContain(`${stem}.test.ts`);
    expect(tests).toContain(`${stem}.gpu.test.ts`);
  });

  test("each covered variant is exercised by a correct evaluation, and each evaluation says which ones it exercises", () => {
    const listed = Object.keys(operations.get(op)!.covered);
    const exercised = new Set([...evaluationsOf(op), ...(statedEvaluations[op] ?? [])].flatMap(({ covers }) => covers));
    expect(listed.length, `${op} does not say what its bound covers`).toBeGreaterThan(0);
    expect([...exercised].toSorted()).toEqual(listed.toSorted());
    for (const { covers } of evaluationsOf(op)) expect(covers.length).toBeGreaterThan(0);
  });

  test("the kernel has the op's inputs and outputs", () => {
    const [operation, kernel] = [operations.get(op)!, kernelOf(op)!];
    const bare = (specs: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(specs).toSorted());
    expect(bare(kernel.inputs)).toEqual(bare(operation.inputs));
    expect(bare(kernel.outputs)).toEqual(bare(operation.outputs));
    // A kernel does without scalars that it does not need, such as an eps that went into a saved rstd.
    expect(Object.keys(operation.scalars)).toEqual(expect.arrayContaining([...kernel.scalars]));
  });
});

const files = readdirSync(folder("kernels-gpu")).filter((name) => name.endsWith(".wgsl"));
describe.each(files)("%s", (file) => {
  const own = mutants.filter((mutant) => mutant.file === file);
  const source = readFileSync(folder(`kernels-gpu/${file}`), "utf8");
  test("has at least 8 mutants, 3 at an index, mask or tail, one numerical, each a change of its text", () => {
    expect(own.length).toBeGreaterThanOrEqual(8);
    expect(own.filter(({ kind }) => ["index", "mask", "tail"].includes(kind)).length).toBeGreaterThanOrEqual(3);
    expect(own.filter(({ kind }) => kind === "numerical").length).toBeGreaterThanOrEqual(1);
    for (const mutant of own) expect(mutate(mutant, source)).not.toBe(source);
    expect(new Set(own.map(({ what }) => what)).size).toBe(own.length);
  });
});

test("every mutant is of a file that exists", () => {
  for (const { file } of mutants) expect(files).toContain(file);
});
