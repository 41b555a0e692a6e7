// In what precision a candidate computes: its errors, over all elements of an output, are compared with those of each class.
//
// The bound of a sum of n terms grows like n, an ordinary error like √n: at n = 4,096 sums of products of TF32 numbers hide
// inside the bound of float32. Here the measure is the root mean square of error ÷ allowance over random data, and each
// class's value comes from emulating it. A class is only reported; the bound alone says that a kernel is wrong.
//
// Three things tell classes apart:
// - the size of the errors, in logarithm;
// - the errors themselves: low inputs and outputs err in the same way in any order of summation, so a candidate that shares
//   most of an emulation's errors is of its class, and one that shares none is not;
// - the grid: what was added up in 8 bits ends in 8 bits.
//
// For an output that is stored in 16 bits, errors are taken from the rounded truth: float32 shows none except where the
// truth lies next to a tie. Most of a sum's errors are lost in the rounding, so there are further probes (cancelling.ts),
// and each rules out what it can. A class that no probe can expose is reported as possible, together with float32.
import type { DTypeName } from "../reference/dtype.ts";
import { storageOf } from "../reference/operation.ts";
import type { Candidate } from "../reference/candidate.ts";
import { runCandidate } from "./candidates/run.ts";
import { type Case, formatCase, type Problem } from "./case.ts";
import { isNoClass, type NamedClass, nameClass, rms, SPREAD } from "./classify.ts";
import { gridOf } from "./grid.ts";
import { joined, withSources } from "./source-search.ts";
import { settled } from "./twins.ts";
import { classesFor, type PrecisionClass, precisionClasses } from "./emulation.ts";
import type { Probe } from "./probes.ts";
import { Ruler, Sample, type Setup } from "./sample.ts";
import { judgeOutputs, roundProblem } from "./verdict.ts";
import { append, largest, smallest } from "../reference/lists.ts";

export interface Precision extends NamedClass {
  readonly output: string;
}

/** A whole kernel in one class: that of its coarsest output that could be decided. */
export interface Summary {
  readonly class: Precision["class"];
  readonly between: readonly PrecisionClass[];
  /** Measured ÷ the largest value that float32 to nearest was predicted to have. */
  readonly ratio: number;
}

/** A finding of the bound on a probe, whose sums are longer than those of ordinary cases. */
export interface ProbeFinding {
  readonly case: Case;
  /** How the inputs of the case were changed; absent where they were not. */
  readonly change?: string;
  readonly message: string;
}

export interface Measured {
  /** One for each output. */
  readonly precision: readonly Precision[];
  readonly findings: readonly ProbeFinding[];
}

/** Runs the candidate on the probes. Throws what the candidate throws. */
export async function measurePrecision(
  candidate: Candidate,
  probes: readonly Probe[],
  setup: Setup,
): Promise<Measured> {
  const findings: ProbeFinding[] = [];
  const seen: SeenOutput[] = [];
  for (const probe of probes) append(seen, await measureProbe(candidate, probe, setup, findings));
  return { precision: precisionOf(seen, setup), findings };
}

/** One probe: what it showed of each output. Its findings are added to `findings` as they come. Throws what the candidate throws. */
export async function measureProbe(
  candidate: Candidate,
  probe: Probe,
  setup: Setup,
  findings: ProbeFinding[],
): Promise<readonly SeenOutput[]> {
  const { operation, seed, pause } = setup;
  const { sizes, outputs, draws = 1, profile = "unit", change } = probe;
  const samples: Sample[] = [];
  for (let draw = 0; draw < draws; draw++) {
    await pause?.();
    const c: Case = { op: operation.name, sizes, profile, seed: seed + draw };
    const ruler = rulerOf(setup, probe, c);
    const { outputs: got } = await runCandidate(operation, candidate, ruler.problem);
    const verdict = judgeOutputs(operation, got, ruler.problem, setup);
    const told = change === undefined ? {} : { change: change.name };
    append(
      findings,
      verdict.findings.map((message) => ({ case: c, ...told, message })),
    );
    if (
      outputs.every((name) => verdict.comparisons.some((comparison) => comparison.output === name)) // none of another shape
    ) {
      samples.push(new Sample(ruler, got));
      await emulateAll(ruler, setup);
    }
  }
  if (samples.length < draws) return [];
  const seen: SeenOutput[] = [];
  for (const output of outputs) {
    if (!samples.some((sample) => sample.hasBound(output))) continue; // no class could be told from another
    const found = classify(output, samples, setup);
    const named = await settled(found.named, output, candidate, sizes, setup);
    seen.push({ ...found, output, named });
  }
  return seen;
}

/** Each output's class, from all that probes showed of it. */
export function precisionOf(seen: readonly SeenOutput[], { operation, dtype }: Setup): Precision[] {
  const precision: Precision[] = [];
  for (const output of new Set(seen.map((one) => one.output))) {
    const list = seen.filter((one) => one.output === output);
    precision.push({ output, ...together(list, storageOf(operation, output, dtype)) });
  }
  return precision;
}

/** Emulates every class now, with pauses: together they take the longest of all that a check does. */
async function emulateAll(ruler: Ruler, { operation, dtype, pause }: Setup): Promise<void> {
  for (const name of classesFor(operation, dtype)) {
    await pause?.();
    ruler.emulated(name);
  }
}

/** The problem of a probe's case, in the dtype. */
export function problemOf(
  { operation, spec, dtype }: Pick<Setup, "operation" | "spec" | "dtype">,
  { sizes, profile = "unit", change }: Probe,
  seed: number,
): Problem {
  const plain = roundProblem(operation, spec.build(sizes, profile, seed, dtype), dtype);
  return change === undefined ? plain : roundProblem(operation, change.of(operation, plain, seed), dtype);
}

/** The ruler of a probe's case: one that the setup keeps, or a new one. */
function rulerOf(setup: Setup, probe: Probe, c: Case): Ruler {
  const key = [formatCase(c), probe.change?.name].join();
  const kept = setup.rulers?.get(key);
  if (kept !== undefined) return kept;
  const ruler = new Ruler(setup, problemOf(setup, probe, c.seed), c.seed);
  setup.rulers?.set(key, ruler);
  return ruler;
}

/** What a probe showed of one output. */
export interface SeenOutput extends Seen {
  readonly output: string;
}

/** The evidence of one probe on an output. */
interface Seen {
  readonly named: NamedClass;
  /** For each evaluation of each class: whether it errs there before the last rounding, and whether that can be seen. */
  readonly errs: ReadonlyMap<PrecisionClass, readonly boolean[]>;
  readonly shows: ReadonlyMap<PrecisionClass, readonly boolean[]>;
}

function classify(output: string, samples: readonly Sample[], { operation, dtype }: Setup): Seen {
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
  const values = samples.flatMap(({ got }) => Array.from(got[output].data));
  const valuesOf = (name: PrecisionClass): number[][] => of("values", [name]).get(name)!;
  const [plain] = valuesOf("float32");
  const format = gridOf(values, storage, plain);
  const hasGrid = (name: PrecisionClass): boolean =>
    valuesOf(name).some((list) => gridOf(list, storage, plain) === format);
  const grid = format === undefined ? undefined : { format, classes: new Set(classes.filter(hasGrid)) };
  const spectrum = { errors: samples.flatMap((sample) => sample.errors(output)), emulated, grid, luck };
  const noise = Math.max(luck, typical(emulated));
  // A kernel may err by less than the target's functions do and by more than functions that are only rounded.
  const least = Math.max(luck, smallest(emulated.get("float32")!.map(rms)));
  const named =
    grid === undefined && rms(spectrum.errors) <= SPREAD ** 2 * least
      ? nameClass(spectrum)
      : nameClass({
          ...spectrum,
          emulated: new Map([...emulated, ...withSources(spectrum.errors, noise, samples, output)]),
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

/**
 * The classes that all probes of an output leave. A probe leaves a class that it names. If it names float32, it also leaves
 * the classes that it cannot see, or cannot see in every variant of the formula that errs on some probe.
 */
function together(list: readonly Seen[], storage: DTypeName): NamedClass {
  if (storage === "float32" && list.length === 1) return list[0].named;
  const sorted = list.map(({ named }) => named).toSorted((a, b) => ratioOf(b) - ratioOf(a));
  if (isNoClass(sorted[0].class)) return sorted[0];
  const namesOf = ({ class: name, between }: NamedClass): readonly NamedClass["class"][] =>
    between.length > 0 ? between : [name];
  const erring = (name: PrecisionClass, i: number): boolean => list.some(({ errs }) => errs.get(name)![i]);
  const isUnseen = ({ shows }: Seen, name: PrecisionClass): boolean =>
    name === "float32" || shows.get(name)!.some((shown, i) => !shown && erring(name, i));
  const possible = (seen: Seen, name: PrecisionClass): boolean =>
    namesOf(seen.named).includes(name) || (namesOf(seen.named).includes("float32") && isUnseen(seen, name));
  const known = [...list[0].errs.keys()].filter(
    (name) => name === "float32" || list[0].errs.get(name)!.some((_, i) => erring(name, i)),
  );
  const left = known.filter((name) => list.every((seen) => possible(seen, name)));
  // The kernel mixes classes or belongs to none of these: every class that a probe named is kept.
  if (left.length === 0) {
    const named = new Set(list.flatMap((seen) => namesOf(seen.named)));
    append(
      left,
      precisionClasses.filter((name) => name !== "float32" && named.has(name)),
    );
    if (left.length === 0) return sorted[0];
  }
  const telling = sorted.filter((named) => left.some((name) => namesOf(named).includes(name)));
  const shown = telling.find((named) => ratioOf(named) < Infinity) ?? sorted[0];
  return left.length === 1
    ? { ...shown, class: left[0], between: [] }
    : { ...shown, class: "undecidable", between: left };
}

/**
 * The output farthest from float32 whose class was decided; failing that, the farthest undecidable one, unless it may be
 * float32 and another output is. Undefined without outputs.
 */
export function summarise(precision: readonly Precision[]): Summary | undefined {
  const all = precision.map((p) => ({ class: p.class, between: p.between, ratio: ratioOf(p) }));
  const sorted = all.toSorted((a, b) => b.ratio - a.ratio);
  const exact = sorted.find((p) => p.class === "float32");
  return (
    sorted.find((p) => p.class !== "undecidable" && p.class !== "float32") ??
    sorted.find((p) => p.class === "undecidable" && !(exact !== undefined && p.between.includes("float32"))) ??
    exact ??
    sorted[0]
  );
}

/** How many times as large as float32's the errors are. */
export function ratioOf({ measured, predictions }: NamedClass): number {
  if (measured === 0) return 0;
  return measured / (predictions.find((p) => p.class === "float32")?.high ?? NaN);
}
