// Errors with a single source: one input of an op that is read low, or one intermediate that is stored low, or a few of them.
//
// Such an error is the same in any order of summation, so one evaluation explains nearly all of a candidate's error, or it
// is not of that class. There are many of these classes; they are tried only where a candidate errs more than float32 does.
import { type FormatName, formats, round, truncate } from "../reference/dtype.ts";
import type { Inputs, Operation, Outputs } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import { Float32Arithmetic, type Habits } from "../zoo/arithmetic.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import type { Problem } from "./case.ts";
import { widen } from "./verdict.ts";

/** Some inputs that are read in a format, or some intermediates that are stored in it, by name. */
export type SourceClass = `${FormatName} ${Kind} (${string})`;
type Kind = "inputs" | "intermediates";

export interface Source {
  readonly format: FormatName;
  readonly kind: Kind;
  readonly names: readonly string[];
}

const SEPARATOR = ", ";

export function nameOfSource({ format, kind, names }: Source): SourceClass {
  return `${format} ${kind} (${names.join(SEPARATOR)})`;
}

const PATTERN = /^(\w+) (inputs|intermediates) \((.+)\)$/;

export function isSource(name: string): name is SourceClass {
  return PATTERN.test(name);
}

/** The source that a class names. */
export function sourceOf(name: SourceClass): Source {
  const [, format, kind, names] = PATTERN.exec(name)!;
  return { format: format as FormatName, kind: kind as Kind, names: names.split(SEPARATOR) };
}

/** In TF32 numbers are read, and never stored. */
const FORMATS: Readonly<Record<Kind, readonly FormatName[]>> = {
  inputs: ["tf32", "bfloat16", "float16"],
  intermediates: ["bfloat16", "float16"],
};
/** So many evaluations are tried in which an intermediate occurs: what becomes of it differs from one to the next. */
const EVALUATIONS = 4;

/** The sources of one problem, and the outputs that each of them alone leaves. */
export class Sources {
  private readonly operation: Operation;
  private readonly problem: Problem;
  private readonly target: Target;
  private readonly evaluations: readonly Evaluation[];
  private stores: Map<string, readonly Evaluation[]> | undefined;

  constructor(operation: Operation, evaluations: readonly Evaluation[], problem: Problem, target: Target) {
    this.operation = operation;
    this.evaluations = evaluations;
    this.problem = problem;
    this.target = target;
  }

  /** Every input and every intermediate alone in every format; those that all are in the class of all inputs are left out. */
  single(): Source[] {
    return (["inputs", "intermediates"] as const)
      .flatMap((kind) =>
        FORMATS[kind].flatMap((format) => this.namesOf(kind).map((name): Source => ({ format, kind, names: [name] }))),
      )
      .filter((source) => !this.isAll(source));
  }

  /** The source with one name more, in every way. */
  wider({ format, kind, names }: Source): Source[] {
    const order = this.namesOf(kind);
    return order
      .filter((name) => !names.includes(name))
      .map((name): Source => ({ format, kind, names: order.filter((one) => one === name || names.includes(one)) }))
      .filter((source) => !this.isAll(source));
  }

  /** The outputs, rounded to nearest and cut off; for an intermediate, in several evaluations. */
  outputs({ format, kind, names }: Source): Outputs[] {
    const { operation, problem, target } = this;
    if (kind === "inputs") {
      return [round, truncate].map((to) =>
        operation.evaluate(
          widen(narrowed(problem.inputs, names, (x) => to(x, formats[format]))),
          problem.scalars,
          Float64Array,
        ),
      );
    }
    const stores = this.storing();
    const common = names.map((name) => stores.get(name) ?? []);
    const passing = common[0].filter((evaluation) => common.every((list) => list.includes(evaluation)));
    return (["nearest", "truncating"] as const).flatMap((narrowing) =>
      passing.slice(0, EVALUATIONS).map((evaluation) => {
        const f = exact(target, { stores: { names, format }, narrowing });
        return evaluation.evaluate(f, problem.inputs, problem.scalars);
      }),
    );
  }

  /** All inputs but the statistics are a class of their own. */
  private isAll({ kind, names }: Source): boolean {
    if (kind === "intermediates") return false;
    const { wide } = this.operation;
    const all = this.namesOf("inputs").filter((name) => !wide.includes(name));
    return names.length === all.length && names.every((name) => all.includes(name));
  }

  private namesOf(kind: Kind): string[] {
    if (kind === "intermediates") return [...this.storing().keys()];
    return Object.keys(this.problem.inputs).filter((name) => !(this.problem.inputs[name].data instanceof Int32Array));
  }

  /** For each intermediate the evaluations that pass through it. */
  private storing(): Map<string, readonly Evaluation[]> {
    if (this.stores !== undefined) return this.stores;
    const stores = new Map<string, Evaluation[]>();
    for (const evaluation of this.evaluations) {
      const f = exact(this.target, {});
      evaluation.evaluate(f, this.problem.inputs, this.problem.scalars);
      for (const name of f.names) {
        const list = stores.get(name) ?? [];
        list.push(evaluation);
        stores.set(name, list);
      }
    }
    this.stores = stores;
    return stores;
  }
}

function exact(target: Target, habits: Partial<Habits>): Float32Arithmetic {
  return new Float32Arithmetic(target, {
    rounding: "nearest",
    order: "pairwise",
    fused: false,
    flushes: target.flushes,
    functions: "exact",
    seed: 2, // 0 and 1 are those of an adversary
    ...habits,
  });
}

function narrowed(inputs: Inputs, names: readonly string[], to: (x: number) => number): Inputs {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, t]): [string, Tensor<Floats | Ints>] => [
      name,
      names.includes(name) ? { data: (t.data as Floats).map(to) as Floats, shape: t.shape } : t,
    ]),
  );
}
