// The entry touchstone-llama/vitest, for people who have a test suite: typed matchers.
/// <reference types="vitest" preserve="true" />
import type { InvarianceOptions } from "./judge/api/invariance.ts";
import type { JudgeOptions } from "./judge/api/judge.ts";
import type { TermsOptions } from "./judge/api/terms.ts";
import type { AnyOp, ProblemOf } from "./judge/api/types.ts";

export { matchers, type MatcherResult } from "./judge/api/matchers.ts";

declare module "vitest" {
  // The parameters must be those of vitest's own declaration.
  // oxlint-disable-next-line typescript/no-explicit-any, no-unused-vars
  interface Matchers<T = any> {
    /** The outputs of a kernel are within the bounds of this problem. Takes and throws what `compare` does. */
    toBeWithinBound<Op extends AnyOp>(problem: ProblemOf<Op>, terms?: TermsOptions): void;
    /** The kernel, a function or a candidate, passes all that `judge` tries. To be awaited. */
    toPassTouchstone<Op extends AnyOp>(op: Op, options?: JudgeOptions): Promise<void>;
    /** No bit of the kernel depends on what surrounds it, as far as `invariance` tries. To be awaited. */
    toBeInvariant<Op extends AnyOp>(op: Op, options?: InvarianceOptions): Promise<void>;
  }
}
