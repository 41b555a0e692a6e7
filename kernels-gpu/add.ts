// Addition, the residual stream:  y = a + b.
import { spread } from "./device/declaration.ts";
import { defineKernel } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

/** a, b: [N] → y: [N]. */
export const forward = defineKernel({
  ...wgsl("add.forward"),
  inputs: { a: "N", b: "N" },
  outputs: { y: "N" },
  overrides: { WG: 64 },
  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});
