// SwiGLU (Shazeer 2020):  y = silu(gate) · up,  silu(z) = z · σ(z); and its gradients.
import { defineKernel, spread } from "./device/kernel.ts";

/** gate, up: [R, F] → y: [R, F]. */
export const forward = defineKernel({
  file: new URL("swiglu.forward.wgsl", import.meta.url),
  inputs: { gate: "R,F", up: "R,F" },
  outputs: { y: "R,F" },
  overrides: { WG: 64 },
  workgroups: ({ R, F, WG }) => spread(Math.ceil((R * F) / WG)),
});

/** dy, gate, up: [R, F] → dgate, dup: [R, F]. */
export const backward = defineKernel({
  file: new URL("swiglu.backward.wgsl", import.meta.url),
  inputs: { dy: "R,F", gate: "R,F", up: "R,F" },
  outputs: { dgate: "R,F", dup: "R,F" },
  overrides: { WG: 64 },
  workgroups: ({ R, F, WG }) => spread(Math.ceil((R * F) / WG)),
});
