// RoPE's table:  cos and sin of (start + t) · theta^(−2i / HS).
import { defineKernel, spread } from "./device/kernel.ts";

/** theta: base of the frequencies, HS: head size (even), start: position of the first row, T: rows → cos, sin: [T, HS/2]. */
export const forward = defineKernel({
  file: new URL("rope-table.forward.wgsl", import.meta.url),
  inputs: {},
  outputs: { cos: "T,HS/2", sin: "T,HS/2" },
  wide: ["cos", "sin"],
  scalars: ["theta", "HS", "start", "T"],
  overrides: { WG: 64 },
  workgroups: ({ T, HS, WG }) => spread(Math.ceil((T * HS) / 2 / WG)),
});
