// RoPE's table:  cos and sin of (start + t) · theta^(−2i / HS).
import { spread } from "./device/declaration.ts";
import { defineKernel } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

/** theta: base of the frequencies, HS: head size (even), start: position of the first row, T: rows → cos, sin: [T, HS/2]. */
export const forward = defineKernel({
  ...wgsl("rope-table.forward"),
  inputs: {},
  outputs: { cos: "T,HS/2", sin: "T,HS/2" },
  wide: ["cos", "sin"],
  scalars: ["theta", "HS", "start", "T"],
  overrides: { WG: 64 },
  workgroups: ({ T, HS, WG }) => spread(Math.ceil((T * HS) / 2 / WG)),
});
