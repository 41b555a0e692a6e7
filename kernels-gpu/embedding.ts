// Embedding:  y[r] = w[tokens[r]]; and the gradient of its table.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

/** tokens: [R] ids below V, w: [V, C] → y: [R, C]. */
export const forward = defineKernel({
  ...wgsl("embedding.forward"),
  inputs: { tokens: "R", w: "V,C" },
  outputs: { y: "R,C" },
  overrides: { WG: 64 },
  workgroups: ({ R, C, WG }) => spread(Math.ceil((R * C) / WG)),
});

const chain = defineKernel({
  ...wgsl("embedding.backward"),
  entry: "chain",
  inputs: { tokens: "R" },
  outputs: { first: "V", next: "R" },
  scalars: ["V", "C"],
  overrides: { WG: 64 },
  workgroups: ({ R, V, WG }) => spread(Math.ceil(Math.max(R, V) / WG)),
});

const gather = defineKernel({
  ...wgsl("embedding.backward"),
  inputs: { dy: "R,C", first: "V", next: "R" },
  outputs: { dw: "V,C" },
  overrides: { WG: 64 },
  workgroups: ({ V, C, WG }) => spread(Math.ceil((V * C) / WG)),
});

/** dy: [R, C], tokens: [R] ids below V → dw: [V, C]. */
export const backward = defineProgram({
  id: "embedding.backward",
  inputs: { dy: "R,C", tokens: "R" },
  outputs: { dw: "V,C" },
  scalars: ["V"],
  record(run, { dy, tokens }, { V }) {
    const { first, next } = run.dispatch(chain, { tokens }, { V, C: dy.shape[1] });
    const { dw } = run.dispatch(gather, { dy, first, next });
    run.release(first);
    run.release(next);
    return { dw };
  },
});
