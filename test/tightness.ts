// How far above the worst evaluation that was built an op's bound lies: as it was, for any order by the number of terms and with exponentials of 0
// that err, and as it is.
import * as fc from "fast-check";
import { arbitraryCase, type Case, exampleCases, type Problem } from "../judge/case.ts";
import { buildCase } from "../judge/campaign.ts";
import type { Expected } from "../judge/compare.ts";
import { isDrawn, plausibleOf, sizesIn, sumsOf } from "../judge/improbable/suspicion.ts";
import { Scales } from "../judge/suspects.ts";
import { dtypes } from "../reference/dtype.ts";
import type { Tensor } from "../reference/tensor.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { allowancesOf, roundProblem, truth } from "../judge/verdict.ts";
import { operations } from "../reference/ops/index.ts";
import type { Target } from "../reference/targets.ts";
import { Float32Arithmetic, orders } from "../zoo/arithmetic.ts";
import { evaluationsOf } from "../zoo/index.ts";

/** Bound ÷ error at the element where that is least. */
export interface Tightness {
  readonly before: number;
  readonly after: number;
  /** What is plausible ÷ the error of an evaluation that rounds to nearest; Infinity where nothing is said. */
  readonly plausible: number;
}

/** The target without what narrows its bounds: sums are no trees of additions, and exp(0) errs as any other. */
export const asBefore = (target: Target): Target => ({ ...target, fusedSums: true, expOfZero: false });

/**
 * Of an op, on ordinary numbers: evaluations that err by u each time, to one side, to the other and to either, and honest ones in every order. In
 * drawn cases, whose sums are short, and where the op has sums, on some of n terms.
 */
export function tightnessOf(op: string, target: Target, cases: number, seed: number): Tightness {
  return least(op, target, ordinary(op, cases, seed), 1);
}

/** The same with sums of n terms; undefined where an op has none. */
export function tightnessOfSums(op: string, target: Target, n: number, seed: number): Tightness | undefined {
  const row = judgeRows.get(op)!;
  if (!SUMS.test(op)) return undefined;
  const long = row.probes(n).filter(({ tiles, change }) => tiles === undefined && change === undefined);
  return least(
    op,
    target,
    long.map(({ sizes, outputs }) => ({ op, sizes, profile: "unit", seed, outputs })),
    ROUNDS,
  );
}

const SUMS = /^(linear|attention|rmsnorm|softmax|cross-entropy|gradient-norm)\./;
/** How often each evaluation is tried on a long sum. */
const ROUNDS = 6;

/** A case, and the outputs that are looked at; all, if left out. */
type Looked = Case & { readonly outputs?: readonly string[] };

function least(op: string, target: Target, cases: readonly Looked[], rounds: number): Tightness {
  const [operation, row] = [operations.get(op)!, judgeRows.get(op)!];
  const evaluations = Array.from({ length: rounds }, () => evaluationsOf(op)).flat();
  let [before, after, plausible, n] = [Infinity, Infinity, Infinity, 0];
  for (const c of cases) {
    const problem = roundProblem(operation, buildCase(row, c), "float32");
    const want = truth(operation, problem);
    const [now, then] = [target, asBefore(target)].map((t) => allowancesOf(operation, problem, t));
    for (const evaluation of evaluations) {
      const rounding = n % 2 === 0 ? "adversarial" : "nearest";
      const functions = (["low", "high", "exact"] as const)[n % 3];
      const order = orders[n % orders.length];
      const habits = { rounding, order, fused: n % 5 === 0, flushes: false, functions, seed: n % 4 } as const;
      n++;
      const got = evaluation.evaluate(new Float32Arithmetic(target, habits), problem.inputs, problem.scalars);
      for (const [output, { data }] of Object.entries(want)) {
        if (c.outputs?.includes(output) === false) continue;
        const allowed = now[output];
        if (rounding === "nearest")
          plausible = Math.min(
            plausible,
            leastPlausible(op, problem, target, output, got[output], { want: want[output], allowed }),
          );
        for (const [i, w] of data.entries()) {
          const error = Math.abs(got[output].data[i] - w);
          if (!(error > 0 && now[output].data[i] < Infinity)) continue;
          after = Math.min(after, now[output].data[i] / error);
          before = Math.min(before, then[output].data[i] / error);
        }
      }
    }
  }
  return { before, after, plausible };
}

/** What is plausible ÷ error at the element where that is least. */
function leastPlausible(
  op: string,
  problem: Problem,
  target: Target,
  output: string,
  { data, shape }: Tensor,
  { want, allowed }: Expected,
): number {
  const terms = { target, dtype: "float32" } as const;
  if (!isDrawn(op, output, problem, terms)) return Infinity;
  const at = [...want.data.keys()];
  const sums = sumsOf(operations.get(op)!, problem, output);
  const given = { sums, output, shape, got: data, sizeAt: sizesIn(want, terms), terms };
  const exact = { at, want: [...want.data], allowed: [...allowed.data] };
  const limits = plausibleOf(given, exact, at, new Scales(want, dtypes.float32));
  return limits === undefined
    ? Infinity
    : Math.min(...at.map((i) => limits.limit(i) / Math.abs(data[i] - want.data[i])));
}

function ordinary(op: string, cases: number, seed: number): Case[] {
  const row = judgeRows.get(op)!;
  const drawn = fc.sample(arbitraryCase(row, false), { numRuns: cases, seed });
  const usual = drawn.map(({ sizes }, n): Case => ({ op, sizes, profile: "unit", seed: seed + n }));
  return [...exampleCases(row, seed).filter(({ profile }) => profile === "unit"), ...usual];
}

/** A line of the table in docs/bounds.md. */
export function tightnessLine(op: string, target: Target, cases: number): string {
  const figure = (x: number): string => (x < Infinity ? x.toPrecision(2) : "no error");
  const [drawn, long] = [tightnessOf(op, target, cases, 1), tightnessOfSums(op, target, LENGTH, 1)];
  const plausible = long !== undefined && long.plausible < Infinity ? figure(long.plausible) : "";
  const sums = long === undefined ? ["", "", ""] : [figure(long.before), figure(long.after), plausible];
  return `| ${[op, figure(drawn.before), figure(drawn.after), ...sums].join(" | ")} |`;
}

/** The length of the long sums in the table, and the drawn cases. */
export const LENGTH = 512;
export const CASES = 40;
