// The faults of a second hand, written without a look at the judge, its tests or the rest of the zoo.
import type { Fault } from "../fault.ts";
import { adamwForward } from "./adamw.ts";
import { attentionBackward } from "./attention-backward.ts";
import { attentionForward } from "./attention.ts";
import { crossEntropyBackward, crossEntropyForward } from "./cross-entropy.ts";
import { addForward, castForward, clipForward, gradientNorm } from "./elementwise.ts";
import { embeddingBackward, embeddingForward } from "./embedding.ts";
import { linearBackward } from "./linear-backward.ts";
import { linearForward } from "./linear.ts";
import { rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
import { ropeBackward, ropeForward, ropeTable } from "./rope.ts";
import { softmaxBackward, softmaxForward } from "./softmax.ts";
import { swigluBackward, swigluForward } from "./swiglu.ts";

export const secondHand: readonly Fault[] = [
  rmsnormForward,
  rmsnormBackward,
  embeddingForward,
  embeddingBackward,
  addForward,
  castForward,
  linearForward,
  linearBackward,
  ropeTable,
  ropeForward,
  ropeBackward,
  softmaxForward,
  softmaxBackward,
  attentionForward,
  attentionBackward,
  swigluForward,
  swigluBackward,
  crossEntropyForward,
  crossEntropyBackward,
  gradientNorm,
  clipForward,
  adamwForward,
].flat();
