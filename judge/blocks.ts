// A large output each element of which depends on little: the truth at every element, block by block, so that no tensor is ever in
// float64 as a whole. The bound only where a number is not the truth rounded once: what is, lies within every bound, since a correct
// kernel rounds once at least.
import { dtypes, round } from "../reference/dtype.ts";
import { outputShapes, storageOf } from "../reference/operation.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { type Around, cutOut } from "./around.ts";
import type { Case } from "./case.ts";
import { boundOf, type Comparison } from "./compare.ts";
import { compareAt, type Exact, exactAt, expectedOf, type Source } from "./exact.ts";
import { MOST_WORK } from "./large.ts";
import { drawnEvenly, missesOf, type Sight } from "./missed.ts";
import type { JudgeRow } from "./row.ts";
import type { Manner } from "./spots.ts";
import { estimateOf, Scales } from "./suspects.ts";
import { type Comparing, truth } from "./verdict.ts";

/** About so many elements are in float64 at once: whole rows, one at least. */
const BLOCK = 1 << 16;

/**
 * What gives the elements of a case that is judged in blocks, one that is larger than large cases usually are; undefined of any other.
 * Recorded inputs are those of a small model.
 */
export function aroundBlocks(
  { large, around }: Pick<JudgeRow, "large" | "around">,
  { profile, sizes }: Pick<Case, "profile" | "sizes">,
): Around | undefined {
  if (profile === "real" || large?.isInBlocks !== true) return undefined;
  return large.work(sizes) > MOST_WORK ? (large.blocks ?? around) : undefined;
}

/** Holds every element to its bound, about `length` of them at a time. */
export const inBlocks =
  (around: Around, { seed, counts }: Manner, length = BLOCK): Comparing =>
  (operation, problem, terms) => {
    const shapes = outputShapes(operation, problem.inputs, problem.scalars);
    return (output, got) => {
      const own = { ...terms, dtype: storageOf(operation, output, terms.dtype) };
      const source: Source = { around, operation, problem, terms: own, output };
      const even = drawnEvenly(output, got.data.length, seed);
      const drawn = exactAt(source, [...new Set(even)]);
      // What is the truth rounded once has no bound: the power is that of elements which were drawn.
      const { power } = compareAt(output, got, drawn, own);
      let total = compareAt(output, got, { at: [], want: [], allowed: [] }, own);
      for (const block of blocksOf(shapes[output], length)) total = together(total, compareBlock(source, block, got));
      const found = { ...total, power };
      return counts ? { ...found, missed: missesOf(output, sightOf(source, got, even, drawn), seed) } : found;
    };
  };

/** The flat indices of one block after another. A tensor of one axis has no rows. */
function* blocksOf(shape: readonly number[], about: number): Generator<readonly number[]> {
  const n = sizeOf(shape);
  const width = shape.length > 1 ? shape.at(-1)! : 1;
  const length = Math.max(1, Math.floor(about / Math.max(1, width))) * width;
  for (let start = 0; start < n; start += length)
    yield Array.from({ length: Math.min(length, n - start) }, (_, i) => start + i);
}

function compareBlock(source: Source, block: readonly number[], got: Tensor): Comparison {
  const rest = notNearest(source, block, got);
  const held = compareAt(source.output, got, exactAt(source, rest), source.terms);
  const nearest = block.length - rest.length;
  return { ...held, elements: held.elements + nearest, judged: held.judged + nearest };
}

/** The elements that are not the truth rounded once; and those whose truth is no finite number of the format. */
function notNearest(
  { around, operation, problem, terms: { dtype }, output }: Source,
  block: readonly number[],
  got: Tensor,
): number[] {
  const rest: number[] = [];
  for (const part of around(problem, output, block)) {
    const { data } = truth(operation, cutOut(problem, part))[output];
    const locate = part.outputs[output]!;
    for (const i of part.keep?.[output] ?? data.keys()) {
      const nearest = round(data[i], dtypes[dtype]);
      const at = locate(i);
      if (got.data[at] !== nearest || !Number.isFinite(nearest)) rest.push(at);
    }
  }
  return rest;
}

function together(a: Comparison, b: Comparison): Comparison {
  // The last NaN is the worst, as in one comparison of all.
  const { worst, at } = b.at === undefined || b.at.ratio <= a.worst ? a : b;
  return {
    ...a,
    elements: a.elements + b.elements,
    judged: a.judged + b.judged,
    unjudged: a.unjudged + b.unjudged,
    nonFinite: a.nonFinite + b.nonFinite,
    worst,
    at,
    ulp: Math.max(a.ulp, b.ulp),
    outside: a.outside + b.outside,
  };
}

/** A fault is missed where it is within the bound, which is estimated from above where no element was drawn. What was given stands for the truth. */
function sightOf({ terms }: Source, got: Tensor, even: readonly number[], drawn: Exact): Sight {
  const expected = expectedOf(drawn);
  const bounds = new Map(drawn.at.map((i, n) => [i, boundOf(expected, n, terms)]));
  const estimate = estimateOf(new Scales(got, dtypes[terms.dtype]), drawn.at, (i) => bounds.get(i)!);
  return {
    want: got,
    dtype: terms.dtype,
    even,
    bound: (i) => bounds.get(i) ?? estimate(i),
    most: Infinity,
    held: () => 1,
  };
}
