// The arithmetic of a step between its kernels: gradients that are passed on or divided by a scale, and micro-batches that
// are joined into one batch. No candidate is checked on it, but a recording can get it wrong.
import { allowances, type Allowance } from "../reference/bounds.ts";
import type { Operation } from "../reference/operation.ts";
import { Arithmetic } from "../reference/rounding.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";

const none = { integers: [], scalars: {}, stores: {}, sums: {}, covered: {}, exact: [], wide: [], none: {} } as const;

/** The backward of an addition: its gradient is passed on unchanged, so a recording may hold it under two names. */
const identity: Operation = {
  ...none,
  name: "add.backward",
  summary: "da = dy",
  inputs: { dy: "N" },
  outputs: { da: "N" },
  evaluate: ({ dy }, _, Storage) => {
    const data = new Storage(dy.data.length);
    data.set(dy.data);
    return { da: { data, shape: dy.shape } };
  },
  bound: ({ dy }, _, __, { dy: error } = {}) => ({
    da: { data: Float64Array.from(dy.data, (_x, i) => error?.data[i] ?? 0), shape: dy.shape },
  }),
};

/** Covered: the quotient, or the product with 1 / scale; as it is, where the scale is 1. */
const unscale: Operation = {
  ...none,
  name: "unscale.forward",
  summary: "y = g / scale",
  inputs: { g: "N", scale: "" },
  outputs: { y: "N" },
  evaluate: ({ g, scale: { data } }, _, Storage) => {
    const y = new Storage(g.data.length);
    for (let i = 0; i < y.length; i++) y[i] = g.data[i] / data[0];
    return { y: { data: y, shape: g.shape } };
  },
  bound: ({ g, scale: { data } }, _, target, errors = {}) => {
    const a = new Arithmetic(target);
    const y = allowances(g.shape);
    for (let i = 0; i < y.data.length; i++) {
      const value = { value: g.data[i], error: errors.g?.data[i] ?? 0 };
      const scale = a.exact(data[0]);
      const quotient = a.either(a.divide(value, scale), a.multiply(value, a.divide(a.exact(1), scale)));
      y.data[i] = data[0] === 1 ? value.error : quotient.error;
    }
    return { y };
  },
};

/**
 * The gradient at a micro-batch's loss, a mean over its own targets, when the batch's loss is the mean over all that count;
 * 1 where none counts, and every gradient is 0.
 */
const share: Operation = {
  ...none,
  name: "share.forward",
  summary: "share = n / N, n and N counting the targets of the micro-batch and of the batch that are not ignoreIndex",
  inputs: { own: "r", all: "R" },
  integers: ["own", "all"],
  scalars: { ignoreIndex: "integer" },
  outputs: { share: "" },
  wide: ["share"],
  evaluate: ({ own, all }, { ignoreIndex }, Storage) => {
    const [n, N] = counts(own, all, ignoreIndex);
    return { share: scalar(N > 0 ? n / N : 1, new Storage(1)) };
  },
  bound: ({ own, all }, { ignoreIndex }, target) => {
    const [n, N] = counts(own, all, ignoreIndex);
    const a = new Arithmetic(target);
    return { share: allowed(N > 0 ? a.divide(a.exact(n), a.exact(N)).error : 0) };
  },
};

/**
 * The loss of a batch from those of its micro-batches. Covered: Σ share · loss; (Σ n · loss) / N; Σ of the sums that the
 * micro-batches' losses were divided from, / N: then a loss is a division and a rounding away from its sum.
 */
const meanLoss: Operation = {
  ...none,
  name: "mean-loss.forward",
  summary: "loss = Σ over micro-batches of share · loss",
  inputs: { losses: "N", shares: "N" },
  outputs: { loss: "" },
  wide: ["losses", "shares", "loss"],
  evaluate: ({ losses, shares }, _, Storage) => {
    let sum = 0;
    for (let i = 0; i < losses.data.length; i++) sum += shares.data[i] * losses.data[i];
    return { loss: scalar(sum, new Storage(1)) };
  },
  bound: ({ losses, shares }, _, target, errors = {}) => {
    const a = new Arithmetic(target);
    const sum = a.sum();
    for (let i = 0; i < losses.data.length; i++) {
      const quotient = a.divide({ value: losses.data[i], error: errors.losses?.data[i] ?? 0 }, a.exact(1));
      sum.addProduct(shares.data[i], quotient.value, errors.shares?.data[i] ?? 0, quotient.error);
    }
    return { loss: allowed(a.divide(sum.total(1), a.exact(1)).error) };
  },
};

export const stepOps: ReadonlyMap<string, Operation> = new Map(
  [identity, unscale, share, meanLoss].map((op) => [op.name, op]),
);

function counts(own: Tensor<Floats | Ints>, all: Tensor<Floats | Ints>, ignoreIndex: number | string): number[] {
  return [own, all].map(({ data }) => {
    let count = 0;
    for (const target of data) if (target !== ignoreIndex) count++;
    return count;
  });
}

function scalar<P extends Floats>(value: number, data: P): Tensor<P> {
  data[0] = value;
  return { data, shape: [] };
}

function allowed(error: number): Allowance {
  const allowance = allowances([]);
  allowance.data[0] = error;
  return allowance;
}
