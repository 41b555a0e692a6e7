// The zoo's faults: each op has some, a right kernel is none, a sample is found as the record says, and the README shows the record.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildCase } from "../../judge/campaign.ts";
import { exampleCases, formatCase } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { type OpName, operations } from "../../reference/ops/index.ts";
import { rightKernels } from "../../zoo/faults/index.ts";
import { targets } from "../../reference/targets.ts";
import { ieeeTerms } from "../terms.ts";
import { recorded } from "./record.ts";
import { faultTable, KEY, partTable, worths, worthTable } from "./report.ts";
import { candidateOf, subjects } from "./subject.ts";
import { tryFault } from "./trial.ts";

const record = recorded();
const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("each fault has a name of its own, and each op and direction has several", () => {
  expect(new Set(subjects.map(({ id }) => id)).size).toBe(subjects.length);
  for (const op of operations.keys()) expect(subjects.filter((one) => one.op === op).length, op).toBeGreaterThan(5);
});

test.each(Object.keys(rightKernels) as OpName[])("%s: the kernel from which the faults differ is right", async (op) => {
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const candidate = candidateOf(operation, rightKernels[op](), "float32");
  for (const c of exampleCases(spec, 3, targets.ieee)) {
    const { findings } = await judgeProblem(operation, candidate, buildCase(spec, c), ieeeTerms);
    expect(findings, formatCase(c)).toEqual([]);
  }
});

test("the record has every fault, and those pass that are known to, and conventions", () => {
  expect(record.faults.map(({ id }) => id)).toEqual(subjects.map(({ id }) => id));
  const missed = record.faults.filter(({ outcome }) => outcome !== "rejected").map(({ id }) => id);
  const known = subjects.filter(({ id, isConvention, isMissed }) => isMissed || (isConvention && missed.includes(id)));
  expect(missed).toEqual(known.map(({ id }) => id));
});

test("of the faults by a second hand at least 95 % are rejected", () => {
  const second = subjects.filter(({ id }) => id.includes("/second/"));
  expect(second.length).toBeGreaterThanOrEqual(100);
  expect(second.filter(({ isMissed }) => isMissed).length).toBeLessThanOrEqual(0.05 * second.length);
});

/** Faults that early cases find. */
const early = record.faults.filter(({ cases, id }) => cases > 0 && cases < 12 && !id.includes(".wgsl/"));
const sample = early.filter((_, i) => i % 20 === 7);

test.each(sample.map((one) => [one.id, one] as const))(
  "%s is found as the record says",
  async (id, { parts, cases }) => {
    const { seed } = record;
    const subject = subjects.find((one) => one.id === id)!;
    const found = await tryFault(subject, { seed, runs: 0, isWhole: false });
    expect({ part: found.parts[0], cases: found.cases }).toEqual({ part: parts[0], cases });
  },
);

test("the table of faults is legible in 80 columns", () => {
  const lines = `${faultTable(record.faults)}\n${KEY}`.split("\n");
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  expect(lines.length).toBeGreaterThan(record.faults.length);
});

test("the READMEs show the record", () => {
  expect(text("README.md")).toContain(worthTable(record));
  expect(text("zoo/README.md")).toContain(partTable(record.faults));
  const { accused, passed } = worths(record).find(({ judge }) => judge === "Touchstone")!;
  expect(accused).toBe(0);
  expect(passed).toBe(record.faults.filter(({ outcome }) => outcome !== "rejected").length);
});
