// One run of a probe: the errors of the candidate and of every class of precision, each as a share of its allowance.
import type { Candidate } from "../reference/candidate.ts";
import { type DTypeName, dtypes, round, ulp } from "../reference/dtype.ts";
import { type Inputs, type Operation, type Outputs, storageOf } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import type { Probe } from "./probes.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { cutOut } from "./around.ts";
import type { Part } from "./at-scale.ts";
import type { Problem } from "./case.ts";
import type { NamedClass } from "./classify.ts";
import type { JudgeRow } from "./row.ts";
import { emulate, everyFloat32, type PrecisionClass } from "./emulation.ts";
import { lowFactors } from "./low-factors.ts";
import { isSource, sourceOf, Sources } from "./sources.ts";
import type { Terms } from "./terms.ts";
import { roundProblem, truth, widen } from "./verdict.ts";

/** What a candidate is measured as: its op, its terms, and the op's correct evaluations. */
export interface Setup extends Terms {
  readonly operation: Operation;
  readonly spec: JudgeRow;
  /** Correct evaluations of the op. */
  readonly evaluations: readonly Evaluation[];
  readonly seed: number;
  /** Keeps each probe's scene for the next candidate that is measured in the same setup. */
  readonly scenes?: Map<string, Scene>;
  /** Called between two stretches of work. What it throws ends the measurement. */
  readonly pause?: () => Promise<void>;
}

/**
 * A closer look at the class of an output, with problems made for it. Gives the class, or a surer one. Throws what the candidate throws.
 */
export type CloserLook = (
  named: NamedClass,
  output: string,
  candidate: Candidate,
  probe: Probe,
  setup: Setup,
) => Promise<NamedClass>;

/** The problem of a probe's case, in the dtype. */
export function problemOf(
  { operation, spec, dtype }: Pick<Setup, "operation" | "spec" | "dtype">,
  { sizes, profile = "unit", change }: Probe,
  seed: number,
): Problem {
  const plain = roundProblem(operation, spec.build(sizes, profile, seed, dtype), dtype);
  return change === undefined ? plain : roundProblem(operation, change.of(operation, plain, seed), dtype);
}

/** What a candidate is run on in one probe, and the rulers for what is measured of its outputs. */
export class Scene {
  readonly problem: Problem;
  private readonly rulers: readonly (readonly [Ruler, Part | undefined])[];

  constructor(setup: Setup, { outputs, tiles }: Probe, problem: Problem, seed: number) {
    this.problem = problem;
    const parts = tiles?.(problem, seed) ?? [undefined];
    this.rulers = parts.map((part) => {
      const small = part === undefined ? problem : cutOut(problem, part);
      return [new Ruler(setup, small, seed, outputs, problem.inputs), part] as const;
    });
  }

  /** The same for every candidate. */
  emulate(name: PrecisionClass): void {
    for (const [ruler] of this.rulers) ruler.emulated(name);
  }

  /** One sample for each part that is measured. */
  samples(got: Outputs): Sample[] {
    return this.rulers.map(([ruler, part]) => new Sample(ruler, got, part));
  }
}

/** The scale for errors on one problem, whatever the candidate: the truth, the allowances, and each class's outputs. */
export class Ruler {
  readonly setup: Setup;
  readonly problem: Problem;
  readonly want: Outputs;
  readonly scale: Outputs;
  /** What may be read or stored low alone. */
  readonly sources: Sources;
  private readonly seed: number;
  private readonly outputs: readonly string[];
  private readonly evaluations = new Map<PrecisionClass, readonly Outputs[]>();
  private variants: readonly Outputs[] | undefined;
  private factors: ReadonlyMap<PrecisionClass, readonly Outputs[]> | undefined;

  constructor(setup: Setup, problem: Problem, seed: number, outputs: readonly string[], whole: Inputs) {
    const { operation, target } = setup;
    this.sources = new Sources(setup, problem, whole);
    this.setup = setup;
    this.problem = problem;
    this.seed = seed;
    this.outputs = outputs;
    this.want = truth(operation, problem);
    this.scale = operation.bound(widen(problem.inputs), problem.scalars, { ...target, stores: {}, sums: {} });
  }

  /** The same in float32, in many variants more. */
  everyFloat32(): readonly Outputs[] {
    this.variants ??= everyFloat32(this.setup, this.problem, this.seed, this.outputs);
    return this.variants;
  }

  /** The same for each class of low factors; undefined for ops of which all ways are tried always. */
  lowFactors(): ReadonlyMap<PrecisionClass, readonly Outputs[]> | undefined {
    this.factors ??= lowFactors(this.setup, this.problem, this.seed, this.outputs);
    return this.factors;
  }

  /** The measured outputs of each evaluation of a class. */
  emulated(name: PrecisionClass): readonly Outputs[] {
    let found = this.evaluations.get(name);
    if (found === undefined) {
      found = isSource(name)
        ? this.sources.outputs(sourceOf(name))
        : emulate(this.setup, this.problem, name, this.seed, this.outputs);
      this.evaluations.set(name, found);
    }
    return found;
  }
}

/** One run: the errors of the candidate and of every emulation, each as a share of its allowance. */
export class Sample {
  readonly got: Outputs;
  readonly ruler: Ruler;
  private readonly part: Part | undefined;

  /** `got` are outputs of the ruler's problem, or of the large one of which that is a part. */
  constructor(ruler: Ruler, got: Outputs, part?: Part) {
    this.ruler = ruler;
    this.got = got;
    this.part = part;
  }

  /** Whether a correct kernel has a bound at any element. */
  hasBound(output: string): boolean {
    return Array.from(this.places(output)).some((i) => this.ruler.scale[output].data[i] < Infinity);
  }

  /** Error ÷ allowance of the candidate, where an element has a scale. */
  errors(output: string): number[] {
    const given = (i: number): number => this.got[output].data[this.at(output, i)];
    return this.each(output, (want, scale, i) => (given(i) - this.stored(output, want)) / scale);
  }

  /** The same for each evaluation of a class. */
  emulated(output: string, name: PrecisionClass): number[][] {
    return this.errorsOf(output, this.ruler.emulated(name));
  }

  /** The same for float32 in many variants more. */
  everyFloat32(output: string): number[][] {
    return this.errorsOf(output, this.ruler.everyFloat32());
  }

  /** The same for each class of low factors. */
  lowFactors(output: string): ReadonlyMap<PrecisionClass, number[][]> {
    const found = [...(this.ruler.lowFactors() ?? [])];
    return new Map(found.map(([name, evaluations]) => [name, this.errorsOf(output, evaluations)]));
  }

  private errorsOf(output: string, evaluations: readonly Outputs[]): number[][] {
    return evaluations.map(({ [output]: { data } }) => {
      const given = (i: number): number => this.stored(output, data[i]);
      return this.each(output, (want, scale, i) => (given(i) - this.stored(output, want)) / scale);
    });
  }

  /** The candidate's numbers. */
  given(output: string): number[] {
    return Array.from(this.places(output), (i) => this.got[output].data[this.at(output, i)]);
  }

  /** The numbers of each evaluation of a class as they are stored. */
  values(output: string, name: PrecisionClass): number[][] {
    return this.ruler
      .emulated(name)
      .map(({ [output]: { data } }) => Array.from(this.places(output), (i) => this.stored(output, data[i])));
  }

  /** The same errors before anything is rounded to fewer bits than float32. */
  unrounded(output: string, name: PrecisionClass): number[][] {
    return this.ruler
      .emulated(name)
      .map(({ [output]: { data } }) => this.each(output, (want, scale, i) => (data[i] - want) / scale));
  }

  /**
   * The distance of two stored numbers ÷ allowance. Errors of size e move a result to the other side of a tie in a share
   * e ÷ distance of all elements, and then by that distance.
   */
  steps(output: string): number[] {
    const format = dtypes[this.storage(output)];
    return this.each(output, (want, scale) => (format.name === "float32" ? 0 : ulp(want, format) / scale));
  }

  private storage(output: string): DTypeName {
    return storageOf(this.ruler.setup.operation, output, this.ruler.setup.dtype);
  }

  private stored(output: string, x: number): number {
    const format = this.storage(output);
    return format === "float32" ? x : round(x, dtypes[format]);
  }

  private each(output: string, of: (want: number, scale: number, i: number) => number): number[] {
    const [want, scale]: Tensor["data"][] = [this.ruler.want[output].data, this.ruler.scale[output].data];
    const list: number[] = [];
    const format = dtypes[this.storage(output)];
    for (const i of this.places(output)) {
      // Where nothing is allowed, errors count in half units of float32.
      const allowed = scale[i] === 0 ? ulp(want[i], dtypes.float32) / 2 : scale[i];
      if (!(allowed < Infinity && Number.isFinite(want[i]))) continue;
      // The distance by which a rounding to fewer bits may move a result is allowed too.
      list.push(of(want[i], format.name === "float32" ? allowed : allowed + ulp(want[i], format), i));
    }
    return list;
  }

  /** The elements of the ruler's outputs that are measured. */
  private places(output: string): Iterable<number> {
    if (this.part !== undefined && this.part.outputs[output] === undefined) return [];
    return this.part?.keep?.[output] ?? this.ruler.want[output].data.keys();
  }

  /** Where an element of the ruler's outputs lies in the candidate's. */
  private at(output: string, i: number): number {
    return this.part?.outputs[output]?.(i) ?? i;
  }
}
