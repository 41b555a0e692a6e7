// A kernel of one's own, from its text.
import { readFileSync } from "node:fs";
import { defineKernel, spread } from "touchstone-llama/webgpu";

export const text = readFileSync(new URL("mine.wgsl", import.meta.url), "utf8");

export const kernelOf = (source) =>
  defineKernel({
    id: "add.forward",
    source,
    inputs: { a: "N", b: "N" },
    outputs: { y: "N" },
    overrides: { WG: 32 },
    workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
  });

export default kernelOf(text);
