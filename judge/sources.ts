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
import type { Emulated } from "./emulation.ts";
import { type Float8Name, isFloat8, readings8 } from "./readings.ts";
import { widen } from "./verdict.ts";

/** Some inputs that are read in a format, or some intermediates that are stored in it, by name. */
export type SourceClass =
  | `${FormatName} ${Kind} (${string})`
  | `${Float8Name} inputs`
  | `${Float8Name} inputs (${string})`;
type Kind = "inputs" | "intermediates";

export interface Source {
  readonly format: FormatName | Float8Name;
  readonly kind: Kind;
  /** Which of them; in FP8 none stands for all, since all inputs in another format are a class that is always tried. */
  readonly names: readonly string[];
}

const SEPARATOR = ", ";

export function nameOfSource({ format, kind, names }: Source): SourceClass {
  if (isFloat8(format)) return names.length === 0 ? `${format} inputs` : `${format} inputs (${names.join(SEPARATOR)})`;
  return `${format} ${kind} (${names.join(SEPARATOR)})`;
}

const PATTERN = /^(?:(\w+) (inputs|intermediates) \((.+)\)|(float8_\w+) inputs)$/;

export function isSource(name: string): name is SourceClass {
  return PATTERN.test(name);
}

/** The source that a class names. */
export function sourceOf(name: SourceClass): Source {
  const [, format, kind, names, all] = PATTERN.exec(name)!;
  if (all !== undefined) return { format: all as Float8Name, kind: "inputs", names: [] };
  return { format: format as Source["format"], kind: kind as Kind, names: names.split(SEPARATOR) };
}

/** In TF32 numbers are read, and never stored. */
const FORMATS: Readonly<Record<Kind, readonly Source["format"][]>> = {
  inputs: ["tf32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"],
  intermediates: ["bfloat16", "float16"],
};
const PRODUCT = /linear|attention/;
/** Intermediates of attention that no matrix product reads: the scores, and dS's own terms. */
const NO_FACTOR = /^(S|dP|D)$/;
/** So many evaluations are tried in which an intermediate occurs: what becomes of it differs from one to the next. */
const EVALUATIONS = 4;

/** The sources of one problem, and the outputs that each of them alone leaves. */
export class Sources {
  private readonly operation: Operation;
  private readonly problem: Problem;
  private readonly target: Target;
  private readonly evaluations: readonly Evaluation[];
  private readonly whole: Inputs;
  /** Factors that an op computes and stores in its own 16 bits are a class of their own. */
  private readonly hasOperands: boolean;
  private stores: Map<string, readonly Evaluation[]> | undefined;

  /** `whole` are the inputs of the problem of which this one is a part. */
  constructor(
    { operation, evaluations, target, dtype }: Pick<Emulated, "operation" | "evaluations" | "target" | "dtype">,
    problem: Problem,
    whole: Inputs,
  ) {
    this.whole = whole;
    this.operation = operation;
    this.evaluations = evaluations;
    this.hasOperands = dtype !== "float32" && PRODUCT.test(operation.name);
    this.problem = problem;
    this.target = target;
  }

  /** Every input and every intermediate alone in every format; those that all are in the class of all inputs are left out. */
  single(): Source[] {
    return (["inputs", "intermediates"] as const)
      .flatMap((kind) =>
        this.formatsOf(kind).flatMap((format) =>
          this.namesOf(kind).map((name): Source => ({ format, kind, names: [name] })),
        ),
      )
      .flatMap((source) => this.unlessAll(source));
  }

  /** The source with one name more, in every way. */
  wider({ format, kind, names }: Source): Source[] {
    const order = this.namesOf(kind);
    return order
      .filter((name) => !names.includes(name))
      .map((name): Source => ({ format, kind, names: order.filter((one) => one === name || names.includes(one)) }))
      .flatMap((source) => this.unlessAll(source));
  }

  /** The outputs, rounded to nearest and cut off; for an intermediate, in several evaluations. */
  outputs({ format, kind, names }: Source): Outputs[] {
    const { operation, problem, target } = this;
    if (isFloat8(format)) return this.outputs8(format, names);
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

  /** The outputs with inputs in FP8, unscaled, and scaled in two ways. */
  private outputs8(format: Float8Name, names: readonly string[]): Outputs[] {
    const { inputs, scalars } = this.problem;
    const read = names.length === 0 ? this.namesOf("inputs") : names;
    const readings = read.map((name) => readings8(inputs[name] as Tensor, this.whole[name] as Tensor, format));
    return readings[0].map((_, i) => {
      const given = { ...widen(inputs), ...Object.fromEntries(read.map((name, k) => [name, readings[k][i]])) };
      return this.operation.evaluate(given, scalars, Float64Array);
    });
  }

  /** FP8 is read by products alone. */
  private formatsOf(kind: Kind): readonly Source["format"][] {
    const isProduct = PRODUCT.test(this.operation.name);
    return FORMATS[kind].filter((format) => isProduct || !isFloat8(format));
  }

  private unlessAll(source: Source): Source[] {
    if (!this.isAll(source)) return [source];
    return isFloat8(source.format) ? [{ ...source, names: [] }] : [];
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
        if (this.hasOperands && !NO_FACTOR.test(name)) continue;
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
