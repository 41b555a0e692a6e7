// A relation compares runs of a candidate with each other. It needs no oracle: it holds whatever the numbers are.
import { type Allowance, aroundTruth, type Errors } from "../../reference/bounds.ts";
import { dtypes, ulp } from "../../reference/dtype.ts";
import { axesOf, type Inputs, type Operation, type Outputs, storageOf } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { type Buffers, runCandidate } from "../candidates/run.ts";
import { type Case, formatCase, parseCase, type Problem, type Sizes } from "../case.ts";
import { indexOf } from "../compare.ts";
import type { JudgeRow } from "../row.ts";
import type { Terms } from "../terms.ts";
import { allowancesOf, roundProblem, roundScalars, truth } from "../verdict.ts";

export interface Trial extends Terms {
  readonly operation: Operation;
  readonly spec: JudgeRow;
  readonly candidate: Candidate;
  readonly sizes: Sizes;
  readonly seed: number;
  /** Whether the candidate promises the same bits twice for the same inputs. */
  readonly deterministic: boolean;
  /** Whether it promises that bits do not depend on what surrounds a row; no, if left out. */
  readonly bitwise?: boolean;
  /** Whether a case has shown the candidate outside its bounds by now; never, if left out. */
  readonly isOutside?: () => boolean;
}

/**
 * holds: as far as it must. rounded: bits that could be expected to stay changed, within the allowances of the runs.
 * broken: beyond the allowances, or in a bit that every correct kernel keeps.
 */
export type RelationState = "holds" | "rounded" | "broken";

export interface Outcome {
  readonly state: RelationState;
  /** Elements that two runs gave, and that should be equal. */
  readonly compared: number;
  /** Those that differ, but at which a correct kernel has no bound. */
  readonly unjudged: number;
  /** Where it does not hold: the case, the relation, and the two numbers. */
  readonly message?: string;
  /** The line that shows it again. */
  readonly replay?: string;
}

/** A relation at one case, as a line: the case's, a comma, and the relation's name. */
export function formatRelation(c: Case, name: string): string {
  return `${formatCase(c)}, ${name}`;
}

/** The case and the relation of a line; no relation where it has no comma. */
export function parseRelation(line: string): { readonly of: Case; readonly name?: string } {
  const comma = line.indexOf(",");
  if (comma < 0) return { of: parseCase(line) };
  return { of: parseCase(line.slice(0, comma)), name: line.slice(comma + 1).trim() };
}

export interface Relation {
  readonly name: string;
  /** In words, as a sentence about a correct kernel. */
  readonly statement: string;
  /** Throws what the candidate throws. */
  readonly run: (trial: Trial) => Promise<Outcome>;
}

/** The ordinary problem of a trial: unit numbers. */
export function ordinary({ operation, spec, sizes, seed, dtype }: Trial, otherSeed = seed): Problem {
  return roundProblem(operation, spec.build(sizes, "unit", otherSeed, dtype), dtype);
}

/** One run of a candidate: the problem and its outputs. */
export class Run {
  readonly problem: Problem;
  readonly outputs: Outputs;
  private readonly trial: Trial;
  private allowed: Record<string, Allowance> | undefined;

  private constructor(trial: Trial, problem: Problem, outputs: Outputs) {
    this.trial = trial;
    this.problem = problem;
    this.outputs = outputs;
  }

  /** Throws where an output is missing: relations between the others would mean nothing. */
  static async of(trial: Trial, given: Problem, buffers?: Buffers): Promise<Run> {
    const problem = { inputs: given.inputs, scalars: roundScalars(trial.operation, given.scalars) };
    const { outputs } = await runCandidate(trial.operation, trial.candidate, problem, buffers);
    for (const name of Object.keys(trial.operation.outputs)) {
      if (outputs[name] === undefined) throw new Error(`output ${name} is missing`);
    }
    return new Run(trial, problem, outputs);
  }

  /** How far each element of an output may land, the last rounding of a low dtype included; `errors` are those of the inputs. */
  allowance(output: string, errors?: Errors<string>): Allowance {
    const { operation, dtype } = this.trial;
    this.allowed ??= this.allowances();
    const format = storageOf(operation, output, dtype);
    const own = (errors === undefined ? this.allowed : this.allowances(errors))[output];
    if (format === "float32") return own;
    const rounding = (y: number): number => ulp(y, dtypes[format]);
    return { data: own.data.map((e, i) => e + rounding(this.outputs[output].data[i])), shape: own.shape };
  }

  /** Around the truth, which two runs have in common: what is rounded to 16 bits in one may be rounded the other way in the other. */
  private allowances(errors?: Errors<string>): Readonly<Record<string, Allowance>> {
    const { operation, target } = this.trial;
    const allowed = allowancesOf(operation, this.problem, target, errors);
    if (Object.values(allowed).every(({ centre }) => centre === undefined)) return allowed;
    const want = truth(operation, this.problem);
    return Object.fromEntries(Object.entries(allowed).map(([name, own]) => [name, aroundTruth(want[name].data, own)]));
  }
}

/** One of two equal things: its numbers, and how far each may be off. */
export interface Side {
  readonly data: ArrayLike<number>;
  readonly allowed: () => ArrayLike<number>;
  readonly shape: readonly number[];
}

/** An output of a run and its allowance, both after a transformation that is exact in any binary format. */
export function sideOf(run: Run, output: string, transform: (t: Tensor) => Tensor = (t) => t): Side {
  const { data, shape } = transform(run.outputs[output]);
  return { data, shape, allowed: () => transform(run.allowance(output)).data };
}

/** A difference between two sides that should be equal. */
export type Difference = Omit<Outcome, "replay">;

/**
 * Whether bits must agree. kept: every correct kernel keeps them. reported: bits may differ within both allowances; the
 * difference becomes a note. free: the kernel adds other numbers, or in another order, so nobody expects the same bits.
 */
export type Bits = "kept" | "reported" | "free";

/** `loose` marks the elements whose bits are always free, whatever `bits` says. */
export function compareSides(
  output: string,
  want: Side,
  got: Side,
  bits: Bits,
  loose: (i: number) => boolean = () => false,
): Difference {
  const differs = (i: number): boolean =>
    !(want.data[i] === got.data[i] || (want.data[i] !== want.data[i] && got.data[i] !== got.data[i]));
  let first = -1;
  for (let i = 0; i < want.data.length && first < 0; i++) if (differs(i)) first = i;
  const compared = want.data.length;
  if (first < 0) return { state: "holds", compared, unjudged: 0 };
  const at = (i: number): string =>
    `${output}[${indexOf(i, want.shape).join(",")}]: ${want.data[i]} became ${got.data[i]}`;
  if (bits === "kept") return { state: "broken", compared, unjudged: 0, message: at(first) };
  let unjudged = 0;
  const [left, right] = [want.allowed(), got.allowed()];
  for (let i = first; i < want.data.length; i++) {
    const allowed = left[i] + right[i];
    const error = Math.abs(want.data[i] - got.data[i]);
    if (!differs(i)) continue;
    if (!(allowed < Infinity)) unjudged++;
    else if (!(error <= allowed)) {
      const message = `${at(i)}, ${(error / allowed).toPrecision(2)} × the sum of both allowances`;
      return { state: "broken", compared, unjudged, message };
    }
  }
  while (first < want.data.length && !(differs(first) && !loose(first))) first++;
  const isFree = bits === "free" || first === want.data.length;
  return { state: isFree ? "holds" : "rounded", compared, unjudged, ...(isFree ? {} : { message: at(first) }) };
}

/** The worst of several differences, described in one line. */
export function outcomeOf(name: string, { spec, sizes, seed }: Trial, differences: readonly Difference[]): Outcome {
  const worst = differences.find((d) => d.state === "broken") ?? differences.find((d) => d.state === "rounded");
  const sum = (of: (difference: Difference) => number): number => differences.reduce((n, one) => n + of(one), 0);
  const [compared, unjudged] = [sum((one) => one.compared), sum((one) => one.unjudged)];
  if (worst === undefined) return { state: "holds", compared, unjudged };
  const replay = formatRelation({ op: spec.op, sizes, profile: "unit", seed }, name);
  return { state: worst.state, compared, unjudged, message: `${replay}: ${worst.message}`, replay };
}

/** The length of each axis letter of a problem. */
export function lengthsOf(
  { inputs: specs, scalars: kinds }: Operation,
  { inputs, scalars }: Problem,
): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const [name, kind] of Object.entries(kinds)) if (kind === "axis") lengths.set(name, Number(scalars[name]));
  for (const [name, spec] of Object.entries(specs)) {
    axesOf(spec).forEach((axis, i) => lengths.set(axis, inputs[name].shape[i]));
  }
  return lengths;
}

/** Which indices of an axis are taken, and in which order. */
export type Orders = Readonly<Record<string, readonly number[]>>;

/** A tensor with the axes of its spec taken in those orders. */
export function gather<D extends Floats | Ints>(t: Tensor<D>, spec: string, orders: Orders): Tensor<D> {
  let { data, shape } = t;
  for (const [i, axis] of axesOf(spec).entries()) {
    const order = orders[axis];
    if (order === undefined) continue;
    const inner = shape.slice(i + 1).reduce((n, length) => n * length, 1);
    const outer = shape.slice(0, i).reduce((n, length) => n * length, 1);
    const taken = new (data.constructor as new (length: number) => D)(outer * order.length * inner);
    for (let o = 0; o < outer; o++) {
      for (const [to, from] of order.entries()) {
        const start = (o * shape[i] + from) * inner;
        taken.set(data.subarray(start, start + inner) as never, (o * order.length + to) * inner);
      }
    }
    data = taken;
    shape = [...shape.slice(0, i), order.length, ...shape.slice(i + 1)];
  }
  return { data, shape };
}

/** The problem at some places of an axis alone. */
export function cut(operation: Operation, { inputs, scalars }: Problem, orders: Orders): Problem {
  const taken = Object.entries(inputs).map(([name, t]) => [name, gather(t, operation.inputs[name], orders)]);
  const counts = Object.entries(orders).flatMap(([axis, { length }]) =>
    operation.scalars[axis] === "axis" ? [[axis, length]] : [],
  );
  return {
    inputs: Object.fromEntries(taken) as Inputs,
    scalars: { ...scalars, ...(Object.fromEntries(counts) as Record<string, number>) },
  };
}
