// How far a sum of products may plausibly err, in any order of its additions that does not depend on the signs of its terms.
//
// A sum is a binary tree. Its error is exactly Σᵥ δᵥ (âᵥ + b̂ᵥ) over its additions, each of which adds two computed numbers, and Σ δₖ tₖ
// over its products. Where rounding is to nearest, the δ are taken for independent numbers of mean 0, at most u (Higham and Mary 2019, "A new approach
// to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), section 2). Where the judge itself has drawn both factors with even and independent
// signs, an exact partial sum sᵥ is a sum of ±tₖ, and
//
//   âᵥ + b̂ᵥ = sᵥ + ηᵥ,   |ηᵥ| ≤ γₙ Σ|t|      (what the numbers below have gained: the second order)
//   |Σ δᵥ sᵥ| ≤ τ u √D,   D = Σᵥ Σ_{k below v} tₖ² ≤ Σt² + Σ_{k=2..n} (the sum of the k largest tₖ²)     (products and additions, as in reference/tree-sum.ts)
//   |Σ δᵥ ηᵥ| ≤ λ u √n γₙ Σ|t|
//
// but for a probability that tail.ts fixes. Higham and Mary's own bound, λ √n u Σ|t|, asks nothing of the signs, and is larger by about √n / 6 where they are even.
//
// It holds for no data of one sign: adding a constant 0.1 errs by 10 √n u Σ|t| at n = 4,096, since the same rounding comes again and again. It asks for
// n·u ≤ 4·10⁻³, beyond which η is no small part.
import { dtypes } from "../../reference/dtype.ts";
import type { Inputs } from "../../reference/operation.ts";
import { gamma } from "../../reference/rounding.ts";
import type { Target } from "../../reference/targets.ts";
import type { Floats } from "../../reference/tensor.ts";
import { nodesOf } from "../../reference/tree-sum.ts";
import { LAMBDA, TAU } from "./tail.ts";

const { u } = dtypes.float32;
/** The largest n·u. */
const MOST = 4e-3;

/** Whether a target's sums are trees of additions that round to nearest, of numbers as they are stored. */
export function roundsToNearest({ u: own, fusedSums = false }: Target): boolean {
  return own <= u && !fusedSums;
}

/** Whether the errors of what is added after n roundings are a small part. */
export function isShort(n: number): boolean {
  return n * u <= MOST;
}

/** The limit for a sum of these products; Infinity where nothing is said. */
export function limitOfSum(terms: readonly number[]): number {
  const n = terms.length;
  if (!isShort(n)) return Infinity;
  let [size, squares] = [0, 0];
  for (const t of terms) {
    size += Math.abs(t);
    squares += t * t;
  }
  const additions = nodesOf(
    terms.map((t) => t * t),
    n,
  );
  return u * (TAU * Math.sqrt(squares + additions) + LAMBDA * Math.sqrt(n) * gamma(n, u) * size);
}

/** The two vectors whose product is an element of an output: where each begins, and how far its numbers lie apart. */
interface Dot {
  readonly n: number;
  readonly left: readonly [input: string, from: number, step: number];
  readonly right: readonly [input: string, from: number, step: number];
}

/** The outputs that are products of matrices whose signs are even and independent in a drawn case. */
const dots: Readonly<Record<string, (inputs: Inputs, i: number) => Dot>> = {
  "linear.forward y": ({ x, w }, i) => {
    const [[, n], [O]] = [x.shape, w.shape];
    return { n, left: ["x", Math.floor(i / O) * n, 1], right: ["w", (i % O) * n, 1] };
  },
  "linear.backward dx": ({ dy, w }, i) => {
    const [[, n], [, C]] = [dy.shape, w.shape];
    return { n, left: ["dy", Math.floor(i / C) * n, 1], right: ["w", i % C, C] };
  },
  "linear.backward dw": ({ dy, x }, i) => {
    const [[n, O], [, C]] = [dy.shape, x.shape];
    return { n, left: ["dy", Math.floor(i / C), O], right: ["x", i % C, C] };
  },
};

/** Whether an output is sums of products with drawn signs. */
export function isProduct(op: string, output: string): boolean {
  return dots[`${op} ${output}`] !== undefined;
}

/** The products whose sum an element is; undefined where an output is no such sum. */
export function termsOf(op: string, output: string, inputs: Inputs): ((i: number) => number[]) | undefined {
  const dot = dots[`${op} ${output}`];
  if (dot === undefined) return undefined;
  return (i) => {
    const { n, left, right } = dot(inputs, i);
    const [a, b] = [inputs[left[0]].data as Floats, inputs[right[0]].data as Floats];
    return Array.from({ length: n }, (_, k) => a[left[1] + k * left[2]] * b[right[1] + k * right[2]]);
  };
}
