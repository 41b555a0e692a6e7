// A cheap look at each output of each judged case: do its numbers lie on a coarse grid, or err clearly more than those of float32 do on
// the same inputs? Probes of precision have a few sizes, and a kernel may go another way at others. What looks low is measured
// there as well (second-look.ts), so this look may be wrong about a correct kernel.
import { formats, round } from "../reference/dtype.ts";
import { type Operation, storageOf } from "../reference/operation.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Target } from "../reference/targets.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { Float32Arithmetic } from "../zoo/arithmetic.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { evaluationsOf } from "../zoo/index.ts";
import { type Around, cutOut } from "./around.ts";
import type { Part } from "./at-scale.ts";
import type { Case, Problem } from "./case.ts";
import { rms, SPREAD } from "./classify.ts";
import type { JudgeRow } from "./row.ts";
import type { Terms } from "./terms.ts";
import { type Comparing, truth } from "./verdict.ts";

const SUMS = /^(linear|attention|rmsnorm|softmax|cross-entropy|embedding)\./;
/** Different numbers that would all lie on the grid of TF32 by chance in 2⁻¹³ of all cases each. */
const DIFFERENT = 16;
/** Rows and columns of an output that are looked at. */
const SIDE = 4;
/** Numbers of the small problems around them: a millisecond or two for each evaluation. */
const MOST_NUMBERS = 50_000;
/** So many evaluations of float32 are tried. */
const EVALUATIONS = 3;
/** One that lacks numbers for what it computes again is off by more than this share of the truth. */
export const HOLDS = 1 / 128;

/** The small problems around elements of an output; undefined where an op has none. */
export function aroundOf({
  around,
  sampling,
  large,
}: Pick<JudgeRow, "around" | "sampling" | "large">): Around | undefined {
  return sampling?.around ?? around ?? large?.blocks;
}

/** Some rows and columns of a tensor: flat indices, ascending. */
export function someElements(shape: readonly number[], side: number, seed: number): number[] {
  const columns = shape.at(-1) ?? 1;
  const rows = columns === 0 ? 0 : sizeOf(shape) / columns;
  const some = (name: string, below: number): number[] => {
    const stream = streamOf(`look ${name}`);
    const drawn = Array.from({ length: Math.min(side, below) }, (_, k) => integer(seed, stream, k, below));
    return [...new Set(drawn)].toSorted((a, b) => a - b);
  };
  const across = some("column", columns);
  return some("row", rows).flatMap((row) => across.map((column) => row * columns + column));
}

/** As many of the parts as have so many numbers, one at least. */
export function affordable(parts: Iterable<Part>, most: number): Part[] {
  let left = most;
  return [...parts].filter((part) => {
    const isFirst = left === most;
    left -= Object.values(part.inputs).reduce((sum, cut) => sum + (cut === undefined ? 0 : sizeOf(cut.shape)), 0);
    return isFirst || left >= 0;
  });
}

/** Looks at each output that is compared. Long sums alone are compared with float32: other ops have bounds that are nearly as narrow. */
export const lookingLow =
  (row: JudgeRow, { seed, profile }: Case, isLarge: boolean, comparing: Comparing): Comparing =>
  (operation, problem, terms) => {
    const compare = comparing(operation, problem, terms);
    const around = isLarge && SUMS.test(operation.name) ? aroundOf(row) : undefined;
    return (output, got, outputs) => {
      const compared = compare(output, got, outputs);
      const isPlain = profile === "unit" || profile === "uneven";
      if (!isPlain || storageOf(operation, output, terms.dtype) !== "float32") return compared;
      const isLow =
        looksCoarse(got) ||
        (around !== undefined && looksNoisy(around, { operation, problem, seed }, output, got, terms));
      return isLow ? { ...compared, looksLow: true } : compared;
    };
  };

/** Whether all numbers lie on the grid of TF32, and so perhaps on a coarser one. */
function looksCoarse({ data }: Tensor): boolean {
  const different = new Set<number>();
  for (const x of data) {
    if (round(x, formats.tf32) !== x) return false; // NaN as well
    if (x !== 0 && different.size < DIFFERENT) different.add(x);
  }
  return different.size === DIFFERENT;
}

/** Whether an output errs clearly more than float32 does. */
function looksNoisy(
  around: Around,
  { operation, problem, seed }: { readonly operation: Operation; readonly problem: Problem; readonly seed: number },
  output: string,
  got: Tensor,
  { target }: Pick<Terms, "target">,
): boolean {
  const list = someElements(got.shape, SIDE, seed);
  if (list.length === 0) return false;
  const parts = affordable(around(problem, output, list), MOST_NUMBERS);
  const [own, wants]: number[][] = [[], []];
  const smalls = parts.map((part) => {
    const small = cutOut(problem, part);
    const want = truth(operation, small)[output].data;
    const places = [...(part.keep?.[output] ?? want.keys())];
    for (const i of places) {
      wants.push(want[i]);
      own.push(got.data[part.outputs[output]!(i)] - want[i]);
    }
    return { small, want, places };
  });
  const isMore = (float32: number): boolean => rms(own) > SPREAD * SPREAD * float32;
  const least = target.u * rms(wants);
  if (!isMore(least)) return false; // what float32 errs is not less
  const all = evaluationsOf(operation.name);
  const step = Math.max(1, Math.floor(all.length / EVALUATIONS));
  let tried = 0;
  for (let i = 0; i < all.length; i += step) {
    const theirs = smalls.flatMap(({ small, want, places }) => {
      const { data } = inFloat32(all[i], small, output, target);
      return places.map((at) => data[at] - want[at]);
    });
    const size = rms(theirs);
    if (!(size <= HOLDS * rms(wants))) continue;
    if (!isMore(size)) return false;
    tried++;
  }
  return tried > 0;
}

/** One output of an evaluation in float32, its functions erring by all that the target allows. */
export function inFloat32(
  evaluation: Evaluation,
  { inputs, scalars }: Problem,
  output: string,
  target: Target,
): Tensor {
  const habits = { rounding: "nearest", order: "sequential", fused: true, functions: "high", seed: 2 } as const;
  const f = new Float32Arithmetic(target, { ...habits, flushes: target.flushes });
  return evaluation.evaluate(f, inputs, scalars, [output])[output];
}
