// How much of an op's bound the worst of its evaluations uses.
import { type Expectation, oracle } from "../../judge/api/oracle.ts";
import type { Target } from "../../reference/targets.ts";
import { placesOf } from "./places.ts";
import type { Problem } from "./problems.ts";
import { Tape } from "./tape.ts";

export interface Share {
  /** Such as "dx[0] by factored, rstd-saved, falling". */
  readonly name: string;
  /** Error ÷ bound of a result that the target's figures permit; NaN where it is no number. */
  readonly reached: number;
  /** The same of the sum of all errors to first order. */
  readonly firstOrder: number;
}

/** Of each element that has a bound, the worst of its evaluations. `few`: fewer combinations, for long sums. */
export function sharesOf(problem: Problem, target: Target, few = false): Share[] {
  const expected = oracle(problem as Parameters<typeof oracle>[0], { target }) as Readonly<Record<string, Expectation>>;
  return placesOf[problem.op](problem, few).flatMap(({ output, index, ways }) => {
    const [truth, bound] = [expected[output].truth.data[index], expected[output].bound.data[index]];
    if (!(bound < Infinity)) return [];
    let worst: Share | undefined;
    for (const [way, evaluate] of ways) {
      const t = new Tape(target);
      const { firstOrder, reached } = t.worst(evaluate(t), truth);
      const share = { name: `${output}[${index}] by ${way}`, reached: reached / bound, firstOrder: firstOrder / bound };
      // A result that is no number is worse than any.
      if (worst === undefined || !(share.reached <= worst.reached)) worst = share;
    }
    return worst ?? [];
  });
}
