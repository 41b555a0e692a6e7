// What the sizes that a kernel supports leave out of a check.
import type { Untried } from "../untried.ts";

/** What sizes that a kernel supports leave out of a check. */
export interface Excluded {
  /** The terms, as they were given, that are about the op. */
  readonly sizes: string;
  /** The sizes of examples that do not obey, such as "R=3 O=5 C=7". */
  readonly examples: readonly string[];
  /** Parts that are tried at other sizes than usual, such as "ordinary: R=37 O=35 C=41 became R=37 O=35 C=40". */
  readonly moved: readonly string[];
  /** Parts that have no sizes which obey. */
  readonly untried: readonly Untried[];
}
