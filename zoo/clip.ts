// Correct evaluations of clipping: the scale as a quotient or by a reciprocal, applied always or only below 1.
import { CLIP_EPS } from "../reference/ops/clip.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type Scale = (f: Float32Arithmetic, maxNorm: number, divisor: number) => number;

const scales = {
  "scale-by-quotient": (f, maxNorm, divisor) => f.divide(maxNorm, divisor),
  "scale-by-reciprocal": (f, maxNorm, divisor) => f.multiply(maxNorm, f.divide(1, divisor)),
} satisfies Readonly<Record<string, Scale>>;

export const forward = entriesOf(scales).flatMap(([name, scaleOf]) =>
  [true, false].map((always): EvaluationOf<"clip.forward"> => ({
    op: "clip.forward",
    covers: [name, always ? "always-scaled" : "scaled-below-one"],
    evaluate: (f, { g, norm }, { maxNorm }) => {
      const quotient = scaleOf(f, Number(maxNorm), f.add(norm.data[0], f.constant(CLIP_EPS)));
      const scale = f.stored("scale", Math.min(1, quotient));
      const clipped = output(g.shape);
      for (let i = 0; i < clipped.data.length; i++) {
        clipped.data[i] = always || scale < 1 ? f.multiply(g.data[i], scale) : g.data[i];
      }
      return { g: clipped };
    },
  })),
);
