// Correct evaluations of RoPE's table: the frequency in six ways, the angle reduced in three, sine and cosine by the target.
import { power } from "../reference/elementary.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

const TAU = 6.283185307179586;

type Frequency = (f: Float32Arithmetic, theta: number, HS: number, i: number) => number;

const frequencies = {
  "negative-power-base-2": (f, theta, HS, i) => f.exp2(f.multiply(-f.divide(2 * i, HS), f.log2(theta))),
  "inverse-power-base-2": (f, theta, HS, i) => f.divide(1, f.exp2(f.multiply(f.divide(2 * i, HS), f.log2(theta)))),
  "negative-power-base-e": (f, theta, HS, i) => f.exp(f.multiply(-f.divide(2 * i, HS), f.log(theta))),
  "power-of-index": (f, theta, HS, i) => f.exp(f.multiply(i, f.divide(f.multiply(-2, f.log(theta)), HS))),
  "from-the-host": (f, theta, HS, i) => f.constant(power(theta, (-2 * i) / HS)),
  "inverse-power-base-e": (f, theta, HS, i) => f.divide(1, f.exp(f.multiply(f.divide(2 * i, HS), f.log(theta)))),
} satisfies Readonly<Record<string, Frequency>>;

type Reduction = (f: Float32Arithmetic, angle: number) => number;

// 2π in two pieces, the first so short that whole multiples up to 2¹⁶ are exact (Cody and Waite 1980).
const FIRST = 6.28125;
const SECOND = TAU - FIRST;

const reductions = {
  "reduced-in-turns": (f, angle) => {
    const turns = f.multiply(angle, f.constant(1 / TAU));
    return f.multiply(turns - Math.round(turns), f.constant(TAU)); // the difference is exact
  },
  "reduced-in-pieces": (f, angle) => {
    const k = Math.round(angle / TAU);
    return f.multiplyAdd(-k, f.constant(SECOND), f.multiplyAdd(-k, FIRST, angle));
  },
  "reduced-by-one-constant": (f, angle) => f.multiplyAdd(-Math.round(angle / TAU), f.constant(TAU), angle),
} satisfies Readonly<Record<string, Reduction>>;

export const forward = entriesOf(frequencies).flatMap(([way, frequencyOf]) =>
  entriesOf(reductions).map(([how, reduce]): EvaluationOf<"rope-table.forward"> => ({
    op: "rope-table.forward",
    covers: [way, how],
    evaluate: (f, _, scalars) => {
      const { theta, HS, start, T } = scalars as { theta: number; HS: number; start: number; T: number };
      const half = HS / 2;
      const cos = output([T, half]);
      const sin = output([T, half]);
      for (let i = 0; i < half; i++) {
        const frequency = f.stored("frequency", frequencyOf(f, theta, HS, i));
        for (let t = 0; t < T; t++) {
          const angle = reduce(f, f.stored("angle", f.multiply(start + t, frequency)));
          cos.data[t * half + i] = f.cos(angle);
          sin.data[t * half + i] = f.sin(angle);
        }
      }
      return { cos, sin };
    },
  })),
);
