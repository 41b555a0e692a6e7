// What one probe showed of an output: its errors, its grid and its class, from the samples of all draws.
import { storageOf } from "../reference/operation.ts";
import { largest, smallest } from "../reference/lists.ts";
import { nameClass, rms, SPREAD } from "./classify.ts";
import { classesFor, isExact, type PrecisionClass } from "./emulation.ts";
import { gridOf } from "./grid.ts";
import type { Seen } from "./regimes.ts";
import type { Sample, Setup } from "./sample.ts";
import { joined, withSources } from "./source-search.ts";

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
  const named =
    grid.format === undefined && rms(spectrum.errors) <= SPREAD ** 2 * least
      ? nameClass(spectrum)
      : nameClass({
          ...spectrum,
          emulated: new Map(
            [
              ...emulated,
              ["float32", float32()] as const,
              ...withSources(spectrum.errors, noise, samples, output),
            ].filter(([name]) => !grid.others.has(name)),
          ),
        });
  const shows = above(emulated, noise);
  return { named, errs: above(unrounded, typical(unrounded)), shows };
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
