// Correct kernels of long sums that are unlike each other, or unlike themselves from place to place: how near they come to what is called improbable.
import { buildCase } from "../judge/campaign.ts";
import type { Sizes } from "../judge/case.ts";
import type { Profile } from "../judge/profile.ts";
import { isDrawn, plausibleOf, sizesIn, sumsOf } from "../judge/improbable/suspicion.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { Scales } from "../judge/suspects.ts";
import type { Terms } from "../judge/terms.ts";
import { allowancesOf, everyElement, roundProblem, truth } from "../judge/verdict.ts";
import { dtypes } from "../reference/dtype.ts";
import type { Outputs, Scalars } from "../reference/operation.ts";
import { largest } from "../reference/lists.ts";
import { operations } from "../reference/ops/index.ts";
import { bits } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import { Float32Arithmetic, orders } from "../zoo/arithmetic.ts";
import { evaluationsOf } from "../zoo/index.ts";
import { special } from "./plausible-kernels.ts";

/** One kernel, or two that share an output, on one problem. */
export interface Near {
  readonly kernel: string;
  readonly output: string;
  /** The largest error as a share of what is plausible, and of the bound. */
  readonly plausible: number;
  readonly bound: number;
  /** How many elements were held to what is plausible, and how many are beyond. */
  readonly tests: number;
  readonly beyond: number;
}

/** Which elements of an output come from the second of two kernels. */
export const mixtures: Readonly<Record<string, (i: number, width: number, all: number) => boolean>> = {
  "the first of two": () => false,
  "rows in turn": (i, width) => Math.floor(i / width) % 2 === 1,
  "columns in turn": (i, width) => (i % width) % 2 === 1,
  "one of a hundred": (i) => bits(9, 3, i) % 100 === 0,
  "a tenth": (i) => bits(9, 4, i) % 10 === 0,
  "nine of ten": (i) => bits(9, 5, i) % 10 !== 0,
  "the last tile": (i, width, all) => i % width >= width - (width % 16 || 16) || i >= all - width,
};

const heads = { B: 1, NKV: 1, groups: 2 };
/** Sums over queries take n² weights. */
const MOST_QUERIES = 512;

/** Sizes at which an op has sums of n terms, the halves of which Strassen's products can take. */
export const longSums: Readonly<Record<string, (n: number) => readonly Sizes[]>> = {
  "linear.forward": (n) => [{ R: 8, O: 16, C: n }],
  "linear.backward": (n) => [
    { R: 8, O: n, C: 16 },
    { R: n, O: 8, C: 16 },
  ],
  "attention.forward": (n) => [{ ...heads, T: 4, S: n, HS: 16 }],
  "attention.backward": (n) => [
    { ...heads, T: 8, S: n, HS: 16 },
    ...(n > MOST_QUERIES ? [] : [{ ...heads, T: n, S: n, HS: 8 }]),
  ],
  "rmsnorm.backward": (n) => [
    { R: 4, C: n, eps: "1e-5" },
    { R: n, C: 96, eps: "1e-5" },
  ],
  "softmax.backward": (n) => [{ R: 4, C: n }],
};

/** All kernels of an op on one problem with sums of n terms. */
export function nearOf(op: string, n: number, seed: number, terms: Terms, profile: Profile = "unit"): Near[] {
  const [operation, row] = [operations.get(op)!, judgeRows.get(op)!];
  const found: Near[] = [];
  for (const sizes of longSums[op](n)) {
    const problem = roundProblem(operation, buildCase(row, { op, sizes, profile, seed }), "float32");
    const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, terms.target)];
    const compare = everyElement(operation, problem, terms);
    const kernels: [string, Outputs][] = [["the truth, rounded", rounded(want)]];
    const all = evaluationsOf(op);
    for (const [k, order] of orders.entries()) {
      for (const fused of [false, true]) {
        const habits = {
          rounding: "nearest",
          order,
          fused,
          flushes: false,
          functions: "random",
          seed: seed + k,
        } as const;
        const evaluation = all[(k + seed) % all.length];
        const given = evaluation.evaluate(new Float32Arithmetic(terms.target, habits), problem.inputs, problem.scalars);
        kernels.push([`${order}${fused ? ", fused" : ""}`, { ...rounded(want), ...given }]);
      }
    }
    for (const [name, kernel] of Object.entries(special[op] ?? {}))
      kernels.push([name, { ...rounded(want), ...kernel(problem.inputs, problem.scalars as Scalars) }]);
    for (const output of Object.keys(want).filter((name) => isDrawn(op, name, problem, terms))) {
      const { shape } = want[output];
      const width = shape.at(-1)!;
      const at = [...want[output].data.keys()];
      const [sums, sizeAt] = [sumsOf(operation, problem, output), sizesIn(want[output], terms)];
      const exact = { at, want: [...want[output].data], allowed: [...allowed[output].data] };
      for (const [a, [first, one]] of kernels.entries()) {
        for (const [manner, isSecond] of Object.entries(mixtures)) {
          const [second, other] = kernels[(a + 1 + (bits(seed, 8, a) % (kernels.length - 1))) % kernels.length];
          const data = Float32Array.from(at, (i) => (isSecond(i, width, at.length) ? other : one)[output].data[i]);
          const got: Tensor = { data, shape };
          const { improbable, worst } = compare(output, got);
          const given = { sums, output, shape, got: data, sizeAt, terms };
          const limits = plausibleOf(given, exact, at, new Scales(want[output], dtypes.float32));
          const share = largest(at.map((i) => Math.abs(data[i] - exact.want[i]) / (limits?.limit(i) ?? Infinity)));
          const kernel = manner === "the first of two" ? first : `${first}; ${manner} ${second}`;
          found.push({
            kernel,
            output,
            plausible: share,
            bound: worst,
            tests: improbable?.tests ?? 0,
            beyond: improbable?.beyond ?? 0,
          });
        }
      }
    }
  }
  return found;
}

function rounded(want: Readonly<Record<string, Tensor<Float64Array>>>): Outputs {
  return Object.fromEntries(
    Object.entries(want).map(([name, { data, shape }]) => [name, { data: Float32Array.from(data), shape }]),
  );
}
