// Correct evaluations of the gradient norm: at once, as the norm of the norms of parts, scaled by the largest element.
import { dtypes } from "../reference/dtype.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

const { minNormal } = dtypes.float32;

/** The root of a sum of squares, zero where nothing is promised about √. */
const guarded = (f: Float32Arithmetic, x: number): number => (x < minNormal ? 0 : f.sqrt(x));
/** The same, from within √'s domain. */
const raised = (f: Float32Arithmetic, x: number): number => f.sqrt(Math.max(x, minNormal));

const plain =
  (root: typeof guarded) =>
  (f: Float32Arithmetic, g: readonly number[]): number =>
    root(f, f.dot(g, g));

/** The norm of the norms of parts of that size, of which the last sizes make parts again. */
const ofParts =
  (...sizes: readonly number[]) =>
  (f: Float32Arithmetic, g: readonly number[]): number =>
    plain(guarded)(
      f,
      sizes.reduce<readonly number[]>((numbers, size) => normsOf(f, numbers, size), g),
    );

function normsOf(f: Float32Arithmetic, g: readonly number[], size: number): number[] {
  const parts = Array.from({ length: Math.ceil(g.length / size) }, (_, k) => g.slice(size * k, size * (k + 1)));
  return parts.map((part) => plain(guarded)(f, part));
}

const scaled = (f: Float32Arithmetic, g: readonly number[]): number => {
  const largest = g.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!(largest >= minNormal)) return 0; // no number to divide by
  const quotients = g.map((x) => f.divide(x, largest));
  return f.multiply(largest, f.sqrt(f.dot(quotients, quotients)));
};

const norms = {
  "root-of-sum": plain(guarded),
  "root-from-minimum": plain(raised),
  "norm-of-norms": ofParts(7, 3, 2, 2),
  "norm-of-magnitudes": ofParts(1),
  "scaled-by-largest": scaled,
};

export const forward = entriesOf(norms).map(([name, norm]): EvaluationOf<"gradient-norm.forward"> => ({
  op: "gradient-norm.forward",
  covers: [name],
  evaluate: (f, { g }) => {
    const result = output([]);
    result.data[0] = norm(f, Array.from(g.data));
    return { norm: result };
  },
}));
