// Every fault of the zoo that is written in TypeScript, op by op.
import * as adamw from "./adamw.ts";
import * as attentionBackward from "./attention-backward.ts";
import * as attentionForward from "./attention-forward.ts";
import * as attention from "./attention.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as elementwise from "./elementwise.ts";
import * as embedding from "./embedding.ts";
import type { OpName } from "../../reference/ops/index.ts";
import type { Fault, Kernel } from "./fault.ts";
import * as gradients from "./gradients.ts";
import { halves } from "./halves.ts";
import * as linear from "./linear.ts";
import { memory } from "./memory.ts";
import { nonFinite } from "./non-finite.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as ropeTable from "./rope-table.ts";
import * as rope from "./rope.ts";
import { secondHand } from "./second-hand/index.ts";
import { sizesOfProducts } from "./sizes-products.ts";
import { sizes } from "./sizes.ts";
import * as softmax from "./softmax.ts";
import * as swiglu from "./swiglu.ts";

export const faults: readonly Fault[] = [
  rmsnorm.rmsnormForward,
  rmsnorm.rmsnormBackward,
  embedding.embeddingForward,
  embedding.embeddingBackward,
  elementwise.addForward,
  elementwise.castForward,
  linear.linearForward,
  linear.linearBackward,
  ropeTable.ropeTable,
  rope.ropeForward,
  rope.ropeBackward,
  softmax.softmaxForward,
  softmax.softmaxBackward,
  attention.attentionForward,
  attentionBackward.attentionBackward,
  swiglu.swigluForward,
  swiglu.swigluBackward,
  crossEntropy.crossEntropyForward,
  crossEntropy.crossEntropyBackward,
  gradients.gradientNorm,
  gradients.clipForward,
  adamw.adamw,
  halves,
  sizesOfProducts,
  sizes,
  memory,
  nonFinite,
  secondHand,
].flat();

/** The right kernels, from which the faults differ. */
export const rightKernels: Readonly<Record<OpName, () => Kernel>> = {
  "rmsnorm.forward": rmsnorm.forward,
  "rmsnorm.backward": rmsnorm.backward,
  "embedding.forward": embedding.forward,
  "embedding.backward": embedding.backward,
  "add.forward": elementwise.add,
  "cast.forward": elementwise.cast,
  "linear.forward": linear.forward,
  "linear.backward": linear.backward,
  "rope-table.forward": ropeTable.forward,
  "rope.forward": rope.forward,
  "rope.backward": rope.backward,
  "softmax.forward": softmax.forward,
  "softmax.backward": softmax.backward,
  "attention.forward": attentionForward.forward,
  "attention.backward": attentionBackward.backward,
  "swiglu.forward": swiglu.forward,
  "swiglu.backward": swiglu.backward,
  "cross-entropy.forward": crossEntropy.forward,
  "cross-entropy.backward": crossEntropy.backward,
  "gradient-norm.forward": gradients.norm,
  "clip.forward": gradients.clip,
  "adamw.forward": adamw.forward,
};
