// Every kernel by its name, "op.direction"; check, the judge and the tests go through them all.
import type { OpName } from "../reference/ops/index.ts";
import type { KernelProgram } from "./device/program.ts";
import * as adamw from "./adamw.ts";
import * as cast from "./cast.ts";
import * as clip from "./clip.ts";
import * as gradientNorm from "./gradient-norm.ts";
import * as ropeTable from "./rope-table.ts";
import * as rope from "./rope.ts";
import * as add from "./add.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as embedding from "./embedding.ts";
import * as linear from "./linear.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as attention from "./attention.ts";
import * as softmax from "./softmax.ts";
import * as swiglu from "./swiglu.ts";

/**
 * The project's own kernels, one for each op and direction. Called with a device, a kernel runs alone and checked: it takes inputs
 * and scalars in float32 under the op's names, and returns the outputs. A choice, such as RoPE's layout, is given as its index in
 * the op's list.
 *
 * @example
 * ```ts
 * import { tensor } from "touchstone-llama";
 * import { openDevice } from "touchstone-llama/node";
 * import { kernels } from "touchstone-llama/webgpu";
 *
 * const device = await openDevice(); // or a browser's GPUDevice
 * const gate = tensor(new Float32Array([1, 2]), [1, 2]);
 * const up = tensor(new Float32Array([3, 4]), [1, 2]);
 * const { y } = await kernels["swiglu.forward"](device, { gate, up }); // [1, 2]
 * device.close();
 * ```
 *
 * The promise rejects with RangeError or TypeError if arguments do not fit, and with KernelError if the device refuses.
 */
export const kernels = {
  "embedding.forward": embedding.forward,
  "embedding.backward": embedding.backward,
  "rmsnorm.forward": rmsnorm.forward,
  "rmsnorm.backward": rmsnorm.backward,
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
} as const satisfies Readonly<Record<OpName, KernelProgram>>;

/** The kernel of an op whose name is known only at run time; undefined if there is none. */
export function kernelOf(op: string): KernelProgram | undefined {
  return Object.hasOwn(kernels, op) ? kernels[op as OpName] : undefined;
}
