// Clipping by the global norm:  g · min(1, maxNorm / (norm + 10⁻⁶)).
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const kernel = defineKernel({
  ...wgsl("clip.forward"),
  inputs: { g: "N", norm: "" },
  outputs: { clipped: "N" },
  scalars: ["maxNorm"],
  overrides: { WG: 64 },
  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});

/** g: [N], norm: []; maxNorm → the clipped g, under the op's name for it. */
export const forward = defineProgram({
  id: "clip.forward",
  inputs: { g: "N", norm: "" },
  outputs: { g: "N" },
  scalars: ["maxNorm"],
  record: (run, inputs, scalars) => ({ g: run.dispatch(kernel, inputs, scalars).clipped }),
});
