// The outputs that are sums with drawn signs, and how far their elements may plausibly err on a target that rounds to nearest.
import type { Inputs } from "../../reference/operation.ts";
import type { Target } from "../../reference/targets.ts";
import { limitsOfAverages } from "./averages.ts";
import { isProduct, limitOfSum, termsOf } from "./sums.ts";

/** The limit for the element at a flat index. */
export type LimitAt = (i: number) => number;

const averages: ReadonlySet<string> = new Set(["attention.forward y"]);

/** Whether an output is averages by weights: sums of products, each with weights of its own. */
export function isAverage(op: string, output: string): boolean {
  return averages.has(`${op} ${output}`);
}

/** Whether an output is sums with drawn signs. */
export function hasSigns(op: string, output: string): boolean {
  return isAverage(op, output) || isProduct(op, output);
}

/** Of an output that is. */
export function signedLimits(op: string, output: string, inputs: Inputs, target: Target): LimitAt {
  if (isAverage(op, output)) return limitsOfAverages(inputs, target);
  const terms = termsOf(op, output, inputs)!;
  return (i) => limitOfSum(terms(i));
}
