// An output whose truth would cost too much everywhere: truth and bound at a sample, cheap checks of every element, and truth and
// bound once more at what those suspect. A case costs what its sample costs, whatever its size.
import { dtypes } from "../reference/dtype.ts";
import { outputShapes, storageOf } from "../reference/operation.ts";
import { sizeOf } from "../reference/tensor.ts";
import type { Around } from "./around.ts";
import type { Case, Problem } from "./case.ts";
import { compareAt, exactAt } from "./exact.ts";
import type { Large } from "./large.ts";
import type { Manner } from "./spots.ts";
import { missesOfSample } from "./missed-sample.ts";
import { improbableIn, isDrawn, plausibleOf, sizesIn, sumsOf } from "./improbable/suspicion.ts";
import { Scales } from "./suspects.ts";
import type { Comparing } from "./verdict.ts";
import type { Product } from "./projection/projection.ts";
import { type Checking, lookAt } from "./whole.ts";

/** How an op is judged at a sample of its elements. */
export interface Sampling<Output extends string = string> {
  readonly around: Around<Output>;
  /** The elements that are sampled of an output of that shape: flat indices, ascending. */
  readonly draw: (problem: Problem, output: Output, shape: readonly number[], seed: number) => readonly number[];
  /** Outputs that are products of two matrices, which can be checked without their truth; none are if left out. */
  readonly products?: (problem: Problem) => { readonly [name in Output]: Product };
  /** What else is known of an output without its truth. */
  readonly check?: Checking;
}

/** The most multiplications of a truth that is taken everywhere, 1 GFLOP: about a second. */
export const MOST_TRUTH = 5e8;

/** Whether a case is judged at a sample, since the truth of all its elements costs too much. Recorded inputs are those of a small model. */
export function isSampled(
  { large, sampling }: { readonly large: Large | undefined; readonly sampling: Sampling | undefined },
  { profile, sizes }: Pick<Case, "profile" | "sizes">,
): boolean {
  if (profile === "real" || large === undefined || sampling === undefined) return false;
  return large.work(sizes) > MOST_TRUTH;
}

/** Holds a sample, and what the checks of the whole output suspect, to their bounds. */
export const atSample =
  ({ around, draw, products, check }: Sampling, { seed, counts }: Manner): Comparing =>
  (operation, problem, terms) => {
    const productOf = products?.(problem);
    const shapes = outputShapes(operation, problem.inputs, problem.scalars);
    return (output, got, outputs = { [output]: got }) => {
      const own = { ...terms, dtype: storageOf(operation, output, terms.dtype) };
      const source = { around, operation, problem, terms: own, output };
      const drawn = draw(problem, output, shapes[output], seed);
      const sample = exactAt(source, drawn);
      const known = new Set(drawn);
      const product = productOf?.[output];
      const whole = lookAt({ operation, problem, output, got, outputs, product, check, terms: own, sample, seed });
      const more = exactAt(
        source,
        whole.suspects.filter((i) => !known.has(i)),
        got,
      );
      const judged = {
        at: [...sample.at, ...more.at],
        want: [...sample.want, ...more.want],
        allowed: [...sample.allowed, ...more.allowed],
      };
      const withoutTruth = sizeOf(shapes[output]) - judged.at.length;
      const { power } = compareAt(output, got, sample, own);
      const sums = sumsOf(operation, problem, output);
      const [sizeAtIndex, values] = [sizesIn(got, own), judged.at.map((i) => got.data[i])];
      const sizeAt = (n: number): number => sizeAtIndex(judged.at[n]);
      const given = { sums, output, shape: got.shape, got: values, sizeAt, terms: own };
      const others = [...sample.at.keys()];
      const isAsked = isDrawn(operation.name, output, problem, own);
      const improbable = isAsked && { improbable: improbableIn(given, judged, others) };
      const compared = { ...compareAt(output, got, judged, own), power, ...improbable };
      const { smallestRow, note } = whole;
      const found = {
        ...compared,
        withoutTruth,
        ...(smallestRow !== undefined && { smallestRow }),
        ...(note !== undefined && compared.outside === 0 && { note }),
      };
      if (!counts) return found;
      const plausible = isAsked ? plausibleOf(given, judged, others, new Scales(got, dtypes[own.dtype])) : undefined;
      return { ...found, missed: missesOfSample(output, { got, sample, whole, plausible, terms: own }, seed) };
    };
  };
