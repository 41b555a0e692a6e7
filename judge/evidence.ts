// What one probe showed of an output: its errors, its grid and its class, from the samples of all draws.
import { storageOf } from "../reference/operation.ts";
import { largest, smallest } from "../reference/lists.ts";
import { CLEARLY, type NamedClass, nameClass, rms, SPREAD } from "./classify.ts";
import { classesFor, isExact, type PrecisionClass } from "./emulation.ts";
import { gridOf } from "./grid.ts";
import type { Seen } from "./regimes.ts";
import type { Sample, Setup } from "./sample.ts";
import { joined, withSources } from "./source-search.ts";

type Emulated = readonly [PrecisionClass, readonly (readonly number[])[]];

/** The class of an output, and which classes this probe could have told from float32. */
export function evidenceOf(output: string, samples: readonly Sample[], { operation, dtype }: Setup): Seen {
  const classes = classesFor(operation, dtype);
  const of = (what: "emulated" | "unrounded" | "values", names: readonly PrecisionClass[] = classes) =>
    new Map(names.map((name) => [name, joined(samples.map((sample) => sample[what](output, name)))]));
  const [unrounded, emulated] = [of("unrounded"), of("emulated")];
  const typical = (all: typeof emulated): number => largest(all.get("float32")!.map(rms));
  const luck = luckOf(
    samples.flatMap((sample) => sample.steps(output)),
    typical(unrounded),
  );
  const above = (all: typeof emulated, noise: number) =>
    new Map([...all].map(([name, list]) => [name, list.map((evaluation) => rms(evaluation) > SPREAD * noise)]));
  const storage = storageOf(operation, output, dtype);
  const values = samples.flatMap((sample) => sample.given(output));
  const grid = gridOf(values, storage, classes, (name) => of("values", [name]).get(name)!);
  const float32 = (): number[][] => [
    ...emulated.get("float32")!,
    ...joined(samples.map((sample) => sample.everyFloat32(output))),
  ];
  const isExactly = (name: PrecisionClass): boolean => isExact(operation, name);
  const spectrum = { errors: samples.flatMap((sample) => sample.errors(output)), emulated, grid, luck, isExactly };
  const noise = Math.max(luck, typical(emulated));
  // A kernel may err by less than the target's functions do and by more than functions that are only rounded.
  const least = Math.max(luck, smallest(emulated.get("float32")!.map(rms)));
  const hasNoise = grid.format === undefined && rms(spectrum.errors) <= SPREAD ** 2 * least;
  const shows = above(emulated, noise);
  const seen = { errs: above(unrounded, typical(unrounded)), shows };
  if (hasNoise) return { named: nameClass(spectrum), ...seen };
  const sources = withSources(spectrum.errors, noise, samples, output);
  const all: Emulated[] = [...emulated, ["float32", float32()], ...sources];
  const namedBy = (tried: readonly Emulated[]): NamedClass =>
    nameClass({ ...spectrum, emulated: new Map(tried.filter(([name]) => !grid.others.has(name))) });
  const named = namedBy(all);
  const isLeft = named.measured > SPREAD * noise && named.predictions.every((p) => p.unexplained > CLEARLY);
  const more = isLeft ? lowFactorsIn(samples, output) : [];
  if (more.length === 0) return { named, ...seen };
  const known = new Map(all);
  return {
    named: namedBy([...all, ...more.map(([name, list]) => [name, [...(known.get(name) ?? []), ...list]] as const)]),
    ...seen,
  };
}

/** What low factors leave in further ways; none of ops that have no such ways. */
function lowFactorsIn(samples: readonly Sample[], output: string): Emulated[] {
  const found = samples.map((sample) => sample.lowFactors(output));
  return [...found[0].keys()].map((name) => [name, joined(found.map((one) => one.get(name)!))]);
}

/**
 * The size at which errors of size `noise` are measured once results are rounded: a share noise ÷ step of the elements is a
 * step off. One such element more or less means nothing, so one is added; weighted by how likely each is,
 * Σ step ÷ Σ 1/step is the mean of its step².
 */
function luckOf(steps: readonly number[], noise: number): number {
  const real = steps.filter((step) => step > 0);
  if (noise === 0 || real.length === 0) return 0;
  const total = (of: (step: number) => number): number => real.reduce((sum, step) => sum + of(step), 0);
  const one = total((step) => step) / total((step) => 1 / step);
  return Math.sqrt((total((step) => step * Math.min(step, noise)) + one) / steps.length);
}
