// A WGSL kernel and its declaration:  touchstone check --op rmsnorm.forward --kernel ./rmsnorm.ts
import { readFileSync } from "node:fs";
import { defineKernel, spread } from "touchstone-llama/webgpu";

export default defineKernel({
  id: "rmsnorm.forward",
  source: readFileSync(new URL("rmsnorm.wgsl", import.meta.url), "utf8"),
  inputs: { x: "R,C", w: "C" },
  outputs: { y: "R,C", rstd: "R" },
  scalars: ["eps"],
  overrides: { WG: 64 },
  workgroups: ({ R }) => spread(R),
});
