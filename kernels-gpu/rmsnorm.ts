// RMSNorm (Zhang & Sennrich 2019):  rstd = 1 / √(mean over c of x² + eps),  y = x · rstd · w; and its gradients.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

/** x: [R, C], w: [C] → y: [R, C], rstd: [R]. */
export const forward = defineKernel({
  ...wgsl("rmsnorm.forward"),
  inputs: { x: "R,C", w: "C" },
  outputs: { y: "R,C", rstd: "R" },
  wide: ["rstd"],
  scalars: ["eps"],
  workgroups: ({ R }) => spread(R),
});

const rows = defineKernel({
  ...wgsl("rmsnorm.backward"),
  inputs: { dy: "R,C", x: "R,C", w: "C", rstd: "R" },
  outputs: { dx: "R,C" },
  workgroups: ({ R }) => spread(R),
});

const columns = defineKernel({
  ...wgsl("rmsnorm.backward"),
  entry: "gain",
  inputs: { dy: "R,C", x: "R,C", rstd: "R" },
  outputs: { dw: "C" },
  overrides: { COLUMNS: 16 },
  workgroups: ({ C, COLUMNS }) => spread(Math.ceil(C / COLUMNS)),
});

/** dy, x: [R, C], w: [C], rstd: [R] as saved by the forward → dx: [R, C], dw: [C]. */
export const backward = defineProgram({
  id: "rmsnorm.backward",
  inputs: { dy: "R,C", x: "R,C", w: "C", rstd: "R" },
  outputs: { dx: "R,C", dw: "C" },
  record(run, { dy, x, w, rstd }) {
    const { dx } = run.dispatch(rows, { dy, x, w, rstd });
    const { dw } = run.dispatch(columns, { dy, x, rstd });
    return { dx, dw };
  },
});
