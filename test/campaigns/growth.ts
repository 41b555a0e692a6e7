// `npm run campaign:growth -- CHECKOUT [CASES [TARGET [OP…]]]` prints how much each op's bounds grew since another checkout, an earlier one, by the forms that are covered since,
// and how much trees of additions and exponentials of 0 shrank them: median and largest ratio over all elements with a bound in both. In between, what the worst of the zoo's
// evaluations needs: its error ÷ the earlier bound, the largest of all elements; and of the element that has grown most, in a problem of its own, the growth and what the worst
// evaluation of the second derivation needs there, by the letter of the target's document. At last how many elements have a bound in one alone.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as fc from "fast-check";
import { buildCase } from "../../judge/campaign.ts";
import { arbitraryCase, exampleCases } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { allowancesOf, roundProblem, truth } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { Float32Arithmetic, orders } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { type Peak, peakOf, worstAt } from "../growth-peaks.ts";
import { asBefore } from "../tightness.ts";
import { whole } from "../../cli/numbers.ts";
import { opNames, script } from "../script.ts";
import { Argument } from "commander";

const [checkout, cases, name, only] = script(
  "campaign:growth",
  "How much wider each bound is than in another checkout.",
)
  .argument("<checkout>", "a folder with reference/ in it")
  .argument("[cases]", "drawn cases of each op", whole(1), 100)
  .addArgument(new Argument("[target]", "whose accuracies hold").choices(Object.keys(targets)).default("wgsl"))
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as [string, number, keyof typeof targets, string[]];
const at = (path: string): string => pathToFileURL(resolve(checkout, path)).href;
const earlier = (await import(at("reference/ops/index.ts"))) as { operations: typeof operations };
const their = (await import(at("reference/targets.ts"))) as { targets: typeof targets };

/** Of one output. */
class Growth {
  readonly forms: number[] = [];
  readonly trees: number[] = [];
  needed = 0;
  here = 0;
  there = 0;
  /** The element that has grown most, alone. */
  peak: { readonly growth: number; readonly of: () => Peak | undefined } | undefined;

  /** A bound now, without what narrows it, and earlier; and the largest error of an evaluation. */
  add(now: number, wide: number, before: number, error: number, of: () => Peak | undefined): void {
    if (now < Infinity && before < Infinity) {
      if (before > 0) this.forms.push(wide / before);
      if (before > 0 && wide / before > (this.peak?.growth ?? 0)) this.peak = { growth: wide / before, of };
      if (wide > 0 && wide < Infinity) this.trees.push(now / wide);
      if (before > 0) this.needed = Math.max(this.needed, error / before);
    } else if (now < Infinity) this.here++;
    else if (before < Infinity) this.there++;
  }

  /** The table's, with those of the peak. */
  cells(ofPeak: readonly string[]): (string | number)[] {
    const [forms, trees] = [this.forms, this.trees].map((list) => Float64Array.from(list).toSorted());
    const of = (list: Float64Array): string[] =>
      [list[list.length >> 1], list.at(-1)].map((x) => x?.toPrecision(3) ?? "");
    const [least] = [trees[0]?.toPrecision(3) ?? ""];
    const needed = [this.needed.toPrecision(3), ...ofPeak];
    return [forms.length, ...of(forms), ...needed, of(trees)[0], least, this.here, this.there];
  }
}

/** Of the element that has grown most: its growth in a problem of its own, and what the worst evaluation there needs. */
function atPeak(op: string, output: string, peak: Peak | undefined): string[] {
  if (peak === undefined) return ["", ""];
  const { problem, index } = peak;
  const [operation, then] = [operations.get(op)!, earlier.operations.get(op)!];
  const target = targets[name];
  const wide = allowancesOf(operation, problem, asBefore(target))[output].data[index];
  const before = allowancesOf(then, problem, their.targets[name])[output].data[index];
  const worst = worstAt(peak, output, truth(operation, problem)[output].data[index], target);
  if (!(worst <= wide)) throw new Error(`${op} ${output}: an evaluation errs by ${worst}, its bound is ${wide}`);
  return worst === 0 ? ["", ""] : [wide / before, worst / before].map((x) => x.toPrecision(3));
}

const head = [
  "output",
  "elements",
  "forms: median",
  "largest",
  "needed",
  "by itself",
  "needed there",
  "trees: median",
  "least",
  "bound now alone",
  "earlier alone",
];
process.stdout.write(`| ${head.join(" | ")} |\n|${" --- |".repeat(head.length)}\n`);
for (const [op, row] of judgeRows) {
  const then = earlier.operations.get(op);
  if (then === undefined || (only.length > 0 && !only.includes(op))) continue;
  const operation = operations.get(op)!;
  const growths = new Map(Object.keys(operation.outputs).map((output) => [output, new Growth()]));
  const drawn = fc.sample(arbitraryCase(row, false), { numRuns: cases, seed: 1 });
  for (const [k, c] of [...exampleCases(row, 1), ...drawn].entries()) {
    const problem = roundProblem(operation, buildCase(row, c), "float32");
    const target = targets[name];
    const [now, wide] = [target, asBefore(target)].map((one) => allowancesOf(operation, problem, one));
    const before = allowancesOf(then, problem, their.targets[name]);
    const want = truth(operation, problem);
    const got = evaluationsOf(op).flatMap(({ evaluate }, n) =>
      (["adversarial", "truncating"] as const).map((rounding) => {
        const functions = (["low", "high"] as const)[(k + n) % 2];
        const order = orders[(k + n) % orders.length];
        const habits = { rounding, order, fused: n % 2 === 0, flushes: target.flushes, functions, seed: k } as const;
        return evaluate(new Float32Arithmetic(target, habits), problem.inputs, problem.scalars);
      }),
    );
    for (const [output, growth] of growths) {
      for (const [i, w] of want[output].data.entries()) {
        const error = got.reduce((most, one) => Math.max(most, Math.abs(one[output].data[i] - w)), 0);
        const peak = (): Peak | undefined => peakOf(op, problem, output, i);
        growth.add(now[output].data[i], wide[output].data[i], before[output].data[i], error, peak);
      }
    }
  }
  for (const [output, growth] of growths)
    process.stdout.write(
      `| ${[`${op} ${output}`, ...growth.cells(atPeak(op, output, growth.peak?.of()))].join(" | ")} |\n`,
    );
}
