// Correct evaluations of attention: they differ in the place of the scale, the exponential, a maximum first or a running one,
// the normalisation; and in the backward in the tensors that are saved or recomputed.
import { visibleKeys } from "../reference/ops/attention.ts";
import type { Inputs } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";
import { largest } from "../reference/lists.ts";

interface Manner {
  /** Where 1/√HS goes, and how it is found. */
  readonly scale: "scale-in-q" | "scale-in-k" | "scale-in-scores" | "scale-in-exponent";
  readonly scaleBy: "scale-constant" | "scale-by-inverse-sqrt" | "scale-by-root" | "scale-as-division";
  /** In the last two log2 e is in the scale; the last, FlashAttention's, multiplies score and maximum by it before they are subtracted. */
  readonly base: "base-e" | "base-2" | "base-2-in-scale" | "base-2-fused";
  /** Whether scores are rescaled to one maximum at the end, or to the last one at every key, tile or part. */
  readonly maximum: "maximum-first" | "running-by-key" | "running-by-tile" | "parts-merged" | "masked-keys-rescale";
  readonly normalise: "by-quotient" | "by-reciprocal" | "each-weight" | "by-lse";
}

/** A score in two forms: as it is, and as the exponential's argument. */
interface Softmax {
  readonly scores: readonly number[];
  readonly m: number;
  readonly l: number;
  readonly lse: number;
  /** Σ e^(s − m) · v, [HS]. */
  readonly sums: readonly number[];
}

const LOG2E = Math.LOG2E;
const LN2 = Math.LN2;
const TILE = 3;

/** One query head's view of a problem. */
class Head {
  readonly f: Float32Arithmetic;
  readonly manner: Manner;
  readonly scale: number;
  private readonly name: "P" | undefined;
  private readonly root: number;
  private readonly isFolded: boolean;

  /** `name`: that of the weights as factors of y, where they may be stored; a backward's are not, whose y is not its result. */
  constructor(f: Float32Arithmetic, manner: Manner, HS: number, name?: "P") {
    this.f = f;
    this.manner = manner;
    this.name = name;
    this.isFolded = manner.base === "base-2-in-scale" || manner.base === "base-2-fused";
    this.root = f.sqrt(HS);
    const scales = {
      "scale-constant": () => f.constant(1 / Math.sqrt(HS)),
      "scale-by-inverse-sqrt": () => f.inverseSqrt(HS),
      "scale-by-root": () => f.divide(1, this.root),
      "scale-as-division": () => NaN, // there is no such number
    };
    this.scale = scales[manner.scaleBy]();
  }

  private stored(p: number): number {
    return this.name === undefined ? p : this.f.stored(this.name, p);
  }

  /** scale · x. */
  timesScale(x: number): number {
    const { f, manner, scale, root } = this;
    return manner.scaleBy === "scale-as-division" ? f.divide(x, root) : f.multiply(x, scale);
  }

  /** scale · x, times log2 e where scores are in base 2. */
  private timesFactor(x: number): number {
    const { f, manner, scale } = this;
    if (!this.isFolded) return this.timesScale(x);
    const log2e = f.constant(LOG2E);
    return manner.scaleBy === "scale-as-division"
      ? f.multiply(this.timesScale(x), log2e)
      : f.multiply(x, f.multiply(scale, log2e));
  }

  /** s = scale · q · k, in base 2 where log2 e is folded in; without the scale where that goes into the exponent. */
  scores(q: readonly number[], keys: readonly (readonly number[])[]): number[] {
    const { f, manner } = this;
    const by = (list: readonly number[]): number[] => list.map((x) => this.timesFactor(x));
    switch (manner.scale) {
      case "scale-in-q": {
        const scaled = by(q);
        return keys.map((k) => f.dot(scaled, k));
      }
      case "scale-in-k":
        return keys.map((k) => f.dot(q, by(k)));
      case "scale-in-scores":
        return by(keys.map((k) => f.dot(q, k)));
      case "scale-in-exponent":
        return keys.map((k) => f.dot(q, k));
    }
  }

  /** e^(s − m). */
  exp(s: number, m: number): number {
    const { f, manner } = this;
    let x = f.subtract(s, m);
    if (manner.scale === "scale-in-exponent") x = this.timesFactor(x);
    if (manner.base === "base-e") return f.exp(x);
    return f.exp2(this.isFolded ? x : f.multiply(x, f.constant(LOG2E)));
  }

  /** The weight e^(s − m) of a key: a rescaling is always that of a difference of two maxima. */
  weight(s: number, m: number): number {
    return this.manner.base === "base-2-fused" ? this.difference(s, this.timesFactor(m)) : this.exp(s, m);
  }

  /** 2^(s · scale · log2 e − scaled). */
  private difference(s: number, scaled: number): number {
    const { f, scale } = this;
    return f.exp2(f.multiplyAdd(s, f.multiply(scale, f.constant(LOG2E)), -scaled));
  }

  /** m + log l in base e, whatever base the scores are in. */
  lse(m: number, l: number): number {
    const { f, manner } = this;
    const scaled = manner.scale === "scale-in-exponent" ? this.timesFactor(m) : m;
    if (this.isFolded) return f.multiply(f.add(scaled, f.log2(l)), f.constant(LN2));
    return f.add(scaled, manner.base === "base-e" ? f.log(l) : f.multiply(f.log2(l), f.constant(LN2)));
  }

  /** e^(s − lse), with lse in base e. */
  expOfLse(s: number, lse: number): number {
    const { f, manner } = this;
    if (manner.base === "base-2-fused") return this.difference(s, f.multiply(lse, f.constant(LOG2E)));
    if (this.isFolded) {
      const scaled = manner.scale === "scale-in-exponent" ? this.timesFactor(s) : s;
      return f.exp2(f.subtract(scaled, f.multiply(lse, f.constant(LOG2E))));
    }
    const x = f.subtract(manner.scale === "scale-in-exponent" ? this.timesFactor(s) : s, lse);
    return manner.base === "base-e" ? f.exp(x) : f.exp2(f.multiply(x, f.constant(LOG2E)));
  }

  /** Over the keys that the query sees, at least one; `masked` keys of weight 0 come after them. */
  softmax(q: readonly number[], keys: readonly number[][], values: readonly number[][], masked: number): Softmax {
    const { f, manner } = this;
    const scores = this.scores(q, keys).map((s) => f.stored("S", s));
    const weightsAt = (from: number, to: number, m: number): number[] =>
      scores.slice(from, to).map((s) => f.stored("P in the sum", this.weight(s, m)));
    /** Σ e^(s − m) · v. */
    const products = (weights: readonly number[], from: number, to: number): number[] => {
      const stored = weights.map((p) => this.stored(p));
      const some = values.slice(from, to);
      return q.map((_, i) =>
        f.dot(
          stored,
          some.map((v) => v[i]),
        ),
      );
    };
    const partOf = (from: number, to: number): Softmax => {
      const m = largest(scores.slice(from, to));
      const weights = weightsAt(from, to, m);
      return { scores, m, l: f.sum(weights), lse: NaN, sums: products(weights, from, to) };
    };
    const merged = (x: Softmax, z: Softmax): Softmax => {
      const m = Math.max(x.m, z.m);
      const a = this.exp(x.m, m);
      const b = manner.maximum === "parts-merged" ? this.exp(z.m, m) : 1; // z already stands at the new maximum
      const both = (u: number, w: number): number =>
        manner.maximum === "parts-merged" ? f.add(f.multiply(u, a), f.multiply(w, b)) : f.multiplyAdd(u, a, w);
      return { scores, m, l: both(x.l, z.l), lse: NaN, sums: x.sums.map((sum, i) => both(sum, z.sums[i])) };
    };
    const atRunningMaximum = (x: Softmax, from: number, to: number): Softmax => {
      const m = Math.max(x.m, largest(scores.slice(from, to)));
      const weights = weightsAt(from, to, m);
      return merged(x, { scores, m, l: f.sum(weights), lse: NaN, sums: products(weights, from, to) });
    };
    const running = (step: number): Softmax => {
      let state = partOf(0, step);
      for (let j = step; j < scores.length; j += step) state = atRunningMaximum(state, j, j + step);
      return state;
    };
    const split = (from: number, to: number): Softmax => {
      if (to - from <= 2) return partOf(from, to);
      const half = (from + to) >> 1;
      return merged(split(from, half), split(half, to));
    };
    const nothing = { scores, m: -Infinity, l: 0, lse: NaN, sums: q.map(() => 0) };
    const found = {
      "maximum-first": () => partOf(0, scores.length),
      "running-by-key": () => running(1),
      "running-by-tile": () => running(TILE),
      "parts-merged": () => split(0, scores.length),
      "masked-keys-rescale": () => {
        let state = running(1);
        for (let j = 0; j < masked; j++) state = merged(state, { ...nothing, m: state.m });
        return state;
      },
    }[manner.maximum]();
    return { ...found, lse: this.lse(found.m, found.l) };
  }

  /** Σ p · v ÷ l. */
  average({ scores, m, l, lse, sums }: Softmax, values: readonly number[][]): number[] {
    const { f } = this;
    const weighted = (weights: readonly number[]): number[] =>
      sums.map((_, i) =>
        f.dot(
          weights,
          values.map((v) => v[i]),
        ),
      );
    switch (this.manner.normalise) {
      case "by-quotient":
        return sums.map((sum) => f.divide(sum, l));
      case "by-reciprocal": {
        const inverse = f.divide(1, l);
        return sums.map((sum) => f.multiply(sum, inverse));
      }
      case "each-weight":
        return weighted(scores.map((s) => this.stored(f.divide(this.weight(s, m), l))));
      case "by-lse":
        return weighted(scores.map((s) => this.stored(this.expOfLse(s, lse))));
    }
  }
}

/** Rows of the last axis, of [.., HS]. */
function rowOf({ data, shape }: Tensor, row: number): number[] {
  const HS = shape.at(-1)!;
  return Array.from(data.subarray(row * HS, (row + 1) * HS));
}

/** Calls `visit` for every query that sees a key, with the rows of its tensors. */
function eachQuery(
  { q, k, v }: Record<string, Tensor>,
  visit: (
    query: number,
    statistic: number,
    keyRows: readonly number[],
    keys: number[][],
    values: number[][],
    masked: number,
  ) => void,
): void {
  const [B, T, NH] = q.shape;
  const [, S, NKV] = k.shape;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const group = Math.floor((h * NKV) / NH);
      for (let t = 0; t < T; t++) {
        const count = visibleKeys(t, T, S);
        if (count === 0) continue;
        const rows = Array.from({ length: count }, (_, j) => (b * S + j) * NKV + group);
        const [keys, values] = [rows.map((row) => rowOf(k, row)), rows.map((row) => rowOf(v, row))];
        visit((b * T + t) * NH + h, (b * NH + h) * T + t, rows, keys, values, S - count);
      }
    }
  }
}

const plain: Manner = {
  scale: "scale-in-scores",
  scaleBy: "scale-constant",
  base: "base-e",
  maximum: "maximum-first",
  normalise: "by-quotient",
};

/** Each value of each choice occurs, most of them in two combinations. */
const manners: readonly Manner[] = [
  plain,
  { ...plain, scale: "scale-in-q", maximum: "running-by-key", normalise: "by-reciprocal" },
  {
    ...plain,
    scaleBy: "scale-by-inverse-sqrt",
    base: "base-2-in-scale",
    maximum: "running-by-tile",
  },
  {
    ...plain,
    scale: "scale-in-exponent",
    scaleBy: "scale-by-root",
    base: "base-2",
    normalise: "each-weight",
  },
  { ...plain, scaleBy: "scale-as-division", maximum: "parts-merged", normalise: "by-lse" },
  { ...plain, scale: "scale-in-q", scaleBy: "scale-as-division", base: "base-2-in-scale" },
  { ...plain, scale: "scale-in-exponent", scaleBy: "scale-as-division", maximum: "running-by-tile" },
  {
    ...plain,
    scale: "scale-in-exponent",
    base: "base-2-fused",
    maximum: "running-by-tile",
    normalise: "by-reciprocal",
  },
  {
    scale: "scale-in-k",
    scaleBy: "scale-by-inverse-sqrt",
    base: "base-2-in-scale",
    maximum: "masked-keys-rescale",
    normalise: "by-lse",
  },
  {
    scale: "scale-in-exponent",
    scaleBy: "scale-by-inverse-sqrt",
    base: "base-2-in-scale",
    maximum: "parts-merged",
    normalise: "by-reciprocal",
  },
];

export const forward = manners.map((manner): EvaluationOf<"attention.forward"> => ({
  op: "attention.forward",
  covers: Object.values(manner),
  evaluate: (f, inputs) => {
    const { q } = inputs as Record<string, Tensor>;
    const [B, T, NH, HS] = q.shape;
    const y = output(q.shape);
    const lse = output([B, NH, T]);
    lse.data.fill(-Infinity);
    const head = new Head(f, manner, HS, "P");
    eachQuery(inputs as Record<string, Tensor>, (query, statistic, _, keys, values, masked) => {
      const softmax = head.softmax(rowOf(q, query), keys, values, masked);
      y.data.set(head.average(softmax, values), query * HS);
      lse.data[statistic] = softmax.lse;
    });
    return { y, lse };
  },
}));

interface BackwardManner extends Manner {
  readonly weights: "p-from-saved-lse" | "p-from-lse-anew" | "p-from-sum";
  readonly D: "D-from-saved-y" | "D-from-y-anew" | "D-from-weights" | "D-in-dP";
  readonly scaleOf: "scale-in-p" | "scale-in-dS" | "scale-at-the-end" | "scale-in-factor" | "scale-in-factor-base-2";
}

const savedAll = { weights: "p-from-saved-lse", D: "D-from-saved-y", scaleOf: "scale-in-dS" } as const;
const backwardManners: readonly BackwardManner[] = [
  { ...plain, ...savedAll },
  {
    ...plain,
    ...savedAll,
    scaleBy: "scale-by-inverse-sqrt",
    base: "base-2-in-scale",
    D: "D-in-dP",
    scaleOf: "scale-at-the-end",
  },
  {
    ...plain,
    ...savedAll,
    scale: "scale-in-k",
    base: "base-2-in-scale",
    D: "D-from-weights",
    scaleOf: "scale-in-factor-base-2",
  },
  {
    ...plain,
    ...savedAll,
    scale: "scale-in-exponent",
    scaleBy: "scale-by-root",
    base: "base-2",
    scaleOf: "scale-in-factor",
  },
  {
    ...plain,
    ...savedAll,
    scale: "scale-in-q",
    maximum: "running-by-key",
    weights: "p-from-lse-anew",
    scaleOf: "scale-in-p",
  },
  { ...plain, ...savedAll, maximum: "running-by-tile", weights: "p-from-sum", D: "D-from-y-anew" },
  {
    ...plain,
    ...savedAll,
    scaleBy: "scale-as-division",
    normalise: "by-reciprocal",
    weights: "p-from-sum",
    D: "D-from-weights",
    scaleOf: "scale-at-the-end",
  },
  { ...plain, ...savedAll, scaleBy: "scale-as-division" },
  { ...plain, ...savedAll, scale: "scale-in-exponent", base: "base-2-fused", scaleOf: "scale-at-the-end" },
  { ...plain, ...savedAll, scale: "scale-in-q", scaleBy: "scale-as-division", scaleOf: "scale-in-p" },
];

function gradients(f: Float32Arithmetic, manner: BackwardManner, inputs: Inputs): Record<string, Tensor> {
  const { dy, q, k, y, lse } = inputs as Record<string, Tensor>;
  const HS = q.shape[3];
  const head = new Head(f, manner, HS);
  const dq = output(q.shape);
  // Terms of dk and dv, each added up in the order of the habits at the end.
  const byKey = Array.from({ length: k.shape[0] * k.shape[1] * k.shape[2] }, () => ({
    ds: [] as number[],
    p: [] as number[],
    q: [] as number[][],
    dy: [] as number[][],
  }));
  const timesFactor = (x: number): number =>
    manner.scaleOf === "scale-in-factor-base-2"
      ? f.multiply(x, f.multiply(head.scale, f.constant(LOG2E)))
      : head.timesScale(x);
  /** scale · Σ ds · x. */
  const scaledDot = (ds: readonly number[], x: readonly number[]): number => {
    switch (manner.scaleOf) {
      case "scale-in-p":
        return f.dot(ds, x); // they hold it
      case "scale-in-dS":
        return f.dot(
          ds.map((each) => f.stored("dS_scaled", head.timesScale(each))),
          x,
        );
      case "scale-at-the-end":
        return head.timesScale(f.dot(ds, x));
      default: {
        const sum = f.dot(ds, x.map(timesFactor));
        return manner.scaleOf === "scale-in-factor" ? sum : f.multiply(sum, f.constant(Math.LN2));
      }
    }
  };
  eachQuery(inputs as Record<string, Tensor>, (query, statistic, rows, keys, values, masked) => {
    const [dyRow, qRow] = [rowOf(dy, query), rowOf(q, query)];
    const anew = head.softmax(qRow, keys, values, masked);
    const computed = {
      "p-from-saved-lse": () => anew.scores.map((s) => head.expOfLse(s, lse.data[statistic])),
      "p-from-lse-anew": () => anew.scores.map((s) => head.expOfLse(s, anew.lse)),
      "p-from-sum": () => {
        const inverse = f.divide(1, anew.l);
        return anew.scores.map((s) =>
          manner.normalise === "by-reciprocal"
            ? f.multiply(head.weight(s, anew.m), inverse)
            : f.divide(head.weight(s, anew.m), anew.l),
        );
      },
    }[manner.weights]();
    const weights = computed.map((p) => f.stored("P_dS", p));
    const yRow = manner.D === "D-from-y-anew" ? head.average(anew, values) : rowOf(y, query);
    const dPOf = (value: readonly number[]): number => f.stored("dP", f.dot(dyRow, value));
    const dP = manner.D === "D-in-dP" ? [] : values.map(dPOf);
    const fromWeights = (): number =>
      f.dotOfRow(
        computed.map((p) => f.stored("P_D", p)),
        dP,
      );
    const D = f.stored("D", manner.D === "D-from-weights" ? fromWeights() : f.dotOfRow(dyRow, yRow));
    const ds = weights.map((p, j) => {
      const difference =
        manner.D === "D-in-dP"
          ? f.sum([-D, ...dyRow.map((x, i) => f.multiply(x, values[j][i]))])
          : f.subtract(dP[j], D);
      return manner.scaleOf === "scale-in-p"
        ? f.stored("dS_scaled", f.multiply(head.timesScale(p), difference))
        : f.stored("dS", f.multiply(p, difference));
    });
    for (let i = 0; i < HS; i++) {
      dq.data[query * HS + i] = scaledDot(
        ds,
        keys.map((key) => key[i]),
      );
    }
    rows.forEach((row, j) => {
      byKey[row].ds.push(ds[j]);
      byKey[row].p.push(f.stored("P", computed[j]));
      byKey[row].q.push(qRow);
      byKey[row].dy.push(dyRow);
    });
  });
  const dk = output(k.shape);
  const dv = output(k.shape);
  byKey.forEach((terms, row) => {
    for (let i = 0; i < HS; i++) {
      dk.data[row * HS + i] = scaledDot(
        terms.ds,
        terms.q.map((each) => each[i]),
      );
      dv.data[row * HS + i] = f.dot(
        terms.p,
        terms.dy.map((each) => each[i]),
      );
    }
  });
  return { dq, dk, dv };
}

export const backward = backwardManners.map((manner): EvaluationOf<"attention.backward"> => ({
  op: "attention.backward",
  covers: Object.values(manner),
  evaluate: (f, inputs) => gradients(f, manner, inputs),
}));
