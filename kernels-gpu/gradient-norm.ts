// The gradient norm:  norm = √(Σ g²), in two dispatches: the sums of P shares, then the sum of those and its root.
import { defineKernel, defineProgram } from "./kernel.ts";

const file = new URL("gradient-norm.forward.wgsl", import.meta.url);
const MOST_SHARES = 1024; // enough to fill any device; a workgroup's lanes walk on until the elements end
const SMALLEST_SHARE = 256;

const squares = defineKernel({
  file,
  entry: "squares",
  inputs: { g: "N" },
  outputs: { sums: "P" },
  scalars: ["P"],
  overrides: { WG: 64 },
  workgroups: ({ P }) => [P],
});

const total = defineKernel({
  file,
  entry: "total",
  inputs: { parts: "P" },
  outputs: { norm: "" },
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
    const [N] = g.shape;
    const P = Math.min(MOST_SHARES, Math.ceil(N / SMALLEST_SHARE));
    const { sums } = run.dispatch(squares, { g }, { P });
    return run.dispatch(total, { parts: sums }, { N });
  },
});
