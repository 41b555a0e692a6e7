// The gradient norm:  norm = √(Σ g²), in two dispatches: the sums of P shares, then the sum of those and its root.
import type { KernelRecorder } from "./device/recorder.ts";
import type { DeviceTensor } from "./device/tensors.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const file = wgsl("gradient-norm.forward");
const MOST_SHARES = 1024; // enough to fill any device; a workgroup's lanes walk on until the elements end
const SMALLEST_SHARE = 256;

const squares = defineKernel({
  ...file,
  entry: "squares",
  inputs: { g: "N" },
  outputs: { sums: "P" },
  wide: ["sums"],
  scalars: ["P"],
  overrides: { WG: 64 },
  workgroups: ({ P }) => [P],
});

const total = defineKernel({
  ...file,
  entry: "total",
  inputs: { parts: "P" },
  outputs: { norm: "" },
  wide: ["norm"],
  scalars: ["N"],
  overrides: { WG: 64 },
  workgroups: () => [1],
});

/** g: [N] → norm: []. */
export const forward = defineProgram({
  id: "gradient-norm.forward",
  inputs: { g: "N" },
  outputs: { norm: "" },
  record(run, { g }) {
    const { sums } = run.dispatch(squares, { g }, sharesOf(g));
    const { norm } = run.dispatch(total, { parts: sums }, { N: g.shape[0] });
    run.release(sums);
    return { norm };
  },
});

/** The norm over several tensors of any shape, as over one: the sums of all their shares, then the sum of those. → []. */
export function overAll(run: KernelRecorder, tensors: readonly DeviceTensor[]): DeviceTensor {
  const flat = tensors.map((t) => ({ ...t, shape: [t.shape.reduce((n, length) => n * length, 1)] }));
  const sums = flat.map((g) => run.dispatch(squares, { g }, sharesOf(g)).sums);
  const parts = run.concatenate(sums, "gradient-norm.forward parts");
  const N = flat.reduce((n, { shape }) => n + shape[0], 0);
  const { norm } = run.dispatch(total, { parts }, { N });
  for (const t of [...sums, parts]) run.release(t);
  return norm;
}

function sharesOf({ shape: [N] }: DeviceTensor): { P: number } {
  return { P: Math.min(MOST_SHARES, Math.ceil(N / SMALLEST_SHARE)) };
}
