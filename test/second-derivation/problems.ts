// Problems for the second derivation: drawn numbers of a few kinds, and what a forward saves of them.
import type { Inputs, Scalars } from "../../reference/operation.ts";
import * as attention from "../../reference/ops/attention.ts";
import * as crossEntropy from "../../reference/ops/cross-entropy.ts";
import * as rmsnorm from "../../reference/ops/rmsnorm.ts";
import { normal } from "../../reference/random.ts";
import { type Tensor, tensor } from "../../reference/tensor.ts";

export interface Problem {
  readonly op: string;
  readonly inputs: Inputs;
  readonly scalars: Scalars;
}

/** Number i of a stream, of one of these kinds. */
export const kinds = {
  normal: (seed: number, stream: number, i: number) => normal(seed, stream, i),
  positive: (seed: number, stream: number, i: number) => Math.abs(normal(seed, stream, i)),
  constant: () => 0.7,
  stairs: (_seed: number, _stream: number, i: number) => (i + 1) / 1024,
} as const;
export type Kind = keyof typeof kinds;

function drawn(kind: Kind, seed: number, stream: number, shape: readonly number[], scale = 1): Tensor<Float32Array> {
  const length = shape.reduce((n, x) => n * x, 1);
  return tensor(
    Float32Array.from({ length }, (_, i) => scale * kinds[kind](seed, stream, i)),
    [...shape],
  );
}

const wide = ({ data, shape }: Tensor<Float32Array>): Tensor<Float64Array> => tensor(Float64Array.from(data), shape);
const narrow = ({ data, shape }: Tensor<Float64Array>): Tensor<Float32Array> => tensor(Float32Array.from(data), shape);

export function rmsnormBackward(C: number, kind: Kind, seed: number, eps = Math.fround(1e-5)): Problem {
  const [dy, x, w] = [drawn(kind, seed, 1, [1, C]), drawn(kind, seed, 2, [1, C]), drawn(kind, seed, 3, [C])];
  const rstd = narrow(rmsnorm.forward(wide(x), wide(w), eps).rstd);
  return { op: "rmsnorm.backward", inputs: { dy, x, w, rstd }, scalars: { eps } };
}

export function swiglu(F: number, kind: Kind, seed: number, scale = 1): Problem {
  const shape = [1, F];
  const inputs = { gate: drawn(kind, seed, 1, shape, scale), up: drawn(kind, seed, 2, shape) };
  return { op: "swiglu.forward", inputs, scalars: {} };
}

export function swigluBackward(F: number, kind: Kind, seed: number, scale = 1): Problem {
  const { inputs } = swiglu(F, kind, seed, scale);
  return { op: "swiglu.backward", inputs: { dy: drawn(kind, seed, 3, [1, F]), ...inputs }, scalars: {} };
}

/** One row and its target, the middle class. */
export function crossEntropyForward(V: number, kind: Kind, seed: number, scale = 1): Problem {
  const logits = drawn(kind, seed, 1, [1, V], scale);
  const targets = tensor(Int32Array.of(V >> 1), [1]);
  return { op: "cross-entropy.forward", inputs: { logits, targets }, scalars: { ignoreIndex: -100 } };
}

/** The same row n times, so that the mean is of n. */
export function crossEntropyBackward(V: number, n: number, kind: Kind, seed: number, upstream: number): Problem {
  const row = drawn(kind, seed, 1, [V]).data;
  const logits = tensor(
    Float32Array.from({ length: n * V }, (_, i) => row[i % V]),
    [n, V],
  );
  const targets = tensor(new Int32Array(n).fill(V >> 1), [n]);
  const lse = narrow(crossEntropy.forward(wide(logits), targets).lse);
  const dloss = tensor(Float32Array.of(upstream), []);
  return { op: "cross-entropy.backward", inputs: { dloss, logits, targets, lse }, scalars: { ignoreIndex: -100 } };
}

export function softmaxForward(C: number, kind: Kind, seed: number, scale = 1): Problem {
  return { op: "softmax.forward", inputs: { x: drawn(kind, seed, 1, [1, C], scale) }, scalars: {} };
}

export function gradientNorm(N: number, kind: Kind, seed: number): Problem {
  return { op: "gradient-norm.forward", inputs: { g: drawn(kind, seed, 1, [N]) }, scalars: {} };
}

/** One head; query t of T sees the first t + 1 + S − T keys. */
export function attentionForward(T: number, S: number, HS: number, kind: Kind, seed: number, scale = 1): Problem {
  const q = drawn(kind, seed, 1, [1, T, 1, HS], scale);
  const k = drawn(kind, seed, 2, [1, S, 1, HS]);
  return { op: "attention.forward", inputs: { q, k, v: drawn("normal", seed, 3, [1, S, 1, HS]) }, scalars: {} };
}

export function attentionBackward(T: number, S: number, HS: number, kind: Kind, seed: number, scale = 1): Problem {
  const { inputs } = attentionForward(T, S, HS, kind, seed, scale);
  const { q, k, v } = inputs as Record<"q" | "k" | "v", Tensor<Float32Array>>;
  const saved = attention.forward(wide(q), wide(k), wide(v));
  const dy = drawn("normal", seed, 4, [1, T, 1, HS]);
  return {
    op: "attention.backward",
    inputs: { dy, q, k, v, y: narrow(saved.y), lse: narrow(saved.lse) },
    scalars: {},
  };
}
