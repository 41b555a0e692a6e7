// How far a correct gradient norm may land. The row lists the forms that are covered.
//
// A part's norm is rounded before it is squared again. Where Σ g² may overflow, a correct kernel has no bound unless it scales.
import { type Allowances, allowances, type Errors, type Reals } from "../bounds.ts";
import { rootFromZero, shareOf } from "../domains.ts";
import { dtypes } from "../dtype.ts";
import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as gradientNorm from "./gradient-norm.ts";

const { minNormal } = dtypes.float32;

export const forward = defineOp({
  name: "gradient-norm.forward",
  summary: "norm = √(Σ g²)",
  inputs: { g: "N" },
  integers: [],
  scalars: {},
  outputs: { norm: "" },
  stores: none("squares of low precision would leave its range"),
  sums: { squares: { of: "g²", over: ["N"] } },
  covered: {
    "root-of-sum": "the root of the sum of squares, in any order and over any number of workgroups",
    "root-from-minimum": "the root of what is at least the least normal number",
    "norm-of-norms":
      "the norm of the norms of any parts, or of norms of norms, up to four times: a tensor's shards, tensors, ranks, stages, then all",
    "norm-of-magnitudes": "the norm of the magnitudes, each a part of its own",
    "scaled-by-largest": "the largest magnitude times the norm of g ÷ largest, which cannot overflow",
  },
  exact: none("a root"),
  wide: ["norm"],
  evaluate: ({ g }) => gradientNorm.forward(g), // any number of tensors, but here one
  bound: forwardBound,
});

/** g: any shape → an allowance for norm: []. */
function forwardBound({ g }: Reals<"g">, _: object, target: Target, errors: Errors<"g"> = {}): Allowances<"norm"> {
  const a = new Arithmetic(target);
  const squares = a.sum(g.data.length, "squares");
  let largest = 0;
  let largestError = 0;
  for (let i = 0; i < g.data.length; i++) {
    const error = errors.g?.data[i] ?? 0;
    squares.addProduct(g.data[i], g.data[i], error, error);
    largest = Math.max(largest, Math.abs(g.data[i]));
    largestError = Math.max(largestError, error);
  }
  const total = squares.total();
  const norm = allowances([]);
  norm.data[0] = a.either(
    rootFromZero(a, total),
    ofNorms(a, total, g.data.length),
    scaled(a, total, g.data.length, { value: largest, error: largestError }),
  ).error;
  return { norm };
}

/** How often a norm may be squared again: that of a tensor's shard, of the tensor, of a rank's tensors, of a pipeline's stage; then comes that of all. */
const LEVELS = 4;

/**
 * √(Σ p²), p the norm of a part, or of norms of parts. Each p errs by √'s accuracy and each p² by a rounding, of which the next root takes
 * half: the whole has the same relative error, once for each level; the additions within the parts and over them are together those of one sum.
 * A part below √'s domain has a p² from 0 to about 2⁻¹²⁶, and p² may be flushed.
 */
function ofNorms(a: Arithmetic, total: Approx, n: number): Approx {
  const level = (1 + shareOf(a, "sqrt", a.exact(1))) * Math.sqrt(1 + a.u);
  const twice = level * level;
  const share = twice * twice - 1; // LEVELS are four
  const root = rootFromZero(a, { value: total.value, error: total.error + 3 * LEVELS * n * minNormal });
  return { value: root.value, error: root.error + share * (root.value + root.error) };
}

/**
 * max · √(Σ (g / max)²): each quotient errs by the division's accuracy, so their norm has the same relative error; the root,
 * of a number from 1 to n, errs by √'s. Squares of small quotients and partial sums may be flushed. Not covered where the
 * target promises nothing about a division by the largest.
 */
function scaled(a: Arithmetic, total: Approx, n: number, largest: Approx): Approx {
  const division = shareOf(a, "divide", largest);
  if (!(division < Infinity)) return rootFromZero(a, total);
  const share = (1 + division) * (1 + shareOf(a, "sqrt", a.exact(1))) * (1 + a.u) - 1;
  const lost = 3 * n * minNormal * (largest.value + largest.error) * (largest.value + largest.error);
  const value = Math.sqrt(total.value);
  const highest = Math.sqrt(total.value + total.error + lost);
  const lowest = Math.sqrt(Math.max(0, total.value - total.error - lost));
  return { value, error: Math.max(highest - value, value - lowest) + share * highest };
}
