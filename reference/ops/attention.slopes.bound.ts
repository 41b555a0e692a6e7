// The weights and slopes of one query, P and dS, and how far a correct kernel's may lie off: dq is a sum of the slopes over keys,
// dk and dv are sums over queries.
//
// Stored in 16 bits. A P that is off by a rounding moves dS = P · (dP − D) by as much as a dS that is stored low, and D and dq by as much as a low D or
// dq. So what a kernel declares as stored is no interval around the exact number: the bound counts from the op with that number rounded
// (Arithmetic.storeAround). A correct kernel's own float32 number x̂ lies within x ± e, so it is stored as something between round(x − e) and
// round(x + e), since rounding is monotone. For most x both are round(x), and nothing is lost; where a tie lies within e, which is the case for about
// 2e in each unit of the format, an error of one such unit remains for this term. Sums then have the terms' errors as ever.
//
// Which numbers are rounded is declared use by use, since kernels differ in it:
//   P in dv alone: FlashAttention 2 (dS = P · (dP − D) from float32 scores, their copy in 16 bits for Pᵀ · dy), Triton's tutorial 06 (ppT = pT.to(…));
//   P and P_dS: CUTLASS and PyTorch's memory-efficient attention, which keep P in shared memory in the inputs' type and read it for dS;
//   P, P_dS and P_D: attention written out, whose softmax is a tensor of 16 bits (PyTorch's math): D = Σ P · dP from the same P;
//   dS as FlashAttention and Triton round it for dq and dk; dS_scaled where the scale is in it by then; dP where that is a tensor.
// P_D says the form of D as well, so Σ dy · y is not another one there. It is rounded as a weight that belongs to lse; weights that are stored
// relative to a running maximum, whose size nobody knows, occur in the forward alone (attention.weights.bound.ts).
import {
  type Allowance,
  allowances,
  centredAllowances,
  type Errors,
  type Numbers,
  numbers,
  type Reals,
  reader,
} from "../bounds.ts";
import { type Approx, type Arithmetic, gamma } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes } from "../tensor.ts";
import { visibleKeys } from "./attention.ts";
import { AttentionWeights } from "./attention.weights.bound.ts";

export type GradientInput = "dy" | "q" | "k" | "v" | "y" | "lse";

/** Stored numbers of which the rounded one is known, so that allowances count from the op with it. */
export const storesAround: readonly string[] = ["P", "P_dS", "P_D", "dP", "dS", "dS_scaled"];

/** Element i of an allowance. */
export function note({ data, centre }: Allowance, i: number, { value, error }: Approx): void {
  data[i] = error;
  if (centre !== undefined) centre[i] = value;
}

/** The slopes of one query after another: what it holds belongs to the query read last. */
export class AttentionSlopes {
  readonly a: Arithmetic;
  readonly weights: AttentionWeights;
  /** For each key that the query sees: its weight as a factor of dv, and dS times the scale. */
  readonly p: Numbers;
  readonly ds: Numbers;
  /** dy, and q and k as factors of a sum that the scale may be in. */
  readonly dy: Numbers;
  readonly qs: Numbers;
  readonly ks: Numbers;
  readonly shape: Readonly<Record<"B" | "T" | "NH" | "HS" | "S" | "NKV", number>>;
  /** Allowances to be filled, by `note`, counting from the truth or from the op with stored numbers rounded. */
  readonly allowances: (shape: readonly number[]) => Allowance;
  private readonly isDFromWeights: boolean;
  private readonly values: Numbers;
  private readonly yAt: (i: number) => Approx;
  private readonly lseAt: (i: number) => Approx;

  /** `all`: the keys that a kernel may pass over, masked ones included. */
  constructor(
    { dy, q, k, v, y, lse }: Reals<GradientInput>,
    target: Target,
    errors: Errors<GradientInput>,
    all = k.shape[1],
  ) {
    this.shape = checkShapes({
      dy: [dy, "B,T,NH,HS"],
      q: [q, "B,T,NH,HS"],
      k: [k, "B,S,NKV,HS"],
      v: [v, "B,S,NKV,HS"],
      y: [y, "B,T,NH,HS"],
      lse: [lse, "B,NH,T"],
    });
    const { HS, S } = this.shape;
    this.weights = new AttentionWeights(target, numbers(q, errors.q), numbers(k, errors.k), all, HS);
    this.a = this.weights.a;
    this.isDFromWeights = target.stores?.P_D !== undefined;
    const isMoved = storesAround.some((name) => target.stores?.[name] !== undefined);
    this.allowances = isMoved ? centredAllowances : allowances;
    this.dy = numbers(dy, errors.dy);
    this.values = numbers(v, errors.v);
    this.qs = this.weights.factor(numbers(q, errors.q));
    this.ks = this.weights.factor(numbers(k, errors.k));
    this.yAt = reader(y, errors.y);
    this.lseAt = reader(lse, errors.lse);
    this.p = { data: new Float64Array(S), error: new Float64Array(S) };
    this.ds = { data: new Float64Array(S), error: new Float64Array(S) };
  }

  /** The flat index of the first number of query t of head h. */
  query(b: number, h: number, t: number): number {
    const { T, NH, HS } = this.shape;
    return ((b * T + t) * NH + h) * HS;
  }

  /** The flat index of the first number of a group's first key. */
  firstKey(b: number, group: number): number {
    const { NKV, HS, S } = this.shape;
    return (b * S * NKV + group) * HS;
  }

  /** The group of keys that head h reads. */
  private group(h: number): number {
    const { NH, NKV } = this.shape;
    return Math.floor((h * NKV) / NH);
  }

  /** Reads query t of head h, and returns how many keys it sees: for 0 it holds nothing. */
  read(b: number, h: number, t: number): number {
    const { a, weights, p, ds, dy, values, yAt } = this;
    const { T, NH, HS, S, NKV } = this.shape;
    const keys = visibleKeys(t, T, S);
    if (keys === 0) return 0;
    const stride = NKV * HS; // from a key to the next
    const [query, firstKey] = [this.query(b, h, t), this.firstKey(b, this.group(h))];
    const saved = this.lseAt((b * NH + h) * T + t);
    weights.read(query, firstKey, stride, keys);

    // P, dP = dy · v, and D as Σ dy · y or as Σ P · dP.
    const [products, unstored] = [a.sum(keys, "D"), a.sum(keys, "D")];
    for (let j = 0; j < keys; j++) {
      const weight = weights.fromSaved(j, saved);
      const slope = this.slope(query, firstKey + j * stride);
      const dP = a.storeAround("dP", slope);
      const inD = a.storeAround("P_D", weight);
      products.addProduct(inD.value, dP.value, inD.error, dP.error);
      if (dP !== slope) unstored.addProduct(weight.value, slope.value, weight.error, slope.error);
      [p.data[j], p.error[j]] = [weight.value, weight.error];
      [ds.data[j], ds.error[j]] = [dP.value, dP.error];
    }
    const sum = a.sum(HS, "D");
    for (let i = 0; i < HS && !this.isDFromWeights; i++) {
      const y = a.either(yAt(query + i), weights.average(values, firstKey + i, stride));
      sum.addProduct(dy.data[query + i], y.value, dy.error[query + i], y.error);
    }
    const fromWeights = products.total();
    const either = unstored.count === 0 ? fromWeights : a.either(fromWeights, unstored.total());
    const D = this.isDFromWeights ? fromWeights : a.either(sum.total(), either);

    for (let j = 0; j < keys; j++) {
      const weight = { value: p.data[j], error: p.error[j] };
      const scaled = this.scaledSlope(weight, { value: ds.data[j], error: ds.error[j] }, D);
      const inDv = a.storeAround("P", weight);
      [p.data[j], p.error[j]] = [inDv.value, inDv.error];
      [ds.data[j], ds.error[j]] = [scaled.value, scaled.error];
    }
    return keys;
  }

  /**
   * P, and dS times the scale, of the first key for the first query of head h, by a kernel that takes lse and y as they were saved: never
   * more than `read` allows.
   */
  fromSaved(h: number): { readonly p: Approx; readonly ds: Approx } {
    const { a, weights, dy, yAt, lseAt } = this;
    const { T, HS } = this.shape;
    const [query, key] = [this.query(0, h, 0), this.firstKey(0, this.group(h))];
    const sum = a.sum(HS, "D");
    for (let i = 0; i < HS; i++) {
      const y = yAt(query + i);
      sum.addProduct(dy.data[query + i], y.value, dy.error[query + i], y.error);
    }
    const p = weights.ofKey(query, key, lseAt(h * T));
    const dP = a.storeAround("dP", this.slope(query, key));
    return { p: a.storeAround("P", p), ds: this.scaledSlope(p, dP, sum.total()) };
  }

  /**
   * dS = P · (dP − D), where −D may have passed through all additions of dP; then the scale, which P may be multiplied by first where dS is
   * not stored without it.
   */
  private scaledSlope(p: Approx, dP: Approx, D: Approx): Approx {
    const { a, weights, shape } = this;
    const weight = a.storeAround("P_dS", p);
    const additions = gamma(shape.HS, a.u) * (Math.abs(D.value) + D.error);
    const slope = a.rounded(dP.value - D.value, dP.error + D.error + additions);
    const scaled = weights.timesScale(a.storeAround("dS", a.multiply(weight, slope)));
    const isStored = a.target.stores?.dS !== undefined;
    const inP = a.multiply(weights.timesScale(weight), slope);
    const inSlope = a.multiply(weight, weights.timesScale(slope));
    return a.storeAround("dS_scaled", isStored ? scaled : a.either(scaled, inP, inSlope));
  }

  /** dq of the query that was read, of its number i. */
  ofQuery(b: number, h: number, keys: number, i: number): Approx {
    const { a, ds, ks, shape, weights } = this;
    const first = this.firstKey(b, this.group(h)) + i;
    const total = a.sum(keys, "dq");
    for (let j = 0; j < keys; j++) {
      const key = first + j * shape.NKV * shape.HS;
      total.addProduct(ds.data[j], ks.data[key], ds.error[j], ks.error[key]);
    }
    return weights.scaled(total.total(), total.magnitude);
  }

  /** dy · v. */
  private slope(query: number, key: number): Approx {
    const { a, dy, values, shape } = this;
    const sum = a.sum(shape.HS, "dP");
    for (let i = 0; i < shape.HS; i++) {
      sum.addProduct(dy.data[query + i], values.data[key + i], dy.error[query + i], values.error[key + i]);
    }
    return sum.total();
  }
}
