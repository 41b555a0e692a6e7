// AdamW:  the next w, m, v from w, g, m, v.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const inputs = { w: "N", g: "N", m: "N", v: "N" } as const;
const scalars = [
  "learningRate",
  "beta1",
  "beta2",
  "oneMinusBeta1",
  "oneMinusBeta2",
  "correction1",
  "correction2",
  "eps",
  "weightDecay",
] as const;

const kernel = defineKernel({
  ...wgsl("adamw.forward"),
  inputs,
  outputs: { wNext: "N", mNext: "N", vNext: "N" },
  wide: ["wNext", "mNext", "vNext"],
  scalars,
  overrides: { WG: 64 },
  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});

/** w, g, m, v: [N]; AdamW's scalars of the step → the next w, m, v, under the op's names for them. */
export const forward = defineProgram({
  id: "adamw.forward",
  inputs,
  outputs: { w: "N", m: "N", v: "N" },
  scalars,
  record(run, tensors, values) {
    const { wNext, mNext, vNext } = run.dispatch(kernel, tensors, values);
    return { w: wNext, m: mNext, v: vNext };
  },
});
