// Terms that most tests judge by.
import type { Terms } from "../judge/terms.ts";
import { type Target, targets } from "../reference/targets.ts";

/** float32 with a target's accuracies. */
export function float32(target: Target): Terms {
  return { target, dtype: "float32" };
}

export const wgslTerms = float32(targets.wgsl);
export const ieeeTerms = float32(targets.ieee);
