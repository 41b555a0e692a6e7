// Addition, the residual stream:  y = a + b.
import { defineKernel, spread } from "./device/kernel.ts";

/** a, b: [N] → y: [N]. */
export const forward = defineKernel({
  file: new URL("add.forward.wgsl", import.meta.url),
  inputs: { a: "N", b: "N" },
  outputs: { y: "N" },
  overrides: { WG: 64 },
  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});
