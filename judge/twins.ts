// Tells a class of TF32 from the same class of float16: they have the same bits for ordinary numbers, and other ranges.
import { dtypes, round } from "../reference/dtype.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import { runCandidate } from "./candidates/run.ts";
import type { Problem, Sizes } from "./case.ts";
import { largest, smallest } from "../reference/lists.ts";
import { isOn } from "./grid.ts";
import { difference, explained, rms, SPREAD } from "./classify.ts";
import type { PrecisionClass } from "./emulation.ts";
import { type CloserLook, type Sample, Scene, type Setup } from "./sample.ts";
import { joined } from "./source-search.ts";
import { savedAgain } from "./saved.ts";
import { roundProblem } from "./verdict.ts";

/** Brings unit numbers to where float16 has four bits left, and float32 and TF32 have all of theirs. */
const SMALL = powerOfTwo(-20);
/** And beyond float16's largest number. */
const LARGE = powerOfTwo(17);

/** Runs the candidate on small numbers and on large ones where a class of TF32 and its twin are left. Throws what it throws. */
export const settled: CloserLook = async (named, output, candidate, probe, setup) => {
  /** Whether it is a class of TF32 or float16 of which the other is left too. */
  const hasTwin = (name: PrecisionClass): boolean => named.between.some((other) => areTwins(name, other));
  if (!named.between.some(hasTwin)) return named;
  for (const apart of apartFor(setup)) {
    const problem = made(setup, probe.sizes, apart);
    const { outputs: got } = await runCandidate(setup.operation, candidate, problem);
    const samples = new Scene(setup, probe, problem, setup.seed).samples(got);
    const possible = explainingOf(samples, output, named.between.filter(hasTwin));
    const [format, ...others] = TWINS.filter((twin) => possible.some((name) => isOf(name, twin)));
    if (format === undefined || others.length > 0) continue;
    const [one, ...more] = named.between.filter((name) => isOf(name, format) || !hasTwin(name));
    return more.length === 0 ? { ...named, class: one, between: [] } : { ...named, between: [one, ...more] };
  }
  return named;
};

const TWINS = ["tf32 ", "float16 "] as const;
type Twin = (typeof TWINS)[number];

function isOf(name: PrecisionClass, twin: Twin): boolean {
  return name.startsWith(twin);
}

/** Whether these are a class of TF32 and the same of float16. */
export function areTwins(one: PrecisionClass, other: PrecisionClass): boolean {
  const [a, b] = TWINS.map((twin) => [one, other].find((name) => isOf(name, twin))?.slice(twin.length));
  return a !== undefined && a === b;
}

/** A problem at which twins differ. */
interface Apart {
  /** What the numbers of each input are multiplied by; 1 where it is not named. */
  readonly factors?: Readonly<Record<string, number>>;
  /** Sizes other than the probe's. */
  readonly sizes?: Sizes;
}

/**
 * Outputs that do not scale with the inputs. Of spread logits most weights lie below 2⁻¹⁴, where float16 loses bits. At these positions a slow
 * pair of RoPE passes π/2: its cosine is below 2⁻¹⁴ eight times.
 */
const SMALL_OUTPUTS: Readonly<Record<string, readonly Apart[]>> = {
  "softmax.forward": [{ factors: { x: 8 } }],
  "rope-table.forward": [{ sizes: { theta: 500_000, HS: 64, start: 101_067, T: 8 } }],
};

/** All inputs small, all large; of attention also each score and dP as a product of small and large numbers, and large scores. */
function apartFor({ operation: { name, inputs }, dtype }: Setup): readonly Apart[] {
  const own = SMALL_OUTPUTS[name] ?? [];
  const all = (factor: number): Apart => ({
    factors: Object.fromEntries(Object.keys(inputs).map((input) => [input, factor])),
  });
  if (!(LARGE < dtypes[dtype].max)) return [...own, all(SMALL)];
  const ofScores: Apart[] = [
    { factors: { q: SMALL, k: 1 / SMALL, dy: SMALL, v: 1 / SMALL } },
    { factors: { q: LARGE } },
  ];
  return [...own, all(SMALL), all(LARGE), ...(name.startsWith("attention") ? ofScores : [])];
}

/** The probe's inputs with the bits of bfloat16, which TF32 and float16 have too, times a factor. What a forward saves is computed again. */
function made({ operation, spec, dtype, seed }: Setup, usual: Sizes, { factors = {}, sizes = usual }: Apart): Problem {
  const { inputs, scalars } = roundProblem(operation, spec.build(sizes, "unit", seed, dtype), dtype);
  const changed = Object.entries(inputs).map(([name, t]) => [
    name,
    t.data instanceof Int32Array
      ? t
      : { data: (t.data as Float32Array).map((x) => (factors[name] ?? 1) * round(x, dtypes.bfloat16)), shape: t.shape },
  ]);
  return savedAgain(operation, spec, { inputs: Object.fromEntries(changed), scalars }, dtype);
}

function isFloat16(x: number): boolean {
  return isOn(x, "float16");
}

/**
 * The classes with numbers at the same elements as the candidate's, and errors of the size nearest to its own. If several
 * are as near, those that explain its errors.
 */
function explainingOf(
  samples: readonly Sample[],
  output: string,
  between: readonly PrecisionClass[],
): PrecisionClass[] {
  const errors = samples.flatMap((sample) => sample.errors(output));
  const emulated = (name: PrecisionClass): number[][] => joined(samples.map((sample) => sample.emulated(output, name)));
  const finite = errors.flatMap((x, i) => (Number.isFinite(x) ? [i] : []));
  const of = (list: readonly number[]): number[] => finite.map((i) => list[i]);
  const noise = largest(emulated("float32").map(rms));
  const sizeOf = (list: readonly number[]): number => Math.log(Math.hypot(rms(of(list)), noise, Number.MIN_VALUE));
  const given = samples.flatMap((sample) => sample.given(output));
  const isHeld = given.every(isFloat16);
  const valuesOf = (name: PrecisionClass): number[][] => joined(samples.map((sample) => sample.values(output, name)));
  /** Results of float16 are numbers of float16, and those of TF32 are not all. */
  const isOnGrid = (name: PrecisionClass): boolean =>
    !name.endsWith(" outputs") || isHeld === (name.startsWith("float16") || valuesOf(name)[0].every(isFloat16));
  const alike = new Map(
    between.map((name) => [
      name,
      isOnGrid(name)
        ? emulated(name).filter((e) => e.every((x, i) => Number.isFinite(x) === Number.isFinite(errors[i])))
        : [],
    ]),
  );
  const distance = (name: PrecisionClass): number =>
    smallest(alike.get(name)!.map((e) => Math.abs(sizeOf(e) - sizeOf(errors))));
  const least = smallest(between.map(distance));
  const possible = between.filter((name) => distance(name) <= least + Math.log(SPREAD * SPREAD));
  if (possible.length < 2 || !(rms(of(errors)) > SPREAD * noise)) return possible;
  const most = explained(finite.length) * rms(of(errors));
  return possible.filter((name) => alike.get(name)!.some((e) => rms(difference(of(errors), of(e))) <= most));
}
