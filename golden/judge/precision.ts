// In what precision a candidate computes: its errors, over all elements of an output, beside those of each class.
//
// The bound of a sum of n terms grows like n, an ordinary error like √n: at n = 4,096 sums of products of TF32 numbers hide
// inside the bound of float32. Here the measure is the root mean square of error ÷ allowance over random data, and each
// class's value comes from emulating it. Only the bound says "wrong": a class is reported.
//
// Three things tell classes apart:
// - the size of the errors, in logarithm;
// - the errors themselves: low inputs and outputs err in the same way in any order of summation, so a candidate that shares
//   most of an emulation's errors is of its class, and one that shares none is not;
// - the grid: what was added up in 8 bits ends in 8 bits.
import { formats, round } from "../../reference/dtype.ts";
import { powerOfTwo } from "../../reference/elementary.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";
import type { Target } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { Candidate } from "../candidates/candidate.ts";
import { type Case, type CaseSpec, type Problem } from "../cases/case.ts";
import type { Animal } from "../zoo/animal.ts";
import { emulate, type PrecisionClass, precisionClasses } from "./emulation.ts";
import type { Probe } from "./probes.ts";
import { judgeOutputs, roundScalars, truth, widen } from "./verdict.ts";

export interface Prediction {
  readonly class: PrecisionClass;
  /** The least and the largest value among the class's evaluations. */
  readonly low: number;
  readonly high: number;
  /** What of the candidate's error is left beside the evaluation that is nearest to it, as a share. */
  readonly unexplained: number;
}

export interface Precision {
  readonly output: string;
  /** The class; undecidable between several; or coarser than every class. */
  readonly class: PrecisionClass | "undecidable" | "coarser than every class";
  readonly between: readonly PrecisionClass[];
  /** Root mean square of error ÷ allowance. */
  readonly measured: number;
  /** The classes that can be told from float32 in this output. */
  readonly predictions: readonly Prediction[];
}

/** What is said of a whole kernel: the class of its coarsest output that could be decided. */
export interface Summary {
  readonly class: Precision["class"];
  readonly between: readonly PrecisionClass[];
  /** Measured ÷ the largest value that float32 to nearest was predicted to have. */
  readonly ratio: number;
}

export interface Measured {
  readonly precision: readonly Precision[];
  /** What the bound says of the probes themselves: sums longer than those of ordinary cases. */
  readonly findings: readonly { readonly case: Case; readonly message: string }[];
}

/** The spread of a root mean square over a dozen elements: two values within its square cannot be told apart. */
const SPREAD = 2;
const APART = SPREAD * SPREAD;
/** An evaluation that leaves nearly all of an error does not explain it. */
const UNEXPLAINED = 0.9;
/** Two evaluations of a class that err alike, whatever their order: a sixteenth of the variance is left. */
const ALIKE = 0.25;

/** An evaluation explains an error of n elements if it leaves no more than this: chance shares the less, the more there are. */
function explained(n: number): number {
  return n < 64 ? 0.5 : 0.8;
}

/** Brings unit numbers to where float16 has four bits left, and float32 and TF32 have all of theirs. */
const SMALL = powerOfTwo(-20);

/** Runs the candidate on the probes; `animals` are correct evaluations of the op. Throws what the candidate throws. */
export async function measurePrecision(
  operation: Operation,
  spec: CaseSpec,
  candidate: Candidate,
  animals: readonly Animal[],
  probes: readonly Probe[],
  target: Target,
  seed: number,
): Promise<Measured> {
  const precision: Precision[] = [];
  const findings: { case: Case; message: string }[] = [];
  for (const { sizes, outputs, draws = 1 } of probes) {
    const samples: Sample[] = [];
    for (let draw = 0; draw < draws; draw++) {
      const c: Case = { op: operation.name, sizes, profile: "unit", seed: seed + draw };
      const problem = built(operation, spec, c);
      const got = await outputsOf(candidate, problem);
      const verdict = judgeOutputs(operation, got, problem, target, "unit");
      findings.push(...verdict.findings.map((message) => ({ case: c, message })));
      if (
        outputs.every((name) => verdict.comparisons.some((comparison) => comparison.output === name)) // none of another shape
      ) {
        samples.push(new Sample(operation, animals, problem, got, target, seed + draw));
      }
    }
    if (samples.length < draws) continue;
    for (const output of outputs) {
      const found = classify(output, samples);
      precision.push(await settled(found, operation, spec, candidate, animals, target, { sizes, seed }));
    }
  }
  return { precision, findings };
}

function built(operation: Operation, spec: CaseSpec, { sizes, profile, seed }: Case): Problem {
  const { inputs, scalars } = spec.build(sizes, profile as "unit", seed);
  return { inputs, scalars: roundScalars(operation, scalars) };
}

/** Copies, of what it is given and what it gives: a candidate may use both again. */
async function outputsOf(candidate: Candidate, { inputs, scalars }: Problem): Promise<Outputs> {
  const copies = Object.entries(inputs).map(([name, t]) => [name, { data: t.data.slice(), shape: t.shape }]);
  const { outputs } = await candidate.run(Object.fromEntries(copies), scalars);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, { data: t.data.slice(), shape: t.shape }]),
  ) as Outputs;
}

/** One run: the errors of the candidate and of every emulation, each as a share of its allowance. */
class Sample {
  readonly got: Outputs;
  private readonly want: Outputs;
  private readonly scale: Outputs;
  private readonly evaluations: ReadonlyMap<PrecisionClass, readonly Outputs[]>;

  constructor(
    operation: Operation,
    animals: readonly Animal[],
    problem: Problem,
    got: Outputs,
    target: Target,
    seed: number,
    classes: readonly PrecisionClass[] = precisionClasses,
  ) {
    this.got = got;
    this.want = truth(operation, problem);
    this.scale = operation.bound(widen(problem.inputs), problem.scalars, { ...target, stores: {} });
    this.evaluations = new Map(classes.map((name) => [name, emulate(operation, animals, problem, target, name, seed)]));
  }

  /** Error ÷ allowance of the candidate, where an element has a scale. */
  errors(output: string): number[] {
    return this.scaled(output, this.got[output]);
  }

  /** The same of each evaluation of a class. */
  emulated(output: string, name: PrecisionClass): number[][] {
    return this.evaluations.get(name)!.map((outputs) => this.scaled(output, outputs[output]));
  }

  private scaled(output: string, t: Tensor): number[] {
    const [want, scale] = [this.want[output].data, this.scale[output].data];
    const list: number[] = [];
    for (let i = 0; i < want.length; i++) {
      if (scale[i] > 0 && scale[i] < Infinity && Number.isFinite(want[i])) list.push((t.data[i] - want[i]) / scale[i]);
    }
    return list;
  }
}

interface Spectrum {
  readonly errors: readonly number[];
  readonly emulated: ReadonlyMap<PrecisionClass, readonly (readonly number[])[]>;
  readonly values: readonly number[];
}

function classify(output: string, samples: readonly Sample[]): Precision {
  const joined = (lists: readonly (readonly number[][])[]): number[][] =>
    lists[0].map((_, i) => lists.flatMap((list) => list[i]));
  const emulated = new Map(
    precisionClasses.map((name) => [name, joined(samples.map((sample) => sample.emulated(output, name)))]),
  );
  const errors = samples.flatMap((sample) => sample.errors(output));
  const values = samples.flatMap(({ got }) => Array.from(got[output].data));
  return { output, ...nameClass({ errors, emulated, values }) };
}

function nameClass({ errors, emulated, values }: Spectrum): Omit<Precision, "output"> {
  const measured = rms(errors);
  const exact = emulated.get("float32")!;
  const noise = Math.max(...exact.map(rms));
  const predictions: Prediction[] = [];
  const reproducible = new Set<PrecisionClass>();
  for (const [name, evaluations] of emulated) {
    // An evaluation that the class does not touch has nothing to say of it.
    const touched = evaluations.filter((evaluation) => name === "float32" || rms(evaluation) > SPREAD * noise);
    if (touched.length === 0) continue;
    const sizes = touched.map(rms);
    // In some order truncation errs no more than rounding does, and there are all orders between.
    const isContinuous = name === "float32, truncating" && touched.length < evaluations.length;
    const [low, high] = [isContinuous ? SPREAD * noise : Math.min(...sizes), Math.max(...sizes)];
    const left = Math.min(...touched.map((evaluation) => rms(difference(errors, evaluation))));
    predictions.push({ class: name, low, high, unexplained: measured > 0 ? left / measured : 1 });
    const [first, second] = touched;
    if (name !== "float32" && touched.length > 1 && rms(difference(first, second)) <= ALIKE * sizes[0])
      reproducible.add(name);
  }
  const told = (names: readonly PrecisionClass[]): Omit<Precision, "output"> =>
    names.length === 1
      ? { class: names[0], between: [], measured, predictions }
      : { class: "undecidable", between: names, measured, predictions };
  if (!Number.isFinite(measured)) return told(predictions.map((p) => p.class));

  // 1. Low inputs or outputs whose very errors these are.
  const explaining = predictions.filter((p) => errsAlike(p.class) && p.unexplained <= explained(errors.length));
  const best = Math.min(...explaining.map((p) => p.unexplained));
  const alike = explaining.filter((p) => p.unexplained * measured <= Math.max(APART * best * measured, SPREAD * noise));
  if (measured > SPREAD * noise && alike.length > 0) return told(alike.map((p) => p.class));

  // 2. As small as those of float32, and not of a class that is as small.
  const open = predictions.filter((p) => !(reproducible.has(p.class) && p.unexplained >= UNEXPLAINED));
  if (measured <= SPREAD * noise) {
    const rivals = open.filter((p) => !p.class.startsWith("float32") && !(p.low > SPREAD * measured));
    return told(["float32", ...rivals.map((p) => p.class)]);
  }

  // 3. All results on the grid of a format: some class of that format. 4. Otherwise any. The nearest in logarithm.
  const grid = (["bfloat16", "float16"] as const).find(
    (format) => values.length > 1 && values.every((x) => round(x, formats[format]) === x),
  );
  const far = (p: Prediction): number => Math.log(Math.max(1, measured / p.high, p.low / measured));
  const ofGrid = predictions.filter((p) => grid !== undefined && p.class.startsWith(grid));
  const fitting = ofGrid.filter((p) => open.includes(p) && far(p) <= Math.log(SPREAD));
  const sorted = (fitting.length > 0 ? fitting : ofGrid.length > 0 ? ofGrid : open).toSorted((a, b) => far(a) - far(b));
  const [nearest] = sorted;
  if (measured > APART * SPREAD * Math.max(...predictions.map((p) => p.high))) {
    return { class: "coarser than every class", between: [], measured, predictions };
  }
  // Between float32 to nearest and truncating lies little: the benefit of the doubt is wider.
  const margin = (p: Prediction): number => Math.log(p.class === "float32" ? APART : SPREAD);
  return told(sorted.filter((p) => p === nearest || far(p) <= far(nearest) + margin(p)).map((p) => p.class));
}

/** Low inputs and outputs err in the same way whatever the order. */
function errsAlike(name: PrecisionClass): boolean {
  return name.endsWith("inputs") || name.endsWith("outputs");
}

/** TF32 and float16 have the same bits for ordinary numbers; small ones tell them apart. */
async function settled(
  found: Precision,
  operation: Operation,
  spec: CaseSpec,
  candidate: Candidate,
  animals: readonly Animal[],
  target: Target,
  at: { readonly sizes: Probe["sizes"]; readonly seed: number },
): Promise<Precision> {
  if (found.between.toSorted().join() !== "float16 inputs,tf32 inputs") return found;
  const { inputs, scalars } = built(operation, spec, { op: operation.name, profile: "unit", ...at });
  const small = Object.entries(inputs).map(([name, t]) => [
    name,
    t.data instanceof Int32Array || operation.wide.includes(name)
      ? t
      : { data: (t.data as Float32Array).map((x) => x * SMALL), shape: t.shape },
  ]);
  const problem: Problem = { inputs: Object.fromEntries(small), scalars };
  const got = await outputsOf(candidate, problem);
  const sample = new Sample(operation, animals, problem, got, target, at.seed, found.between);
  const errors = sample.errors(found.output);
  const measured = rms(errors);
  const explaining = found.between.filter((name) =>
    sample.emulated(found.output, name).some((e) => rms(difference(errors, e)) <= explained(errors.length) * measured),
  );
  return explaining.length === 1 ? { ...found, class: explaining[0], between: [] } : found;
}

function rms(list: readonly number[]): number {
  if (list.length === 0) return 0;
  return Math.sqrt(list.reduce((sum, x) => sum + x * x, 0) / list.length);
}

function difference(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x - b[i]);
}

/**
 * The output farthest from float32 whose class was named; where none was, the farthest that is undecidable, unless it may as
 * well be float32 and another output is. Undefined without outputs.
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
export function ratioOf({ measured, predictions }: Precision): number {
  if (measured === 0) return 0;
  return measured / (predictions.find((p) => p.class === "float32")?.high ?? NaN);
}
