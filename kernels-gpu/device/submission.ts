// A submission: dispatches and copies that go to the device at once and run one after another.
import type { Memory } from "./buffers.ts";
import { KernelError } from "./errors.ts";
import { bufferUsage } from "./flags.ts";
import { type Compiled, oneLine } from "./pipelines.ts";
import type { Span } from "./placement.ts";

const UNIFORM_ALIGNMENT = 256;

export interface Dispatch {
  readonly id: string;
  readonly compiled: Promise<Compiled>;
  /** Each with the index of its binding. */
  readonly buffers: readonly (readonly [number, Memory])[];
  readonly dims: ArrayBuffer | undefined;
  readonly dimsIndex: number | undefined;
  readonly groups: readonly number[];
}

/** Several buffers laid end to end into another, `bytes` of each. */
export interface Copy {
  readonly sources: readonly { readonly memory: Memory; readonly bytes: number }[];
  readonly into: Memory;
}

export type Step = Dispatch | Copy;

export function dispatchesOf(steps: readonly Step[]): Dispatch[] {
  return steps.filter((step): step is Dispatch => !("sources" in step));
}

/** "swiglu.forward, add.forward, rope.forward and 5 more". */
export function kernelNames(steps: readonly Step[]): string {
  const ids = [...new Set(dispatchesOf(steps).map(({ id }) => id))];
  return ids.length > 3 ? `${ids.slice(0, 3).join(", ")} and ${ids.length - 3} more` : ids.join(", ");
}

/** From the first step that uses a memory to the last. */
export function spansOf(steps: readonly Step[]): Map<Memory, Span> {
  const spans = new Map<Memory, Span>();
  for (const [step, it] of steps.entries()) {
    const used = "sources" in it ? [...it.sources.map(({ memory }) => memory), it.into] : it.buffers.map(([, m]) => m);
    for (const memory of used) {
      spans.set(memory, { bytes: memory.bytes, from: spans.get(memory)?.from ?? step, to: step });
    }
  }
  return spans;
}

/** Submits steps whose buffers exist; `pipelines` are those of the dispatches. Throws KernelError if the device refuses. */
export async function submitSteps(
  device: GPUDevice,
  steps: readonly Step[],
  pipelines: readonly Compiled[],
): Promise<void> {
  const label = kernelNames(steps);
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const uniforms = device.createBuffer({
    label: "dims",
    size: Math.max(1, pipelines.length) * UNIFORM_ALIGNMENT,
    usage: bufferUsage.UNIFORM | bufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder({ label });
  let pass: GPUComputePassEncoder | undefined;
  let i = 0;
  for (const step of steps) {
    if ("sources" in step) {
      pass?.end(); // copies stand between passes
      pass = undefined;
      encodeCopy(encoder, step);
      continue;
    }
    const { id, buffers, dims, dimsIndex, groups } = step;
    const { pipeline, layout } = pipelines[i]!;
    const entries: GPUBindGroupEntry[] = buffers.map(([binding, { buffer }]) => ({
      binding,
      resource: { buffer: buffer! },
    }));
    if (dims !== undefined) {
      const offset = i * UNIFORM_ALIGNMENT;
      device.queue.writeBuffer(uniforms, offset, dims);
      entries.push({ binding: dimsIndex!, resource: { buffer: uniforms, offset, size: dims.byteLength } });
    }
    i++;
    pass ??= encoder.beginComputePass({ label });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ label: id, layout, entries }));
    pass.dispatchWorkgroups(groups[0]!, groups[1], groups[2]);
  }
  pass?.end();
  device.queue.submit([encoder.finish()]);
  uniforms.destroy();
  const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  const error = errors.find((found) => found !== null);
  if (error) throw new KernelError(`${label}: ${oneLine(error.message)}`);
}

function encodeCopy(encoder: GPUCommandEncoder, { sources, into }: Copy): void {
  let offset = 0;
  for (const { memory, bytes } of sources) {
    if (bytes > 0) encoder.copyBufferToBuffer(memory.buffer!, 0, into.buffer!, offset, bytes);
    offset += bytes;
  }
}
