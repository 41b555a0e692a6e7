// Which promise of the target a device breaks, where an output lies outside for no other reason: e⁰ = 1 (`expOfZero`) narrows the bounds of softmax,
// cross-entropy and attention, and shows in lse, log e⁰ of a row of one number.
import { exp } from "../reference/elementary.ts";
import type { Target } from "../reference/targets.ts";
import type { Comparison, Finding } from "./compare.ts";

/** Beyond this an lse is wrong for other reasons than a factor of 1 that errs. */
const NEAR = 1e-3;

/** What to add to the finding of an output that is outside; "" unless it is within the bound of the same target without the promise. */
export function brokenPromise(target: Target, under: (target: Target) => Comparison, at: Finding): string {
  if (target.expOfZero !== true || under({ ...target, expOfZero: false }).outside > 0) return "";
  const { output, got, want } = at;
  const isLog = output === "lse" && Math.abs(got - want) < NEAR;
  const size = isLog ? `, as if exp(0) were ${Number(exp(got - want).toPrecision(9))}` : "";
  return (
    `; it is within the bound without expOfZero, the promise of ${target.name} that exp(0) is 1${size}: ` +
    `where the device does not give it, judge with a target file that has "expOfZero": false (docs/targets.md)`
  );
}
