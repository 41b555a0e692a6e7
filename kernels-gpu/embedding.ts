// Embedding:  y[r] = w[tokens[r]]; and the gradient of its table.
import { defineKernel, spread } from "./kernel.ts";

/** tokens: [R] ids below V, w: [V, C] → y: [R, C]. */
export const forward = defineKernel({
  file: new URL("embedding.forward.wgsl", import.meta.url),
  inputs: { tokens: "R", w: "V,C" },
  outputs: { y: "R,C" },
  overrides: { WG: 64 },
  workgroups: ({ R, C, WG }) => spread(Math.ceil((R * C) / WG)),
});

/** dy: [R, C], tokens: [R] ids below V → dw: [V, C]. */
export const backward = defineKernel({
  file: new URL("embedding.backward.wgsl", import.meta.url),
  inputs: { dy: "R,C", tokens: "R" },
  outputs: { dw: "V,C" },
  scalars: ["V"],
  overrides: { WG: 64 },
  workgroups: ({ V, C, WG }) => spread(V * Math.ceil(C / WG)),
});
