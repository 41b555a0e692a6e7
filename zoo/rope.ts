// Correct evaluations of RoPE: the second product subtracted or added with its sign, the sine negated before or after.
import type { Tensor } from "../reference/tensor.ts";
import { type PairLayout, pair } from "../reference/ops/rope.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type Turn = (f: Float32Arithmetic, x1: number, x2: number, c: number, s: number) => readonly [number, number];

const complex: Turn = (f, x1, x2, c, s) => [
  f.subtract(f.stored("product", f.multiply(x1, c)), f.stored("product", f.multiply(x2, s))),
  f.add(f.stored("product", f.multiply(x1, s)), f.stored("product", f.multiply(x2, c))),
];
// One product is rounded, the other fused.
const fused: Turn = (f, x1, x2, c, s) => [
  f.multiplyAdd(-x2, s, f.multiply(x1, c)),
  f.multiplyAdd(x1, s, f.multiply(x2, c)),
];
const rotated: Turn = (f, x1, x2, c, s) => [
  f.multiplyAdd(x1, c, f.multiply(-x2, s)),
  f.multiplyAdd(x2, c, f.multiply(x1, s)),
];
const turns = { complex, "fused-after-cosine": fused, rotated };

function evaluate(
  f: Float32Arithmetic,
  turn: Turn,
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  layout: PairLayout,
  sign: 1 | -1,
) {
  const [B, T, NH, HS] = x.shape;
  const y = output(x.shape);
  for (let row = 0; row < B * T * NH; row++) {
    const t = Math.floor(row / NH) % T;
    for (let i = 0; i < HS / 2; i++) {
      const [first, second] = pair(i, HS, layout).map((element) => row * HS + element);
      const angle = (t * HS) / 2 + i;
      const turned = turn(f, x.data[first], x.data[second], cos.data[angle], sign * sin.data[angle]);
      y.data[first] = turned[0];
      y.data[second] = turned[1];
    }
  }
  return y;
}

export const forward = entriesOf(turns).map(([name, turn]): EvaluationOf<"rope.forward"> => ({
  op: "rope.forward",
  covers: [name],
  evaluate: (f, { x, cos, sin }, { layout }) => ({
    y: evaluate(f, turn, x as Tensor, cos as Tensor, sin as Tensor, layout as PairLayout, 1),
  }),
}));

export const backward = entriesOf(turns).map(([name, turn]): EvaluationOf<"rope.backward"> => ({
  op: "rope.backward",
  covers: [name],
  evaluate: (f, { dy, cos, sin }, { layout }) => ({
    dx: evaluate(f, turn, dy as Tensor, cos as Tensor, sin as Tensor, layout as PairLayout, -1),
  }),
}));
