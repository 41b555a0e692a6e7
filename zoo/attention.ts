// Correct evaluations of attention: where the scale goes, which exponential, a maximum first or a running one, which
// normalisation; in the backward what is saved and what is computed anew.
import { visibleKeys } from "../reference/ops/attention.ts";
import type { Inputs } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type Evaluation, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

interface Manner {
  /** Where 1/√HS goes, and how it is found. */
  readonly scale: "q" | "k" | "scores" | "exponent" | "division by √HS";
  readonly scaleBy: "constant" | "inverseSqrt" | "1 / sqrt";
  /** folded: log2 e in the scale, so that scores are in base 2. */
  readonly base: "e" | "2" | "2, folded";
  /** Whether scores are rescaled to one maximum at the end, or to the last one at every key, tile or part. */
  readonly maximum: "first" | "key" | "tile" | "part" | "masked keys, too";
  readonly normalise: "quotient" | "reciprocal" | "each weight" | "by lse";
}

/** A score in two forms: as it is, and as the exponential's argument wants it. */
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
  private readonly root: number;

  constructor(f: Float32Arithmetic, manner: Manner, HS: number) {
    this.f = f;
    this.manner = manner;
    this.root = f.sqrt(HS);
    const scales = {
      constant: () => f.constant(1 / Math.sqrt(HS)),
      inverseSqrt: () => f.inverseSqrt(HS),
      "1 / sqrt": () => f.divide(1, this.root),
    };
    this.scale = scales[manner.scaleBy]();
  }

  /** The scale, times log2 e where scores are in base 2. */
  private get factor(): number {
    return this.manner.base === "2, folded" ? this.f.multiply(this.scale, this.f.constant(LOG2E)) : this.scale;
  }

  /** s = scale · q · k, in base 2 where log2 e is folded in; without the scale where that goes into the exponent. */
  scores(q: readonly number[], keys: readonly (readonly number[])[]): number[] {
    const { f, manner } = this;
    const by = (list: readonly number[]): number[] => list.map((x) => f.multiply(x, this.factor));
    switch (manner.scale) {
      case "q": {
        const scaled = by(q);
        return keys.map((k) => f.dot(scaled, k));
      }
      case "k":
        return keys.map((k) => f.dot(q, by(k)));
      case "scores":
        return keys.map((k) => f.multiply(f.dot(q, k), this.factor));
      case "exponent":
        return keys.map((k) => f.dot(q, k));
      case "division by √HS": {
        const quotients = keys.map((k) => f.divide(f.dot(q, k), this.root));
        return manner.base === "2, folded" ? quotients.map((s) => f.multiply(s, f.constant(LOG2E))) : quotients;
      }
    }
  }

  /** e^(s − m). */
  exp(s: number, m: number): number {
    const { f, manner } = this;
    let x = f.subtract(s, m);
    if (manner.scale === "exponent") x = f.multiply(x, this.factor);
    if (manner.base === "e") return f.exp(x);
    return f.exp2(manner.base === "2, folded" ? x : f.multiply(x, f.constant(LOG2E)));
  }

  /** m + log l in base e, whatever base the scores are in. */
  lse(m: number, l: number): number {
    const { f, manner } = this;
    const scaled = manner.scale === "exponent" ? f.multiply(m, this.factor) : m;
    if (manner.base === "2, folded") return f.multiply(f.add(scaled, f.log2(l)), f.constant(LN2));
    return f.add(scaled, manner.base === "e" ? f.log(l) : f.multiply(f.log2(l), f.constant(LN2)));
  }

  /** e^(s − lse), with lse in base e. */
  expOfLse(s: number, lse: number): number {
    const { f, manner } = this;
    if (manner.base === "2, folded") {
      const scaled = manner.scale === "exponent" ? f.multiply(s, this.factor) : s;
      return f.exp2(f.subtract(scaled, f.multiply(lse, f.constant(LOG2E))));
    }
    const x = f.subtract(manner.scale === "exponent" ? f.multiply(s, this.factor) : s, lse);
    return manner.base === "e" ? f.exp(x) : f.exp2(f.multiply(x, f.constant(LOG2E)));
  }

  /** Over the keys that the query sees, at least one; `masked` keys of weight 0 come after them. */
  softmax(q: readonly number[], keys: readonly number[][], values: readonly number[][], masked: number): Softmax {
    const { f, manner } = this;
    const scores = this.scores(q, keys);
    const partOf = (from: number, to: number): Softmax => {
      const part = scores.slice(from, to);
      const m = Math.max(...part);
      const weights = part.map((s) => this.exp(s, m));
      const sums = q.map((_, i) =>
        f.dot(
          weights,
          values.slice(from, to).map((v) => v[i]),
        ),
      );
      return { scores, m, l: f.sum(weights), lse: NaN, sums };
    };
    const merged = (x: Softmax, z: Softmax): Softmax => {
      const m = Math.max(x.m, z.m);
      const a = this.exp(x.m, m);
      const b = manner.maximum === "part" ? this.exp(z.m, m) : 1; // z already stands at the new maximum
      const both = (u: number, w: number): number =>
        manner.maximum === "part" ? f.add(f.multiply(u, a), f.multiply(w, b)) : f.multiplyAdd(u, a, w);
      return { scores, m, l: both(x.l, z.l), lse: NaN, sums: x.sums.map((sum, i) => both(sum, z.sums[i])) };
    };
    const atRunningMaximum = (x: Softmax, from: number, to: number): Softmax => {
      const m = Math.max(x.m, ...scores.slice(from, to));
      const weights = scores.slice(from, to).map((s) => this.exp(s, m));
      const sums = q.map((_, i) =>
        f.dot(
          weights,
          values.slice(from, to).map((v) => v[i]),
        ),
      );
      return merged(x, { scores, m, l: f.sum(weights), lse: NaN, sums });
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
      first: () => partOf(0, scores.length),
      key: () => running(1),
      tile: () => running(TILE),
      part: () => split(0, scores.length),
      "masked keys, too": () => {
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
      case "quotient":
        return sums.map((sum) => f.divide(sum, l));
      case "reciprocal": {
        const inverse = f.divide(1, l);
        return sums.map((sum) => f.multiply(sum, inverse));
      }
      case "each weight":
        return weighted(scores.map((s) => f.divide(this.exp(s, m), l)));
      case "by lse":
        return weighted(scores.map((s) => this.expOfLse(s, lse)));
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
  scale: "scores",
  scaleBy: "constant",
  base: "e",
  maximum: "first",
  normalise: "quotient",
};

/** Each value of each choice comes up, most of them in two combinations. */
const manners: Readonly<Record<string, Manner>> = {
  textbook: plain,
  "scale in q, running maximum at every key": { ...plain, scale: "q", maximum: "key", normalise: "reciprocal" },
  "scale · log2 e in the scores, base 2, running maximum at every tile": {
    ...plain,
    scaleBy: "inverseSqrt",
    base: "2, folded",
    maximum: "tile",
  },
  "scale in the exponent, base 2, each weight normalised": {
    ...plain,
    scale: "exponent",
    scaleBy: "1 / sqrt",
    base: "2",
    normalise: "each weight",
  },
  "parts merged, weights by lse": { ...plain, scale: "division by √HS", maximum: "part", normalise: "by lse" },
  "scale · log2 e in k, base 2, masked keys rescale, weights by lse": {
    scale: "k",
    scaleBy: "inverseSqrt",
    base: "2, folded",
    maximum: "masked keys, too",
    normalise: "by lse",
  },
  "scale · log2 e in the exponent, parts merged, reciprocal": {
    scale: "exponent",
    scaleBy: "inverseSqrt",
    base: "2, folded",
    maximum: "part",
    normalise: "reciprocal",
  },
};

const forwards = Object.entries(manners).map(([variant, manner]): Evaluation => ({
  op: "attention.forward",
  variant,
  evaluate: (f, inputs) => {
    const { q } = inputs as Record<string, Tensor>;
    const [B, T, NH, HS] = q.shape;
    const y = output(q.shape);
    const lse = output([B, NH, T]);
    lse.data.fill(-Infinity);
    const head = new Head(f, manner, HS);
    eachQuery(inputs as Record<string, Tensor>, (query, statistic, _, keys, values, masked) => {
      const softmax = head.softmax(rowOf(q, query), keys, values, masked);
      y.data.set(head.average(softmax, values), query * HS);
      lse.data[statistic] = softmax.lse;
    });
    return { y, lse };
  },
}));

interface BackwardManner extends Manner {
  readonly weights: "saved lse" | "lse anew" | "maximum and sum";
  readonly D: "saved y" | "y anew" | "Σ P · dP" | "first term of dP";
  readonly scaleOf: "p" | "ds" | "the sum" | "the factor" | "the factor, base 2";
}

const savedAll = { weights: "saved lse", D: "saved y", scaleOf: "ds" } as const;
const backwardManners: Readonly<Record<string, BackwardManner>> = {
  "from saved lse and y": { ...plain, ...savedAll },
  "base 2 folded, D in dP, scale at the end": {
    ...plain,
    ...savedAll,
    scaleBy: "inverseSqrt",
    base: "2, folded",
    D: "first term of dP",
    scaleOf: "the sum",
  },
  "scale · log2 e in k, D from Σ P · dP": {
    ...plain,
    ...savedAll,
    scale: "k",
    base: "2, folded",
    D: "Σ P · dP",
    scaleOf: "the factor, base 2",
  },
  "base 2, scale in the exponent and in the factor": {
    ...plain,
    ...savedAll,
    scale: "exponent",
    scaleBy: "1 / sqrt",
    base: "2",
    scaleOf: "the factor",
  },
  "lse anew by a running maximum, scale in p": {
    ...plain,
    ...savedAll,
    scale: "q",
    maximum: "key",
    weights: "lse anew",
    scaleOf: "p",
  },
  "all anew": { ...plain, ...savedAll, maximum: "tile", weights: "maximum and sum", D: "y anew" },
  "maximum and sum, D from Σ P · dP": {
    ...plain,
    ...savedAll,
    scale: "division by √HS",
    normalise: "reciprocal",
    weights: "maximum and sum",
    D: "Σ P · dP",
    scaleOf: "the sum",
  },
};

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
  const factor = manner.scaleOf === "the factor, base 2" ? f.multiply(head.scale, f.constant(Math.LOG2E)) : head.scale;
  /** scale · Σ ds · x. */
  const scaledDot = (ds: readonly number[], x: readonly number[]): number => {
    switch (manner.scaleOf) {
      case "p":
        return f.dot(ds, x); // they hold it
      case "ds":
        return f.dot(
          ds.map((each) => f.multiply(each, head.scale)),
          x,
        );
      case "the sum":
        return f.multiply(f.dot(ds, x), head.scale);
      default: {
        const sum = f.dot(
          ds,
          x.map((each) => f.multiply(each, factor)),
        );
        return manner.scaleOf === "the factor" ? sum : f.multiply(sum, f.constant(Math.LN2));
      }
    }
  };
  eachQuery(inputs as Record<string, Tensor>, (query, statistic, rows, keys, values, masked) => {
    const [dyRow, qRow] = [rowOf(dy, query), rowOf(q, query)];
    const anew = head.softmax(qRow, keys, values, masked);
    const weights = {
      "saved lse": () => anew.scores.map((s) => head.expOfLse(s, lse.data[statistic])),
      "lse anew": () => anew.scores.map((s) => head.expOfLse(s, anew.lse)),
      "maximum and sum": () => {
        const inverse = f.divide(1, anew.l);
        return anew.scores.map((s) =>
          manner.normalise === "reciprocal"
            ? f.multiply(head.exp(s, anew.m), inverse)
            : f.divide(head.exp(s, anew.m), anew.l),
        );
      },
    }[manner.weights]();
    const yRow = manner.D === "y anew" ? head.average(anew, values) : rowOf(y, query);
    const dP = values.map((value) => f.dot(dyRow, value));
    const D = manner.D === "Σ P · dP" ? f.dot(weights, dP) : f.dot(dyRow, yRow);
    const ds = weights.map((p, j) => {
      const difference =
        manner.D === "first term of dP"
          ? f.sum([-D, ...dyRow.map((x, i) => f.multiply(x, values[j][i]))])
          : f.subtract(dP[j], D);
      return f.multiply(manner.scaleOf === "p" ? f.multiply(p, head.scale) : p, difference);
    });
    for (let i = 0; i < HS; i++) {
      dq.data[query * HS + i] = scaledDot(
        ds,
        keys.map((key) => key[i]),
      );
    }
    rows.forEach((row, j) => {
      byKey[row].ds.push(ds[j]);
      byKey[row].p.push(weights[j]);
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

const backwards = Object.entries(backwardManners).map(([variant, manner]): Evaluation => ({
  op: "attention.backward",
  variant,
  evaluate: (f, inputs) => gradients(f, manner, inputs),
}));

export const attention: readonly Evaluation[] = [...forwards, ...backwards];
