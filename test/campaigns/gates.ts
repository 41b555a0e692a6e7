// `npm run campaign:gates [-- SEEDS [OP…]]` plants faults that begin at a size, at gates from 16 to 2,048 along one axis or two,
// and to 256 along three, and counts those that the cases of a check let through. No kernel runs: the right outputs are the
// reference's in float32. Exit status 1 where less than 95 of 100 faults of an op are rejected.
import Table from "cli-table3";
import { buildCase, comparing } from "../../judge/campaign.ts";
import { type Case, exampleCases, type Problem } from "../../judge/case.ts";
import { type Chosen, choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { judgeOutputs, roundProblem } from "../../judge/verdict.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";
import { sizeOf, type Tensor } from "../../reference/tensor.ts";
import { targets } from "../../reference/targets.ts";

const [seeds = "1", ...ops] = process.argv.slice(2);
const terms = { target: targets.wgsl, dtype: "float32" } as const;
const GATES = [16, 32, 64, 128, 256, 1024, 2048];
const TILE = 16;

/** What a kernel does beyond its gate. */
type Fault = (operation: Operation, problem: Problem, right: Outputs) => Outputs;

const faults: Readonly<Record<string, Fault>> = {
  zeros: (_, __, right) => changed(right, () => 0),
  "stale tile": (_, __, right) =>
    changed(right, (data, i, n) => (i >= n - TILE ? data[Math.max(0, i - TILE)] : data[i])),
  "last slice dropped": (operation, problem, right) => withoutLast(operation, problem) ?? right,
};

function changed(outputs: Outputs, value: (data: Tensor["data"], i: number, n: number) => number): Outputs {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, shape }]) => [
      name,
      { data: Float32Array.from(data, (_, i) => value(data, i, data.length)), shape },
    ]),
  );
}

/** The op without the last sixteenth of the first input's last axis. */
function withoutLast(operation: Operation, { inputs, scalars }: Problem): Outputs | undefined {
  const name = Object.keys(inputs).find((one) => !operation.integers.includes(one) && sizeOf(inputs[one].shape) > 1);
  if (name === undefined) return undefined;
  const { data, shape } = inputs[name];
  const last = shape.at(-1)!;
  const kept = last - Math.ceil(last / TILE);
  const short = Float32Array.from(data, (x, i) => (i % last < kept ? x : 0));
  return operation.evaluate({ ...inputs, [name]: { data: short, shape } }, scalars, Float32Array);
}

/** The axes along which a fault begins, and where. */
interface Gate {
  readonly axes: readonly string[];
  readonly at: number;
}

/** Gates along each axis, each pair, and each three, as far as an axis goes. */
function gatesOf({ spec }: Chosen): Gate[] {
  const axes = Object.entries(spec.large?.axes ?? {}).map(([axis, most]) => {
    return { axis, most: typeof most === "number" ? most : (most as readonly number[]).at(-1)! };
  });
  const subsets = axes.flatMap((a, i) => {
    const [later, pairs] = [axes.slice(i + 1), axes.slice(i + 1).map((b) => [a, b])];
    const triples = later.flatMap((b, j) => later.slice(j + 1).map((c) => [a, b, c]));
    return [[a], pairs, triples].flat(1).map((one) => (Array.isArray(one) ? one : [one]));
  });
  return subsets.flatMap((subset) => {
    const most = subset.length === 3 ? 256 : 2048;
    const gates = GATES.filter((at) => at <= most && subset.some((one) => one.most >= at));
    return gates.map((at) => ({ axes: subset.filter((one) => one.most >= at).map(({ axis }) => axis), at }));
  });
}

/** Whether the cases of a check with that seed show the fault. Only those beyond the gate can. */
function isCaught({ operation, spec }: Chosen, { axes, at }: Gate, fault: Fault, cases: readonly Case[]): boolean {
  return cases
    .filter(({ sizes }) => axes.every((axis) => Number(sizes[axis]) >= at))
    .some((c) => {
      const problem = roundProblem(operation, buildCase(spec, c), "float32");
      const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
      const compare = comparing(spec, c);
      return judgeOutputs(operation, fault(operation, problem, right), problem, terms, [], compare).findings.length > 0;
    });
}

const table = new Table({
  head: ["op", "faults", "rejected", "share", "missed", "seconds"],
  style: { head: [], border: [], compact: true },
  colWidths: [24, 8, 10, 8, 60, 9],
  wordWrap: true,
});
let isShort = false;
for (const chosen of choose(ops)) {
  const start = performance.now();
  const missed: string[] = [];
  let [planted, caught] = [0, 0];
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const work = (c: Case): number => chosen.spec.large?.work(c.sizes) ?? 0;
    const cases = [...exampleCases(chosen.spec, seed), ...largeCases(chosen.spec, seed)];
    const cheapFirst = cases.toSorted((a, b) => work(a) - work(b));
    for (const gate of gatesOf(chosen)) {
      for (const [name, fault] of Object.entries(faults)) {
        planted++;
        if (isCaught(chosen, gate, fault, cheapFirst)) caught++;
        else missed.push(`${gate.axes.join(" and ")} from ${gate.at}: ${name}`);
      }
    }
  }
  const share = planted === 0 ? 1 : caught / planted;
  if (share < 0.95) isShort = true;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const named = [...new Set(missed)];
  table.push([chosen.operation.name, planted, caught, `${(100 * share).toFixed(1)} %`, named.join("; "), seconds]);
  process.stderr.write(`${chosen.operation.name}: ${caught} of ${planted}, ${seconds} s\n`);
}
process.stdout.write(`${table.toString()}\n`);
process.exitCode = isShort ? 1 : 0;
