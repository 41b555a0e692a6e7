// What a forward leaves for its backward must be true to the inputs that the backward gets: a kernel may read it, or compute it
// again from them.
import type { DTypeName } from "../reference/dtype.ts";
import { operations } from "../reference/ops/index.ts";
import type { Problem } from "./case.ts";
import type { JudgeRow } from "./row.ts";
import { roundProblem } from "./verdict.ts";

/**
 * The problem in a dtype, with what the forward leaves of its inputs as they are there: rstd, lse or y. An op that gets nothing
 * of the kind has the problem as it was, rounded.
 */
export function savedAgain({ op, overlooked }: JudgeRow, problem: Problem, dtype: DTypeName): Problem {
  const rounded = roundProblem(operations.get(op)!, problem, dtype);
  const forward = op.endsWith(".backward") ? operations.get(op.replace(/backward$/, "forward")) : undefined;
  const saved = overlooked.filter((name) => forward !== undefined && name in forward.outputs);
  if (forward === undefined || saved.length === 0) return rounded;
  const given = Object.fromEntries(Object.keys(forward.inputs).map((name) => [name, rounded.inputs[name]]));
  const left = forward.evaluate(given, rounded.scalars, Float32Array);
  const again = Object.fromEntries(saved.map((name) => [name, left[name]]));
  return roundProblem(operations.get(op)!, { ...rounded, inputs: { ...rounded.inputs, ...again } }, dtype);
}
