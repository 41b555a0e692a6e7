// Linear layer without bias:  y = x · wᵀ,   dx = dy · w,   dw = dyᵀ · x.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const file = wgsl("linear.backward");
const overrides = { SIDE: 8, DEPTH: 16 };

/** One workgroup for each tile of 4 SIDE × 4 SIDE outputs. */
function tiles(rows: number, columns: number, SIDE: number): [number, number] {
  return spread(Math.ceil(rows / (4 * SIDE)) * Math.ceil(columns / (4 * SIDE)));
}

/** x: [R, C], w: [O, C] → y: [R, O]. */
export const forward = defineKernel({
  ...wgsl("linear.forward"),
  inputs: { x: "R,C", w: "O,C" },
  outputs: { y: "R,O" },
  overrides,
  workgroups: ({ R, O, SIDE }) => tiles(R, O, SIDE),
});

const gradientOfX = defineKernel({
  ...file,
  entry: "gradientOfX",
  inputs: { dy: "R,O", w: "O,C" },
  outputs: { dx: "R,C" },
  overrides,
  workgroups: ({ R, C, SIDE }) => tiles(R, C, SIDE),
});

const gradientOfW = defineKernel({
  ...file,
  entry: "gradientOfW",
  inputs: { dy: "R,O", x: "R,C" },
  outputs: { dw: "O,C" },
  overrides,
  workgroups: ({ O, C, SIDE }) => tiles(O, C, SIDE),
});

/** dy: [R, O], x: [R, C], w: [O, C] → dx: [R, C], dw: [O, C]. */
export const backward = defineProgram({
  id: "linear.backward",
  inputs: { dy: "R,O", x: "R,C", w: "O,C" },
  outputs: { dx: "R,C", dw: "O,C" },
  record(run, { dy, x, w }) {
    const { dx } = run.dispatch(gradientOfX, { dy, w });
    const { dw } = run.dispatch(gradientOfW, { dy, x });
    return { dx, dw };
  },
});
