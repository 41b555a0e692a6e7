// Every correct evaluation; one line a row.
import type { Evaluation } from "./evaluation.ts";
import { adamw } from "./adamw.ts";
import { cast } from "./cast.ts";
import { clip } from "./clip.ts";
import { gradientNorm } from "./gradient-norm.ts";
import { attention } from "./attention.ts";
import { ropeTable } from "./rope-table.ts";
import { rope } from "./rope.ts";
import { add } from "./add.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { embedding } from "./embedding.ts";
import { linear } from "./linear.ts";
import { rmsnorm } from "./rmsnorm.ts";
import { softmax } from "./softmax.ts";
import { swiglu } from "./swiglu.ts";

const evaluations: readonly Evaluation[] = [
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

/** The correct evaluations of one op. */
export function evaluationsOf(op: string): readonly Evaluation[] {
  return evaluations.filter((evaluation) => evaluation.op === op);
}
