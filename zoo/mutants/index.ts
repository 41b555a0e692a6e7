// Every mutant: a line for each op. A missing line does not compile.
import type { OpName } from "../../reference/ops/index.ts";
import type { Mutant } from "./mutant.ts";
import { adamw } from "./adamw.ts";
import { add } from "./add.ts";
import { attention } from "./attention.ts";
import { cast } from "./cast.ts";
import { clip } from "./clip.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { embedding } from "./embedding.ts";
import { gradientNorm } from "./gradient-norm.ts";
import { linear } from "./linear.ts";
import { rmsnorm } from "./rmsnorm.ts";
import { rope } from "./rope.ts";
import { ropeTable } from "./rope-table.ts";
import { softmax } from "./softmax.ts";
import { swiglu } from "./swiglu.ts";

/** "swiglu" of "swiglu.forward". */
type Stem = OpName extends infer Name ? (Name extends `${infer Op}.${string}` ? Op : never) : never;

const byOp: Readonly<Record<Stem, readonly Mutant[]>> = {
  rmsnorm: rmsnorm,
  embedding: embedding,
  add: add,
  cast: cast,
  linear: linear,
  "rope-table": ropeTable,
  rope: rope,
  softmax: softmax,
  attention: attention,
  swiglu: swiglu,
  "cross-entropy": crossEntropy,
  "gradient-norm": gradientNorm,
  clip: clip,
  adamw: adamw,
};

export const mutants: readonly Mutant[] = Object.values(byOp).flat();

/** The mutants of one op's kernel files. */
export function mutantsOf(op: string): readonly Mutant[] {
  return mutants.filter((mutant) => mutant.op === op);
}
