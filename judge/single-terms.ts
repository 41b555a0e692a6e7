// Tells sums that are cut off from sums of pieces and from sums with a low part: where each sum has a single term, nothing is added
// up, so a truncation errs by less than one unit of float32, and whatever else is low shows as it is.
import type { Candidate } from "../reference/candidate.ts";
import { append, smallest } from "../reference/lists.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import { runCandidate } from "./candidates/run.ts";
import { isNoClass, type NamedClass } from "./classify.ts";
import { isSplit, type PrecisionClass } from "./emulation.ts";
import { evidenceOf } from "./evidence.ts";
import { isOn } from "./grid.ts";
import type { Probe } from "./probes.ts";
import { type CloserLook, problemOf, type Sample, Scene, type Setup } from "./sample.ts";

/** Ops whose outputs are products of two matrices, and the factor that has one number in each row or column. */
const FACTORS: Readonly<Record<string, string>> = { "linear.forward": "x", "linear.backward": "dy" };

/** A term in three pieces is a sum of nine products, each cut off by up to a unit, four times what a rounding errs by at random. */
const PIECES = 36;
/** Places of a sum at which a single term is tried, at least. */
const PLACES = 8;
/** Sums that are kept in these are on their grids, from the coarsest. */
const ACCUMULATORS = ["bfloat16", "float16"] as const;

/**
 * The class, unless single terms contradict it. Where sums may be cut off or in pieces, the class that single terms have, if they have another. Low sums
 * leave every term on the grid of their format: where some are not, only a part of each sum is low. Throws what the candidate throws.
 */
export const withSingleTerms: CloserLook = async (named, output, candidate, probe, setup) => {
  const factor = FACTORS[setup.operation.name];
  const names = namesOf(named);
  const isExactly = names.some((name) => name === "float32, truncating" || isSplit(name));
  const isSum = names.some(isAccumulation);
  if (factor === undefined || setup.dtype !== "float32" || !(isExactly || isSum)) return named;
  const samples = await singleTerms(factor, candidate, probe, setup);
  const values = samples.flatMap((sample) => sample.given(output)).filter((x) => x !== 0);
  const sure = isSum ? onGrid(named, values) : named;
  if (!isExactly) return sure;
  const alone = evidenceOf(output, samples, setup).named;
  const float32 = alone.predictions.find((p) => p.class === "float32")!.high;
  const isSlight = isNoClass(alone.class) && alone.measured <= PIECES * float32;
  if (isSlight || namesOf(alone).some((name) => name.startsWith("float32"))) return sure;
  return { ...named, class: alone.class, between: alone.between };
};

function namesOf({ class: name, between }: NamedClass): readonly (PrecisionClass | NamedClass["class"])[] {
  return between.length > 0 ? between : [name];
}

function isAccumulation(name: string): boolean {
  return name.endsWith("accumulation");
}

/** Of the low sums only that one on whose grid the numbers lie. */
function onGrid(named: NamedClass, values: readonly number[]): NamedClass {
  const grid = ACCUMULATORS.find((format) => values.every((x) => isOn(x, format)));
  const own = grid && (`${grid} accumulation` as const);
  const left = named.between.filter((name) => !isAccumulation(name) || name === own);
  const [only = own ?? "coarser than float32, in no class"] = left;
  return left.length > 1 ? { ...named, between: left } : { ...named, class: only, between: [] };
}

/** The candidate on sums of one term, in as many draws as bring terms to so many places. */
async function singleTerms(factor: string, candidate: Candidate, probe: Probe, setup: Setup): Promise<Sample[]> {
  const { operation, seed } = setup;
  const samples: Sample[] = [];
  let draws = 1;
  for (let draw = 0; draw < draws; draw++) {
    const plain = problemOf(setup, probe, seed + draw);
    const whole = plain.inputs[factor] as Tensor<Float32Array>;
    draws = Math.ceil(PLACES / smallest(whole.shape));
    const kept = spread(whole, seed, [draw, draws]);
    const problem = { ...plain, inputs: { ...plain.inputs, [factor]: kept } };
    const { outputs } = await runCandidate(operation, candidate, problem);
    append(samples, new Scene(setup, probe, problem, seed + draw).samples(outputs));
  }
  return samples;
}

/**
 * A matrix with one number in each row or in each column, whichever are fewer, and 0 elsewhere. The numbers of all draws lie evenly
 * along the sum.
 */
function spread(
  { data, shape }: Tensor<Float32Array>,
  seed: number,
  [draw, draws]: readonly [number, number],
): Tensor<Float32Array> {
  const [rows, columns] = shape;
  const [few, many] = [Math.min(rows, columns), Math.max(rows, columns)];
  const kept = new Float32Array(data.length);
  for (let i = 0; i < few; i++) {
    const slot = i * draws + draw;
    const [from, to] = [slot, slot + 1].map((place) => Math.floor((place * many) / (few * draws)));
    const far = from + integer(seed, streamOf("single term"), slot, Math.max(1, to - from));
    const at = rows <= columns ? i * columns + far : far * columns + i;
    kept[at] = data[at];
  }
  return { data: kept, shape };
}
