// Every mutant; one line a row.
import type { Mutant } from "./mutant.ts";
import { adamw } from "./adamw.ts";
import { cast } from "./cast.ts";
import { clip } from "./clip.ts";
import { gradientNorm } from "./gradient-norm.ts";
import { ropeTable } from "./rope-table.ts";
import { rope } from "./rope.ts";
import { add } from "./add.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { embedding } from "./embedding.ts";
import { linear } from "./linear.ts";
import { rmsnorm } from "./rmsnorm.ts";
import { attention } from "./attention.ts";
import { softmax } from "./softmax.ts";
import { swiglu } from "./swiglu.ts";

export const mutants: readonly Mutant[] = [
  ...rmsnorm,
  ...embedding,
  ...add,
  ...cast,
  ...linear,
  ...ropeTable,
  ...rope,
  ...softmax,
  ...attention,
  ...swiglu,
  ...crossEntropy,
  ...gradientNorm,
  ...clip,
  ...adamw,
];

/** The mutants of one op's kernel files. */
export function mutantsOf(op: string): readonly Mutant[] {
  return mutants.filter((mutant) => mutant.op === op);
}
