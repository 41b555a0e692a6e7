// An op of two dispatches, to test programs with.
import { spread } from "../../kernels-gpu/device/declaration.ts";
import { readFileSync } from "node:fs";
import { defineKernel, defineProgram } from "../../kernels-gpu/device/kernel.ts";

const text = { id: "columns", source: readFileSync(new URL("columns.wgsl", import.meta.url), "utf8") };

export const accumulate = defineKernel({
  ...text,
  entry: "accumulate",
  inputs: { x: "R,C" },
  outputs: { partial: "P,C", counts: "P" },
  scalars: ["P", "scale"],
  overrides: { WG: 32 },
  workgroups: ({ P, C, WG }) => spread(Math.ceil((P * C) / WG)),
});

export const finish = defineKernel({
  ...text,
  entry: "finish",
  inputs: { partial: "P,C" },
  outputs: { y: "C" },
  scalars: ["R", "scale"],
  overrides: { WG: 32 },
  workgroups: ({ C, WG }) => spread(Math.ceil(C / WG)),
});

export const columns = defineProgram({
  id: "columns.forward",
  inputs: { x: "R,C" },
  outputs: { y: "C" },
  scalars: ["scale"],
  record(run, { x }, { scale }) {
    const { partial } = run.dispatch(accumulate, { x }, { P: 4, scale });
    return run.dispatch(finish, { partial }, { R: x.shape[0]!, scale });
  },
});
