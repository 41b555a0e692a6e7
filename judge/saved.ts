// A tensor that a forward leaves for its backward must belong to the inputs that the backward gets, because a kernel may read
// it or compute it again from them.
import type { DTypeName } from "../reference/dtype.ts";
import type { Operation } from "../reference/operation.ts";
import { operations } from "../reference/ops/index.ts";
import type { Problem } from "./case.ts";
import type { JudgeRow } from "./row.ts";
import { roundProblem } from "./verdict.ts";

/**
 * The problem rounded to a dtype, with the tensors that the forward leaves (rstd, lse, y) computed from the rounded inputs.
 * For an op that takes no such tensor, the problem is only rounded. A fused op takes none.
 */
export function savedAgain(
  operation: Operation,
  { op, overlooked }: JudgeRow,
  problem: Problem,
  dtype: DTypeName,
): Problem {
  const rounded = roundProblem(operation, problem, dtype);
  const forward = op.endsWith(".backward") ? operations.get(op.replace(/backward$/, "forward")) : undefined;
  const saved = overlooked.filter((name) => forward !== undefined && name in forward.outputs);
  if (forward === undefined || saved.length === 0) return rounded;
  const given = Object.fromEntries(Object.keys(forward.inputs).map((name) => [name, rounded.inputs[name]]));
  const left = forward.evaluate(given, rounded.scalars, Float32Array);
  const again = Object.fromEntries(saved.map((name) => [name, left[name]]));
  return roundProblem(operation, { ...rounded, inputs: { ...rounded.inputs, ...again } }, dtype);
}
