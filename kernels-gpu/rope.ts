// RoPE:  each pair of a head turns by the angle of its position and its index; the gradients turn back.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const turn = defineKernel({
  ...wgsl("rope.forward"),
  inputs: { x: "B,T,NH,HS", cos: "T,HS/2", sin: "T,HS/2" },
  outputs: { y: "B,T,NH,HS" },
  scalars: ["halfSplit"],
  overrides: { WG: 64 },
  workgroups: ({ B, T, NH, HS, WG }) => spread(Math.ceil((B * T * NH * HS) / 2 / WG)),
});

const turnBack = defineKernel({
  ...wgsl("rope.backward"),
  inputs: { dy: "B,T,NH,HS", cos: "T,HS/2", sin: "T,HS/2" },
  outputs: { dx: "B,T,NH,HS" },
  scalars: ["halfSplit"],
  overrides: { WG: 64 },
  workgroups: ({ B, T, NH, HS, WG }) => spread(Math.ceil((B * T * NH * HS) / 2 / WG)),
});

// "layout", the op's name for the scalar, is reserved in WGSL.

/** x: [B, T, NH, HS], cos, sin: [T, HS/2]; layout: 0 adjacent, 1 half-split → y: [B, T, NH, HS]. */
export const forward = defineProgram({
  id: "rope.forward",
  inputs: turn.inputs,
  outputs: turn.outputs,
  scalars: ["layout"],
  record: (run, inputs, { layout }) => run.dispatch(turn, inputs, { halfSplit: layout }),
});

/** dy: [B, T, NH, HS], cos, sin: [T, HS/2]; layout as in the forward → dx: [B, T, NH, HS]. */
export const backward = defineProgram({
  id: "rope.backward",
  inputs: turnBack.inputs,
  outputs: turnBack.outputs,
  scalars: ["layout"],
  record: (run, inputs, { layout }) => run.dispatch(turnBack, inputs, { halfSplit: layout }),
});
