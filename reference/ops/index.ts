// The table of ops, one row for each direction: what a judge, a listing or a driver needs to know of it.
import type { Errors } from "../bounds.ts";
import type { Operation, StorageOf } from "../operation.ts";
import type { Target } from "../targets.ts";
import type { Floats, Tensor } from "../tensor.ts";
import * as adamwBound from "./adamw.bound.ts";
import * as adamw from "./adamw.ts";
import * as addBound from "./add.bound.ts";
import * as add from "./add.ts";
import * as attentionBound from "./attention.bound.ts";
import * as attention from "./attention.ts";
import * as castBound from "./cast.bound.ts";
import * as cast from "./cast.ts";
import * as clipBound from "./clip.bound.ts";
import * as clip from "./clip.ts";
import * as crossEntropyBound from "./cross-entropy.bound.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as embeddingBound from "./embedding.bound.ts";
import * as embedding from "./embedding.ts";
import * as gradientNormBound from "./gradient-norm.bound.ts";
import * as gradientNorm from "./gradient-norm.ts";
import * as linearBound from "./linear.bound.ts";
import * as linear from "./linear.ts";
import * as rmsnormBound from "./rmsnorm.bound.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as ropeTableBound from "./rope-table.bound.ts";
import * as ropeTable from "./rope-table.ts";
import * as ropeBound from "./rope.bound.ts";
import * as rope from "./rope.ts";
import * as swigluBound from "./swiglu.bound.ts";
import * as swiglu from "./swiglu.ts";

type Optional = "integers" | "scalars" | "stores" | "covered" | "exact" | "wide";
type Signature = Omit<Operation, "evaluate" | "bound" | Optional> & Partial<Pick<Operation, Optional>>;
// eslint-disable-next-line typescript/no-explicit-any -- arguments go by position, in the order of the signature's names
type Positional = (...args: any[]) => any;

/** An op whose function takes its inputs, then its scalars, in the order of the signature; the bound, then target and errors. */
function row(signature: Signature, op: Positional, bound: Positional): Operation {
  const { integers = [], scalars: kinds = {}, stores = {}, covered = [], exact = [], wide = [] } = signature;
  const positional = (inputs: object, scalars: object): unknown[] => [
    ...Object.keys(signature.inputs).map((name) => inputs[name as never]),
    ...Object.keys(kinds).map((name) => scalars[name as never]),
  ];
  return {
    ...signature,
    integers,
    scalars: kinds,
    stores,
    covered,
    exact,
    wide,
    evaluate: <P extends Floats>(inputs: object, scalars: object, Storage: StorageOf<P>) =>
      op(...positional(inputs, scalars), Storage),
    bound: (inputs, scalars, target: Target, errors: Errors<string> = {}) =>
      bound(...positional(inputs, scalars), target, errors),
  };
}

/** AdamW's scalars in the order in which its row passes them; its functions take them as an object, after w, g, m, v. */
const adamwScalars = {
  learningRate: "real",
  beta1: "real",
  beta2: "real",
  oneMinusBeta1: "real",
  oneMinusBeta2: "real",
  correction1: "real",
  correction2: "real",
  eps: "real",
  weightDecay: "real",
} as const;

function scalarsAsObject(op: Positional): Positional {
  const names = Object.keys(adamwScalars);
  return (w, g, m, v, ...rest) => {
    const scalars = Object.fromEntries(names.map((name, i) => [name, rest[i]]));
    return op(w, g, m, v, scalars, ...rest.slice(names.length));
  };
}

const rows: readonly Operation[] = [
  row(
    {
      name: "embedding.forward",
      summary: "y[r] = w[tokens[r]]",
      inputs: { tokens: "R", w: "V,C" },
      integers: ["tokens"],
      outputs: { y: "R,C" },
      covered: ["as a copy", "as the product with a one-hot row"],
      exact: ["y"],
    },
    embedding.forward,
    embeddingBound.forward,
  ),
  row(
    {
      name: "embedding.backward",
      summary: "dw[v] = Σ over r with tokens[r] = v of dy[r]",
      inputs: { dy: "R,C", tokens: "R" },
      integers: ["tokens"],
      scalars: { V: "axis" },
      outputs: { dw: "V,C" },
      covered: ["the occurrences added in any order", "as the product with the one-hot matrix"],
      exact: ["dw"],
    },
    embedding.backward,
    embeddingBound.backward,
  ),
  row(
    {
      name: "rmsnorm.forward",
      summary: "rstd = 1 / √(mean x² + eps),  y = x · rstd · w",
      inputs: { x: "R,C", w: "C" },
      scalars: { eps: "real" },
      outputs: { y: "R,C", rstd: "R" },
      stores: { n: "x · rstd, before the gain" },
      covered: [
        "the mean square as a sum divided by C or multiplied by 1/C, or as a sum of such terms",
        "rstd by inverseSqrt, or as 1 / √",
        "y as products of x, rstd and w in any association, as (x / √) · w, or as (x · w) / √",
      ],
      wide: ["rstd"],
    },
    rmsnorm.forward,
    rmsnormBound.forward,
  ),
  row(
    {
      name: "rmsnorm.backward",
      summary: "dx = rstd · (dn − n · mean(dn · n)),  dw = Σ dy · n,  n = x · rstd,  dn = dy · w",
      inputs: { dy: "R,C", x: "R,C", w: "C", rstd: "R" },
      outputs: { dx: "R,C", dw: "C" },
      stores: { n: "x · rstd", dn: "dy · w", term: "dy · n, the terms of dw" },
      covered: [
        "dx as rstd · (dn − n · mean(dn · n)), or multiplied out",
        "rstd inside the sum over c or outside, up to x · rstd³ · mean(dn · x) while nothing of it leaves the range",
        "products in any association",
        "rstd recomputed inside a fusion, when errors.rstd carries the forward's allowance",
      ],
      wide: ["rstd"],
    },
    rmsnorm.backward,
    rmsnormBound.backward,
  ),
  row(
    {
      name: "add.forward",
      summary: "y = a + b",
      inputs: { a: "N", b: "N" },
      outputs: { y: "N" },
      covered: ["one addition"],
      exact: ["y"],
    },
    add.forward,
    addBound.forward,
  ),
  row(
    {
      name: "cast.forward",
      summary: "y = x, rounded to the dtype of y",
      inputs: { x: "N" },
      outputs: { y: "N" },
      covered: ["as a copy", "as a sum with zero or a product with one"],
      exact: ["y"],
      wide: ["x"],
    },
    cast.forward,
    castBound.forward,
  ),
  row(
    {
      name: "linear.forward",
      summary: "y = x · wᵀ",
      inputs: { x: "R,C", w: "O,C" },
      outputs: { y: "R,O" },
      covered: ["the products added in any order and tiling", "fused multiply-add or not"],
      exact: ["y"],
    },
    linear.forward,
    linearBound.forward,
  ),
  row(
    {
      name: "linear.backward",
      summary: "dx = dy · w,  dw = dyᵀ · x",
      inputs: { dy: "R,O", x: "R,C", w: "O,C" },
      outputs: { dx: "R,C", dw: "O,C" },
      covered: ["the products added in any order and tiling", "fused multiply-add or not"],
      exact: ["dx", "dw"],
    },
    linear.backward,
    linearBound.backward,
  ),
  row(
    {
      name: "rope-table.forward",
      summary: "cos and sin of (start + t) · theta^(−2i / HS)",
      inputs: {},
      scalars: { theta: "real", HS: "axis", start: "integer", T: "axis" },
      outputs: { cos: "T,HS/2", sin: "T,HS/2" },
      covered: [
        "frequencies as theta^(−2i/HS) or 1 / theta^(2i/HS), by exp2 and log2 or by exp and log",
        "angles reduced to [−π, π] by the kernel, with at most two roundings of the angle",
        "sine and cosine by the target's functions there, or by better ones",
      ],
      wide: ["cos", "sin"],
    },
    ropeTable.forward,
    ropeTableBound.forward,
  ),
  row(
    {
      name: "rope.forward",
      summary: "y1 = x1 · cos − x2 · sin,  y2 = x1 · sin + x2 · cos",
      inputs: { x: "B,T,NH,HS", cos: "T,HS/2", sin: "T,HS/2" },
      scalars: { layout: rope.layouts },
      outputs: { y: "B,T,NH,HS" },
      stores: { product: "each of the two products, before they are added" },
      covered: ["as a product of complex numbers", "as x · cos + rotate(x) · sin"],
      wide: ["cos", "sin"],
      exact: ["y"],
    },
    rope.forward,
    ropeBound.forward,
  ),
  row(
    {
      name: "rope.backward",
      summary: "dx1 = dy1 · cos + dy2 · sin,  dx2 = dy2 · cos − dy1 · sin",
      inputs: { dy: "B,T,NH,HS", cos: "T,HS/2", sin: "T,HS/2" },
      scalars: { layout: rope.layouts },
      outputs: { dx: "B,T,NH,HS" },
      stores: { product: "each of the two products, before they are added" },
      covered: ["as a product of complex numbers", "as x · cos + rotate(x) · sin"],
      wide: ["cos", "sin"],
      exact: ["dx"],
    },
    rope.backward,
    ropeBound.backward,
  ),
  row(
    {
      name: "attention.forward",
      summary: "s = q · k / √HS for keys up to the query's own position,  lse = log Σ e^s,  y = Σ e^(s − lse) · v",
      inputs: { q: "B,T,NH,HS", k: "B,S,NKV,HS", v: "B,S,NKV,HS" },
      outputs: { y: "B,T,NH,HS", lse: "B,NH,T" },
      stores: {
        S: "the scores, without the scale, with it, or both",
        P: "the weights, e^(s − maximum) or e^(s − lse)",
      },
      covered: [
        "the scale in q, in k, in the scores or in the exponent, as 1 / √HS by any function or as a division by √HS",
        "e^x, or 2^x with log2 e in the scale or multiplied in",
        "the maximum first, or a running one, rescaled at every key, tile or merging of parts, at most S times",
        "normalised at the end or each weight, by quotient or reciprocal, or as e^(s − lse), also from scores computed anew",
        "masked keys left out, or of weight 0",
      ],
      wide: ["lse"],
    },
    attention.forward,
    attentionBound.forward,
  ),
  row(
    {
      name: "attention.backward",
      summary: "dv = Pᵀ · dy,  dS = P · (dy · vᵀ − D),  dq = dS · k / √HS,  dk = dSᵀ · q / √HS,  D = Σ dy · y",
      inputs: {
        dy: "B,T,NH,HS",
        q: "B,T,NH,HS",
        k: "B,S,NKV,HS",
        v: "B,S,NKV,HS",
        y: "B,T,NH,HS",
        lse: "B,NH,T",
      },
      outputs: { dq: "B,T,NH,HS", dk: "B,S,NKV,HS", dv: "B,S,NKV,HS" },
      stores: {
        S: "the scores, without the scale, with it, or both",
        P: "the weights, e^(s − lse)",
        dP: "dy · v",
        dS: "P · (dP − D), without the scale",
      },
      covered: [
        "scores as in the forward",
        "p from the saved lse, from one computed anew, or from maximum and sum",
        "D from Σ dy · y, y saved or computed anew, or from Σ P · dP; −D as one more term of dP",
        "the scale in P, in dS, in the other factor (also times log2 e, taken back by ln 2), or at the end",
        "dk and dv summed over queries and heads in any order, by any partial sums",
      ],
      wide: ["lse"],
    },
    attention.backward,
    attentionBound.backward,
  ),
  row(
    {
      name: "swiglu.forward",
      summary: "y = silu(gate) · up,  silu(z) = z / (1 + e^−z)",
      inputs: { gate: "R,F", up: "R,F" },
      outputs: { y: "R,F" },
      stores: { silu: "silu(gate)" },
      covered: [
        "σ(z) as 1 / (1 + e^−z), 0 where e^−z overflows; or from e^−|z|",
        "silu as z · σ(z) or as a quotient, products in any association",
      ],
    },
    swiglu.forward,
    swigluBound.forward,
  ),
  row(
    {
      name: "swiglu.backward",
      summary: "dgate = dy · up · σ(gate) · (1 + gate · (1 − σ(gate))),  dup = dy · silu(gate)",
      inputs: { dy: "R,F", gate: "R,F", up: "R,F" },
      outputs: { dgate: "R,F", dup: "R,F" },
      stores: { silu: "silu(gate)", dsilu: "dy · up" },
      covered: [
        "σ(z) as in the forward",
        "1 − σ(z) as a difference or as σ(−z)",
        "the derivative as σ · (1 + z · (1 − σ)), or multiplied out",
        "products in any association",
      ],
    },
    swiglu.backward,
    swigluBound.backward,
  ),
  row(
    {
      name: "cross-entropy.forward",
      summary: "lse = log Σ e^logits,  loss = mean of lse − logits[targets] over the targets that are not ignored",
      inputs: { logits: "R,V", targets: "R" },
      integers: ["targets"],
      scalars: { ignoreIndex: "integer" },
      outputs: { loss: "", lse: "R" },
      covered: [
        "e^x, or 2^(x · log2 e); log, or log2 · ln 2",
        "the maximum first, or a running one, in one lane or several, the sum rescaled when it rises",
        "a row's loss as lse − logit, or log Σ − (logit − maximum)",
        "the mean as a sum over n, a sum of n-th parts, or by 1 / n",
      ],
      wide: ["loss", "lse"],
    },
    crossEntropy.forward,
    crossEntropyBound.forward,
  ),
  row(
    {
      name: "cross-entropy.backward",
      summary: "dlogits = dloss / n · (e^(logits − lse) − [v = target]), 0 where the target is ignored",
      inputs: { dloss: "", logits: "R,V", targets: "R", lse: "R" },
      integers: ["targets"],
      scalars: { ignoreIndex: "integer" },
      outputs: { dlogits: "R,V" },
      covered: [
        "e^x, or 2^(x · log2 e)",
        "p from the saved lse, from an lse computed anew, or as a quotient by the sum",
        "the one subtracted at the target before or after p is scaled",
        "dloss, 1 / n and p in any association",
      ],
      wide: ["dloss", "lse"],
    },
    crossEntropy.backward,
    crossEntropyBound.backward,
  ),
  row(
    {
      name: "gradient-norm.forward",
      summary: "norm = √(Σ g²)",
      inputs: { g: "N" },
      outputs: { norm: "" },
      covered: [
        "the root of the sum",
        "the norm of the norms of any parts",
        "the largest times the norm of g ÷ largest",
      ],
      wide: ["norm"],
    },
    (g: Tensor) => gradientNorm.forward(g), // any number of tensors, but here one
    gradientNormBound.forward,
  ),
  row(
    {
      name: "clip.forward",
      summary: "g · min(1, maxNorm / (norm + 10⁻⁶))",
      inputs: { g: "N", norm: "" },
      scalars: { maxNorm: "real" },
      outputs: { g: "N" },
      covered: ["the scale as a quotient or by a reciprocal", "g left alone where the scale is 1"],
      wide: ["norm"],
    },
    clip.forward,
    clipBound.forward,
  ),
  row(
    {
      name: "adamw.forward",
      summary:
        "w − learningRate · ((m / correction1) / (√(v / correction2) + eps) + weightDecay · w), and the next m, v",
      inputs: { w: "N", g: "N", m: "N", v: "N" },
      scalars: adamwScalars,
      outputs: { w: "N", m: "N", v: "N" },
      covered: [
        "moments as two products, or as lerp",
        "bias corrections of both moments, in the step size, or folded into the step size and eps",
        "quotients as such or by reciprocals, products in any association",
        "decay first, in the sum, or in the direction",
      ],
      wide: ["w", "m", "v"],
    },
    scalarsAsObject(adamw.forward),
    scalarsAsObject(adamwBound.forward),
  ),
];

/** Every op and direction, by a name such as "swiglu.forward". */
export const operations: ReadonlyMap<string, Operation> = new Map(rows.map((operation) => [operation.name, operation]));
