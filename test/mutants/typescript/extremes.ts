// One trial: a problem under a target, and the correct results that lie lowest and highest at each element.
import type { Problem } from "../../../judge/case.ts";
import { boundOf, type Expected } from "../../../judge/compare.ts";
import { allowancesOf, expectedAround, truth } from "../../../judge/verdict.ts";
import type { Errors } from "../../../reference/bounds.ts";
import type { Operation, Outputs } from "../../../reference/operation.ts";
import type { Target } from "../../../reference/targets.ts";
import type { Tensor } from "../../../reference/tensor.ts";

/** The lowest and the highest correct result at each element; where one is no number, a bound would be wrong. NaN where none is known. */
export interface Extremes {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly isBroken: Uint8Array;
}

export interface Trial {
  readonly line: string;
  /** Trials of a group have one figure of tightness: those of a target, those with stores, with orders of sums, with errors of inputs. */
  readonly group: string;
  readonly problem: Problem;
  readonly target: Target;
  readonly errors: Errors<string>;
  readonly extremes: Readonly<Record<string, Extremes>>;
  /** A committed fixture: its bytes are the truth and the bound. */
  readonly isFixture: boolean;
}

/** The group of the committed fixtures, which hold truth and bound by their bytes. */
export const FIXTURES = "fixtures";

interface About {
  readonly line: string;
  readonly group: string;
  readonly errors?: Errors<string>;
}

export function trialOf(
  operation: Operation,
  problem: Problem,
  target: Target,
  results: readonly Outputs[],
  { line, group, errors = {} }: About,
): Trial {
  const want = truth(operation, problem);
  const allowed = allowancesOf(operation, problem, target, errors);
  const extremes = Object.fromEntries(
    Object.keys(want).map((name) => {
      const expected = expectedAround(want[name]!, allowed[name]!);
      return [
        name,
        extremesOf(
          expected,
          results.map((outputs) => outputs[name]!),
          target,
        ),
      ];
    }),
  );
  return { line, group, problem, target, errors, extremes, isFixture: group === FIXTURES };
}

/** Of the results that are within the bound as it is: whether all correct ones are is what other tests show. */
function extremesOf(expected: Expected, results: readonly (Tensor | undefined)[], target: Target): Extremes {
  const n = expected.want.data.length;
  const [low, high, isBroken] = [new Float64Array(n).fill(NaN), new Float64Array(n).fill(NaN), new Uint8Array(n)];
  for (let i = 0; i < n; i++) {
    const bound = boundOf(expected, i, { target, dtype: "float32" });
    for (const result of results) {
      const x = result?.data[i];
      if (x === undefined || (Number.isNaN(x) && bound < Infinity)) continue;
      if (!Number.isFinite(x)) isBroken[i] = bound < Infinity ? 0 : 1;
      else if (Math.abs(x - expected.want.data[i]!) <= bound || !(bound < Infinity)) {
        if (!(x >= low[i]!)) low[i] = x;
        if (!(x <= high[i]!)) high[i] = x;
      }
    }
  }
  return { low, high, isBroken };
}
