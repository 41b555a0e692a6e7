// Every fault of the zoo that is written in TypeScript, op by op.
import { adamw } from "./adamw.ts";
import { attentionBackward } from "./attention-backward.ts";
import { attentionForward } from "./attention.ts";
import { crossEntropyBackward, crossEntropyForward } from "./cross-entropy.ts";
import { addForward, castForward } from "./elementwise.ts";
import { embeddingBackward, embeddingForward } from "./embedding.ts";
import type { Fault } from "./fault.ts";
import { clipForward, gradientNorm } from "./gradients.ts";
import { halves } from "./halves.ts";
import { linearBackward, linearForward } from "./linear.ts";
import { rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
import { memory } from "./memory.ts";
import { ropeTable } from "./rope-table.ts";
import { ropeBackward, ropeForward } from "./rope.ts";
import { sizesOfProducts } from "./sizes-products.ts";
import { sizes } from "./sizes.ts";
import { softmaxBackward, softmaxForward } from "./softmax.ts";
import { swigluBackward, swigluForward } from "./swiglu.ts";

export const faults: readonly Fault[] = [
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
  adamw,
  halves,
  sizesOfProducts,
  sizes,
  memory,
].flat();
