// SwiGLU (Shazeer 2020):  y = silu(gate) · up,  silu(z) = z · σ(z); and its gradients.
import { spread } from "./device/declaration.ts";
import { defineKernel } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

/** gate, up: [R, F] → y: [R, F]. */
export const forward = defineKernel({
  ...wgsl("swiglu.forward"),
  inputs: { gate: "R,F", up: "R,F" },
  outputs: { y: "R,F" },
  overrides: { WG: 64 },
  workgroups: ({ R, F, WG }) => spread(Math.ceil((R * F) / WG)),
});

/** dy, gate, up: [R, F] → dgate, dup: [R, F]. */
export const backward = defineKernel({
  ...wgsl("swiglu.backward"),
  inputs: { dy: "R,F", gate: "R,F", up: "R,F" },
  outputs: { dgate: "R,F", dup: "R,F" },
  overrides: { WG: 64 },
  workgroups: ({ R, F, WG }) => spread(Math.ceil((R * F) / WG)),
});
