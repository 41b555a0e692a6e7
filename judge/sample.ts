// One run of a probe: the errors of the candidate and of every class of precision, each as a share of its allowance.
import { type DTypeName, dtypes, round, ulp } from "../reference/dtype.ts";
import { type Operation, type Outputs, storageOf } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import type { Problem } from "./case.ts";
import type { JudgeRow } from "./row.ts";
import { emulate, type PrecisionClass } from "./emulation.ts";
import { isSource, sourceOf, Sources } from "./sources.ts";
import type { Terms } from "./terms.ts";
import { truth, widen } from "./verdict.ts";

/** What a candidate is measured as: its op, its terms, and the op's correct evaluations. */
export interface Setup extends Terms {
  readonly operation: Operation;
  readonly spec: JudgeRow;
  /** Correct evaluations of the op. */
  readonly evaluations: readonly Evaluation[];
  readonly seed: number;
  /** Keeps each probe's ruler for the next candidate that is measured in the same setup. */
  readonly rulers?: Map<string, Ruler>;
  /** Called between two stretches of work. What it throws ends the measurement. */
  readonly pause?: () => Promise<void>;
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
  private readonly evaluations = new Map<PrecisionClass, readonly Outputs[]>();

  constructor(setup: Setup, problem: Problem, seed: number) {
    const { operation, evaluations, target } = setup;
    this.sources = new Sources(operation, evaluations, problem, target);
    this.setup = setup;
    this.problem = problem;
    this.seed = seed;
    this.want = truth(operation, problem);
    this.scale = operation.bound(widen(problem.inputs), problem.scalars, { ...target, stores: {} });
  }

  /** The outputs of each evaluation of a class. */
  emulated(name: PrecisionClass): readonly Outputs[] {
    let outputs = this.evaluations.get(name);
    if (outputs === undefined) {
      const { operation, evaluations, target, dtype } = this.setup;
      outputs = isSource(name)
        ? this.sources.outputs(sourceOf(name))
        : emulate(operation, evaluations, this.problem, target, name, this.seed, dtype !== "float32");
      this.evaluations.set(name, outputs);
    }
    return outputs;
  }
}

/** One run: the errors of the candidate and of every emulation, each as a share of its allowance. */
export class Sample {
  readonly got: Outputs;
  readonly ruler: Ruler;

  constructor(ruler: Ruler, got: Outputs) {
    this.ruler = ruler;
    this.got = got;
  }

  /** Whether a correct kernel has a bound at any element. */
  hasBound(output: string): boolean {
    return this.ruler.scale[output].data.some((bound) => bound < Infinity);
  }

  /** Error ÷ allowance of the candidate, where an element has a scale. */
  errors(output: string): number[] {
    return this.each(output, (want, scale, i) => (this.got[output].data[i] - this.stored(output, want)) / scale);
  }

  /** The same for each evaluation of a class. */
  emulated(output: string, name: PrecisionClass): number[][] {
    return this.ruler.emulated(name).map(({ [output]: { data } }) => {
      const given = (i: number): number => this.stored(output, data[i]);
      return this.each(output, (want, scale, i) => (given(i) - this.stored(output, want)) / scale);
    });
  }

  /** The numbers of each evaluation of a class as they are stored. */
  values(output: string, name: PrecisionClass): number[][] {
    return this.ruler.emulated(name).map(({ [output]: { data } }) => Array.from(data, (x) => this.stored(output, x)));
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
    for (let i = 0; i < want.length; i++) {
      // Where nothing is allowed, errors count in half units of float32.
      const allowed = scale[i] === 0 ? ulp(want[i], dtypes.float32) / 2 : scale[i];
      if (!(allowed < Infinity && Number.isFinite(want[i]))) continue;
      // The distance by which a rounding to fewer bits may move a result is allowed too.
      list.push(of(want[i], format.name === "float32" ? allowed : allowed + ulp(want[i], format), i));
    }
    return list;
  }
}
