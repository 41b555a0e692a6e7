// `npm run campaign:unjudged [-- SEEDS [OP…]]` draws the cases of `touchstone check` with 20 seeds, and prints the largest
// share of elements without a finite bound of each op, output and dtype, over seeds, targets and numbers of runs. Truth and
// bound alone decide it: no kernel runs, so the shares are those of every device. Exit status 1 where one is inconclusive.
import fc from "fast-check";
import Table from "cli-table3";
import { arbitraryCase, type Case, exampleCases } from "../../judge/case.ts";
import { buildCase } from "../../judge/campaign.ts";
import { type Chosen, choose } from "../../judge/choose.ts";
import { boundIn } from "../../judge/compare.ts";
import { conclude, PartSums, partsUnder, percent } from "../../judge/conclusion.ts";
import { suitedTo } from "../../judge/half-cases.ts";
import { realInputs } from "../../judge/real.ts";
import { checkArithmetic } from "../../judge/terms.ts";
import { allowancesOf, roundProblem, truth } from "../../judge/verdict.ts";
import { type DTypeName, dtypes } from "../../reference/dtype.ts";
import { type Operation, storageOf } from "../../reference/operation.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { whole } from "../../cli/numbers.ts";
import { opNames, script } from "../script.ts";

const [seeds, ops] = script("campaign:unjudged", "The largest share of each output that a target leaves unjudged.")
  .argument("[seeds]", "how many", whole(1), 20)
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as [number, string[]];
/** Numbers of drawn cases after which a run may end. */
const RUNS = [1, 10, 100];
const computing = (format?: "float16"): Target[] =>
  Object.values<Target>(targets).filter(({ arithmetic }) => arithmetic === format);
/** Targets and the dtypes of their tensors. */
const groups: readonly { readonly of: readonly Target[]; readonly dtypes: readonly DTypeName[] }[] = [
  { of: computing(), dtypes: ["float32", "bfloat16", "float16"] },
  ...computing("float16").map((target) => ({ of: [target], dtypes: ["float16"] as const })),
];

interface Share {
  readonly share: number;
  readonly where: string;
}

/** The cases of a check, and how many of them are not drawn. */
function casesOf({ spec }: Chosen, seed: number): { readonly cases: readonly Case[]; readonly fixed: number } {
  // Large cases have ordinary numbers only.
  const examples = exampleCases(spec, seed).map((c): [Case] => [c]);
  const cases: Case[] = [];
  const property = fc.property(arbitraryCase(spec, realInputs(spec.op, 0) !== undefined), (c) => void cases.push(c));
  fc.check(property, { seed, examples, numRuns: examples.length + Math.max(...RUNS) });
  return { cases, fixed: examples.length };
}

/** How many elements of each output a target leaves unjudged. */
function comparisonsOf({ operation }: Chosen, c: Case, dtype: DTypeName, spec: Chosen["spec"]) {
  const problem = roundProblem(operation, buildCase(spec, c, dtype, realInputs), dtype);
  const want = truth(operation, problem);
  return (target: Target) => {
    const allowed = allowancesOf(operation, problem, target);
    return Object.keys(operation.outputs).map((output) => {
      const format = dtypes[storageOf(operation, output, dtype)];
      const { data } = want[output];
      const isJudged = (w: number, i: number): boolean =>
        Number.isFinite(w)
          ? boundIn(w, allowed[output].data[i], format) < Infinity
          : target.promisesNonFinite && !Number.isNaN(w);
      let judged = 0;
      for (let i = 0; i < data.length; i++) if (isJudged(data[i], i)) judged++;
      return { output, elements: data.length, judged };
    });
  };
}

const worst = new Map<string, Share>();
let inconclusive = 0;
for (const one of choose(ops)) {
  const { operation } = one;
  for (const { of, dtypes: stored } of groups) {
    if (!hasBound(of[0], operation)) continue;
    const chosen = suitedTo(of[0], one);
    for (let seed = 1; seed <= seeds; seed++) {
      const { cases, fixed } = casesOf(chosen, seed);
      for (const dtype of stored) {
        const sums = new Map(of.map((target) => [target, new PartSums(Object.keys(operation.outputs))]));
        for (const [n, c] of cases.entries()) {
          const compare = comparisonsOf(chosen, c, dtype, chosen.spec);
          for (const [target, sum] of sums) sum.add(compare(target));
          if (!RUNS.includes(n + 1 - fixed)) continue;
          for (const [target, sum] of sums) note(operation, target, sum, `seed ${seed}, ${n + 1 - fixed} runs`, dtype);
        }
      }
    }
  }
  process.stderr.write(`${operation.name}\n`);
}

/** Whether an op has a bound in the target's arithmetic. */
function hasBound(target: Target, operation: Operation): boolean {
  try {
    checkArithmetic(target, [operation], target.arithmetic);
    return true;
  } catch {
    return false;
  }
}

function note({ name: op }: Operation, target: Target, sum: PartSums, when: string, dtype: DTypeName): void {
  for (const part of partsUnder(op, sum.parts())) {
    const name = `${part.name}, ${target.arithmetic === undefined ? "" : "computed in "}${dtype}`;
    const share = 1 - part.judged / part.offered;
    if (!(share <= (worst.get(name)?.share ?? -1))) worst.set(name, { share, where: `${target.name}, ${when}` });
    if (conclude({ hasFindings: false, parts: [part] }).verdict !== "pass") inconclusive++;
  }
}

const table = new Table({ head: ["output", "largest share", "where"], style: { head: [], border: [], compact: true } });
const seen = [...worst].filter(([, { share }]) => !(share === 0)).toSorted(([, a], [, b]) => b.share - a.share);
for (const [name, { share, where }] of seen) table.push([name, percent(share), where]);
process.stdout.write(
  `${table.toString()}\n${worst.size} outputs in a dtype, ${worst.size - seen.length} of them judged throughout\n`,
);
process.stdout.write(
  `${inconclusive} inconclusive, of ${seeds} seeds, ${groups.flatMap(({ of }) => of).length} targets, ${RUNS.join(", ")} runs\n`,
);
process.exitCode = inconclusive === 0 ? 0 : 1;
