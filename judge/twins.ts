// Tells a class of TF32 from the same class of float16: they have the same bits for ordinary numbers, and other ranges.
import { type DTypeName, dtypes, round } from "../reference/dtype.ts";
import { powerOfTwo } from "../reference/elementary.ts";
import type { Candidate } from "../reference/candidate.ts";
import { runCandidate } from "./candidates/run.ts";
import type { Problem, Sizes } from "./case.ts";
import { largest, smallest } from "../reference/lists.ts";
import { difference, explained, type NamedClass, rms, SPREAD } from "./classify.ts";
import type { PrecisionClass } from "./emulation.ts";
import type { Probe } from "./probes.ts";
import { type Sample, Scene, type Setup } from "./sample.ts";
import { joined } from "./source-search.ts";
import { savedAgain } from "./saved.ts";
import { roundProblem } from "./verdict.ts";

/** Brings unit numbers to where float16 has four bits left, and float32 and TF32 have all of theirs. */
const SMALL = powerOfTwo(-20);
/** And beyond float16's largest number. */
const LARGE = powerOfTwo(17);

/** Runs the candidate on small numbers and on large ones where a class of TF32 and its twin are left. Throws what it throws. */
export async function settled(
  named: NamedClass,
  output: string,
  candidate: Candidate,
  probe: Probe,
  setup: Setup,
): Promise<NamedClass> {
  if (!isTwins(named.between)) return named;
  for (const factor of factorsFor(setup.dtype)) {
    const problem = scaled(setup, probe.sizes, factor);
    const { outputs: got } = await runCandidate(setup.operation, candidate, problem);
    const samples = new Scene(setup, probe, problem, setup.seed).samples(got);
    const [one, ...others] = explainingOf(samples, output, named.between);
    if (one !== undefined && others.length === 0) return { ...named, class: one, between: [] };
  }
  return named;
}

/** Whether these are a class of TF32 and the same of float16. */
function isTwins(between: readonly PrecisionClass[]): boolean {
  const [one, other] = between.map((name) => name.replace(/^(tf32|float16) /, ""));
  return between.length === 2 && one === other && between.some((name) => name.startsWith("tf32"));
}

function factorsFor(dtype: DTypeName): readonly number[] {
  return LARGE < dtypes[dtype].max ? [SMALL, LARGE] : [SMALL];
}

/** The probe's inputs with the bits of bfloat16, which TF32 and float16 have too, times a factor. What a forward saves is computed again. */
function scaled({ operation, spec, dtype, seed }: Setup, sizes: Sizes, factor: number): Problem {
  const { inputs, scalars } = roundProblem(operation, spec.build(sizes, "unit", seed, dtype), dtype);
  const changed = Object.entries(inputs).map(([name, t]) => [
    name,
    t.data instanceof Int32Array
      ? t
      : { data: (t.data as Float32Array).map((x) => factor * round(x, dtypes.bfloat16)), shape: t.shape },
  ]);
  return savedAgain(operation, spec, { inputs: Object.fromEntries(changed), scalars }, dtype);
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
  const alike = new Map(
    between.map((name) => [
      name,
      emulated(name).filter((e) => e.every((x, i) => Number.isFinite(x) === Number.isFinite(errors[i]))),
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
