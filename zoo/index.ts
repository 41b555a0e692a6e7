// Every correct evaluation: a line for each op and direction. A missing line does not compile.
import type { OpName } from "../reference/ops/index.ts";
import type { Evaluation, EvaluationOf } from "./evaluation.ts";
import * as adamw from "./adamw.ts";
import * as add from "./add.ts";
import * as attention from "./attention.ts";
import * as cast from "./cast.ts";
import * as clip from "./clip.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as embedding from "./embedding.ts";
import * as gradientNorm from "./gradient-norm.ts";
import * as linear from "./linear.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as rope from "./rope.ts";
import * as ropeTable from "./rope-table.ts";
import * as softmax from "./softmax.ts";
import * as swiglu from "./swiglu.ts";

const evaluations: { readonly [Op in OpName]: readonly EvaluationOf<Op>[] } = {
  "rmsnorm.forward": rmsnorm.forward,
  "rmsnorm.backward": rmsnorm.backward,
  "embedding.forward": embedding.forward,
  "embedding.backward": embedding.backward,
  "add.forward": add.forward,
  "cast.forward": cast.forward,
  "linear.forward": linear.forward,
  "linear.backward": linear.backward,
  "rope-table.forward": ropeTable.forward,
  "rope.forward": rope.forward,
  "rope.backward": rope.backward,
  "softmax.forward": softmax.forward,
  "softmax.backward": softmax.backward,
  "attention.forward": attention.forward,
  "attention.backward": attention.backward,
  "swiglu.forward": swiglu.forward,
  "swiglu.backward": swiglu.backward,
  "cross-entropy.forward": crossEntropy.forward,
  "cross-entropy.backward": crossEntropy.backward,
  "gradient-norm.forward": gradientNorm.forward,
  "clip.forward": clip.forward,
  "adamw.forward": adamw.forward,
};

/** The correct evaluations of one op; an empty list if the name is not an op's. */
export function evaluationsOf(op: string): readonly Evaluation[] {
  return Object.hasOwn(evaluations, op) ? evaluations[op as OpName] : [];
}
