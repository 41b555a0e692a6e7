// How far a correct RMSNorm may land.
//
// The rows list the forms that are covered; products may be in any association. rstd as a power, pow(m, −½), is not covered:
// where pow is exp2(−½ · log2 m), as in WGSL, it may lose some 60 units in the last place where inverseSqrt loses 2, and the
// bound would allow every other kernel as much.
//
// The truth of the backward takes the given rstd, s, as an input like any other, so that a recorded step is judged on its own
// records. Let s* = 1 / √(mean x² + eps), exactly, and e* be the forward's allowance for rstd. A kernel that computes rstd
// again, as every autograd does, works with some s̃ within e* of s*, so within |s − s*| + e* of s; a kernel that reads it
// works with s, within its error as an input. All formulas are therefore evaluated on the pair (s, E),
//   E = max(error of s, |s − s*| + e*).
// Where s comes from a correct forward, |s − s*| ≤ e* and E ≤ 2 e*. Otherwise |s − s*| may be large: the two ways differ by
// that much, and both are correct for their inputs. An error that the bound lets through there is found at the forward, which
// gave s. Where the mean square has no bound, one of the two ways has none: unjudged.
//
// E is the same for a whole row, but enters Σ dn · n term by term, as E / s · Σ|dn · n|. The sum's own roundings are
// γ(C) · Σ|dn · n|, and E / s is about γ(C) / 2 for each s*: the same order, so the bound hardly grows.
import { type Allowances, allowances, type Errors, type Reals, reader } from "../bounds.ts";
import { quotient } from "../domains.ts";

import { type Approx, Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { defineOp } from "../define-op.ts";
import { none } from "../none.ts";
import * as rmsnorm from "./rmsnorm.ts";

/** Covered wherever rstd is computed: in the forward, and again in the backward. */
const rstdCovered = {
  "mean-as-quotient": "the mean square as Σ x² / C",
  "mean-by-reciprocal": "the mean square as Σ x² · (1 / C)",
  "mean-of-quotients": "the mean square as Σ (x² / C)",
  "mean-of-shares": "the mean square as Σ x · (x · (1 / C))",
  "rstd-by-inverse-sqrt": "rstd by inverseSqrt",
  "rstd-by-root": "rstd as 1 / √",
} as const;

export const forward = defineOp({
  name: "rmsnorm.forward",
  summary: "rstd = 1 / √(mean x² + eps),  y = x · rstd · w",
  inputs: { x: "R,C", w: "C" },
  integers: [],
  scalars: { eps: "real" },
  outputs: { y: "R,C", rstd: "R" },
  stores: { n: "x · rstd, before the gain" },
  sums: { squares: { of: "x²", over: ["C"] } },
  covered: {
    ...rstdCovered,
    "rstd-first": "y as (x · rstd) · w",
    "gain-scaled-first": "y as x · (rstd · w)",
    "gain-first": "y as (x · w) · rstd",
    "over-root-first": "y as (x / √) · w",
    "over-root-last": "y as (x · w) / √",
    "gain-over-root": "y as x · (w / √)",
  },
  uncovered: {
    "rstd as pow(m, −1/2)":
      "where pow is exp2(−1/2 · log2 m), as in WGSL, it may lose some 60 units in the last place where inverseSqrt loses 2",
  },
  exact: none("a root"),
  wide: ["rstd"],
  evaluate: ({ x, w }, { eps }) => rmsnorm.forward(x, w, eps),
  bound: forwardBound,
});

export const backward = defineOp({
  name: "rmsnorm.backward",
  summary: "dx = rstd · (dn − n · mean(dn · n)),  dw = Σ dy · n,  n = x · rstd,  dn = dy · w",
  inputs: { dy: "R,C", x: "R,C", w: "C", rstd: "R" },
  integers: [],
  scalars: { eps: "real" },
  outputs: { dx: "R,C", dw: "C" },
  stores: { n: "x · rstd", dn: "dy · w", term: "dy · n, the terms of dw" },
  sums: {
    squares: { of: "x²", over: ["C"] },
    projection: { of: "dn · n", over: ["C"] },
    dw: { of: "dy · n", over: ["R"] },
  },
  covered: {
    factored: "dx as rstd · (dn − n · mean(dn · n))",
    "multiplied-out": "dx as rstd · dn − n · (rstd · mean((dy · n) · w))",
    "rstd-squared": "rstd taken out of the sum: rstd · (dn − x · (rstd² · mean(dn · x)))",
    "rstd-cubed":
      "rstd · dn − x · (rstd³ · mean(dn · x)); dx has no bound where rstd³, or its product with Σ(dn · x), leaves the range",
    autograd: "rstd · dn + (−½ · Σ(dn · x) · rstd³ / C) · 2x, as an autograd forms it; the same",
    "length-outside": "(rstd / C) · (C · dn − n · Σ(dn · n)), 1 / C taken out of the difference",
    "reciprocal-first": "rstd · dn − (1/C · rstd · rstd · Σ(dn · x)) · rstd · x",
    "gain-term-of-n": "the terms of dw as dy · (x · rstd)",
    "gain-term-scaled-last": "the terms of dw as (dy · x) · rstd",
    "rstd-saved": "rstd as it was saved",
    ...rstdCovered,
  },
  exact: none("products of more than two factors"),
  wide: ["rstd"],
  evaluate: ({ dy, x, w, rstd }, { eps }) => rmsnorm.backward(dy, x, w, rstd, eps),
  bound: backwardBound,
});

/** x: [R, C], w: [C] → allowances for y and rstd. The intermediate n = x · rstd may be declared as stored low. */
function forwardBound(
  { x, w }: Reals<"x" | "w">,
  { eps }: { readonly eps: number },
  target: Target,
  errors: Errors<"x" | "w"> = {},
): Allowances<"y" | "rstd"> {
  const { R, C } = checkShapes({ x: [x, "R,C"], w: [w, "C"] });
  const a = new Arithmetic(target);
  const xAt = reader(x, errors.x);
  const wAt = reader(w, errors.w);
  const y = allowances(x.shape);
  const rstd = allowances([R]);
  for (let r = 0; r < R; r++) {
    const row = Array.from({ length: C }, (_, c) => xAt(r * C + c));
    const moment = a.add(meanSquare(a, row), a.exact(eps));
    const scale = a.inverseSqrt(moment);
    const root = a.sqrt(moment);
    rstd.data[r] = scale.error;
    for (let c = 0; c < C; c++) {
      const gain = wAt(c);
      y.data[r * C + c] = a.either(
        a.product(row[c], scale, gain),
        a.multiply(a.divide(row[c], root), gain),
        a.divide(a.multiply(row[c], gain), root),
        a.multiply(row[c], a.divide(gain, root)),
        a.multiply(a.store("n", a.multiply(row[c], scale)), gain),
      ).error;
    }
  }
  return { y, rstd };
}

function meanSquare(a: Arithmetic, row: readonly Approx[]): Approx {
  const length = a.exact(row.length);
  const oneNth = a.divide(a.exact(1), length);
  const squares = a.sum(row.length, "squares");
  const shares = a.sum(row.length, "squares");
  for (const x of row) {
    squares.addProduct(x.value, x.value, x.error, x.error);
    const share = a.either(a.divide(a.multiply(x, x), length), a.product(x, x, oneNth));
    shares.add(share.value, share.error);
  }
  return a.either(meanOf(a, squares.total(), row.length), shares.total());
}

/** A sum over n terms, divided by n or multiplied by 1/n. */
function meanOf(a: Arithmetic, sum: Approx, n: number): Approx {
  const length = a.exact(n);
  return a.either(a.divide(sum, length), a.multiply(sum, a.divide(a.exact(1), length)));
}

/** dy, x: [R, C], w: [C], rstd: [R] as saved by the forward, eps as there → allowances for dx and dw. */
function backwardBound(
  { dy, x, w, rstd }: Reals<"dy" | "x" | "w" | "rstd">,
  { eps }: { readonly eps: number },
  target: Target,
  errors: Errors<"dy" | "x" | "w" | "rstd"> = {},
): Allowances<"dx" | "dw"> {
  return gradientBound({ dy, x, w }, scales({ x, rstd }, eps, target, errors), target, errors);
}

/** x: [R, C], rstd: [R] → for each row the given rstd, and how far a correct kernel's rstd may lie from it. */
export function scales(
  { x, rstd }: Reals<"x" | "rstd">,
  eps: number,
  target: Target,
  errors: Errors<"x" | "rstd"> = {},
): Approx[] {
  const { R, C } = checkShapes({ x: [x, "R,C"], rstd: [rstd, "R"] });
  const a = new Arithmetic(target);
  const xAt = reader(x, errors.x);
  const rstdAt = reader(rstd, errors.rstd);
  return Array.from({ length: R }, (_, r) => {
    if (C === 0) return rstdAt(r); // the mean of nothing, on which no output depends
    const row = Array.from({ length: C }, (__, c) => xAt(r * C + c));
    return a.either(rstdAt(r), a.inverseSqrt(a.add(meanSquare(a, row), a.exact(eps))));
  });
}

/**
 * dy, x: [R, C], w: [C], and for each row a pair of rstd and its error → allowances for dx and dw; those for dw hold for any
 * choice of columns. The intermediates n = x · rstd, dn = dy · w and the terms of dw, dy · n, may each be declared as stored
 * low.
 */
export function gradientBound(
  { dy, x, w }: Reals<"dy" | "x" | "w">,
  rstd: readonly Approx[],
  target: Target,
  errors: Errors<"dy" | "x" | "w"> = {},
): Allowances<"dx" | "dw"> {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], x: [x, "R,C"], w: [w, "C"] });
  const a = new Arithmetic(target);
  const dyAt = reader(dy, errors.dy);
  const xAt = reader(x, errors.x);
  const wAt = reader(w, errors.w);
  const dx = allowances(x.shape);
  const dw = allowances(w.shape);
  const gains = Array.from({ length: C }, () => a.sum(R, "dw"));
  const length = a.exact(C);
  const oneNth = a.divide(a.exact(1), length);
  const { stores = {} } = target;
  const isLow = (...names: string[]): boolean => names.some((name) => stores[name] !== undefined);
  for (let r = 0; r < R; r++) {
    const s = rstd[r];
    const dnAt = (c: number): Approx => a.store("dn", a.multiply(dyAt(r * C + c), wAt(c)));
    const nAt = (c: number): Approx => a.store("n", a.multiply(xAt(r * C + c), s));
    // 1. The terms of dw, and Σ dn · n with rstd in every term, or Σ dn · x with rstd outside.
    const inside = a.sum(C, "projection");
    const withoutScale = a.sum(C, "projection");
    for (let c = 0; c < C; c++) {
      const i = r * C + c;
      let term = a.product(dyAt(i), xAt(i), s);
      if (isLow("n", "term"))
        term = a.either(term, a.store("term", a.multiply(dyAt(i), nAt(c))), a.store("term", term));
      gains[c].add(term.value, term.error);
      let projected = a.product(dyAt(i), wAt(c), xAt(i), s);
      if (isLow("n", "dn")) projected = a.either(projected, a.product(dnAt(c), xAt(i), s), a.multiply(dnAt(c), nAt(c)));
      inside.add(projected.value, projected.error);
      let bare = a.product(dyAt(i), wAt(c), xAt(i));
      if (isLow("dn")) bare = a.either(bare, a.multiply(dnAt(c), xAt(i)));
      withoutScale.add(bare.value, bare.error);
    }
    const bare = withoutScale.total();
    const projection = a.either(inside.total(), a.multiply(s, bare));
    const mean = meanOf(a, projection, C);
    const bareMean = meanOf(a, bare, C);
    // An autograd multiplies 2x by the slopes of the root and of the mean. A quotient by C that is zero may be computed as a
    // subnormal number. Above the subnormals, halving and doubling are exact.
    const half = { value: bare.value / 2, error: bare.error / 2 + a.format.minSubnormal };
    const slope = a.divide(a.product(half, s, s, s), length);
    // Where x and eps are small, rstd³ overflows, or its product with Σ dn · x: before C divides it, as an autograd has it, or after.
    const cube = a.product(s, s, s);
    const hasCube = [cube, a.multiply(cube, bareMean), slope].every(({ error }) => error < Infinity);
    for (let c = 0; c < C; c++) {
      const i = r * C + c;
      // 2. With rstd taken out of the difference …
      const dn = a.either(a.multiply(dyAt(i), wAt(c)), dnAt(c));
      const n = a.either(a.multiply(xAt(i), s), nAt(c));
      const factored = a.multiply(s, a.subtract(dn, a.multiply(n, mean)));
      // 3. … or multiplied out. The difference may cancel, because dn may be parallel to n; its error does not.
      let direct = a.product(s, dyAt(i), wAt(c));
      if (isLow("dn")) direct = a.either(direct, a.multiply(s, dnAt(c)));
      const { value, error } = xAt(i);
      const cubes = [
        a.product(xAt(i), s, s, s, bareMean),
        a.product(xAt(i), s, s, s, bare, oneNth),
        a.multiply(slope, { value: 2 * value, error: 2 * error }),
      ];
      const removed = a.either(a.product(xAt(i), s, s, mean), ...cubes.filter((form) => form.error < Infinity));
      // 4. … or with 1 / C taken out as well, which may divide rstd, the difference or their product.
      const longer = a.either(a.product(length, dyAt(i), wAt(c)), a.multiply(length, dn));
      const difference = a.subtract(longer, a.multiply(n, projection));
      const outside = quotient(a, length, s, difference);
      dx.data[i] = hasCube ? a.either(factored, a.subtract(direct, removed), outside).error : Infinity;
    }
  }
  for (let c = 0; c < C; c++) dw.data[c] = gains[c].total().error;
  return { dx, dw };
}
