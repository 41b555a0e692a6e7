// Softmax along each row, and its gradient from its output.
import { spread } from "./device/declaration.ts";
import { defineKernel } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

/** x: [R, C] → y: [R, C]. */
export const forward = defineKernel({
  ...wgsl("softmax.forward"),
  inputs: { x: "R,C" },
  outputs: { y: "R,C" },
  workgroups: ({ R }) => spread(R),
});

/** dy: [R, C], y: [R, C] as the forward left it → dx: [R, C]. */
export const backward = defineKernel({
  ...wgsl("softmax.backward"),
  inputs: { dy: "R,C", y: "R,C" },
  outputs: { dx: "R,C" },
  workgroups: ({ R }) => spread(R),
});
