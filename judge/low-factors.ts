// Attention with low factors, in more ways than the classes that are always tried: what a matrix unit reads low a kernel may compute from
// low inputs or from those it is given, once or again. These are tried where nothing else explains a candidate's errors.
import type { FormatName } from "../reference/dtype.ts";
import type { Inputs, Outputs } from "../reference/operation.ts";
import { Float32Arithmetic, type Habits } from "../zoo/arithmetic.ts";
import type { Problem } from "./case.ts";
import { type Emulated, narrowed, type WholeClass } from "./emulation.ts";

const OPS = /^attention\.[a-z]+$/;
const FORMATS = ["tf32", "bfloat16", "float16"] as const;
const NARROWINGS = ["nearest", "truncating"] as const;
/** Every second evaluation: each place of the scale occurs, which decides what is rounded. */
const STEP = 2;
/** What stays as it is given: nothing, the y of which D is a sum over each row, or all but the factors of products. */
const KEPT: readonly ((name: string) => boolean)[] = [() => false, (name) => name === "y", () => true];

/** The `only` outputs of one problem for each class of low factors; undefined for other ops. */
export function lowFactors(
  { operation, evaluations, target, dtype }: Emulated,
  problem: Problem,
  seed: number,
  only: readonly string[],
): ReadonlyMap<WholeClass, readonly Outputs[]> | undefined {
  if (!OPS.test(operation.name) || dtype !== "float32") return undefined;
  const tried = evaluations.filter((_, i) => i % STEP === 0);
  const run = (habits: Partial<Habits>, inputs: Inputs): Outputs[] => {
    const all = { rounding: "nearest", order: "sequential", fused: true, functions: "exact", seed: seed + 2 } as const;
    return tried.map((evaluation) => {
      const f = new Float32Arithmetic(target, { ...all, flushes: target.flushes, ...habits });
      return evaluation.evaluate(f, inputs, problem.scalars, only);
    });
  };
  const low = (format: FormatName): Outputs[] =>
    NARROWINGS.flatMap((narrowing) =>
      KEPT.flatMap((isKept) => {
        const kept = Object.keys(problem.inputs).filter((name) => operation.wide.includes(name) || isKept(name));
        const inputs = narrowed(problem.inputs, format, narrowing === "truncating", kept);
        // P is a factor where it is read, or stored low, and then dS is one of it.
        return [[], ["P", "P_dS", "P_D"]].flatMap((names) =>
          run({ operands: format, narrowing, stores: { names, format } }, inputs),
        );
      }),
    );
  return new Map<WholeClass, Outputs[]>([
    ...FORMATS.map((format) => [`${format} inputs`, low(format)] as const),
    ["bfloat16x3 inputs", NARROWINGS.flatMap((narrowing) => run({ pieces: "bfloat16", narrowing }, problem.inputs))],
  ]);
}
