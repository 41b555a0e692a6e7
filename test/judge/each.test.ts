// Large cases that every check has: each size for which a kernel is compiled, one query after a long cache, pieces of a prompt, and
// rows whose end counts alone. Faults of kernels that were written to pass are seen in them.
import { expect, it } from "vitest";
import { buildCase, comparing } from "../../judge/campaign.ts";
import type { Sizes } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { roundProblem } from "../../judge/verdict.ts";
import type { Inputs, Operation, Outputs, Scalars } from "../../reference/operation.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";

/** A kernel's outputs, from right ones and from the op. */
type Fault = (right: Outputs, inputs: Inputs, op: Operation, scalars: Scalars) => Outputs;

/** Zeros in the last `width` places of each row. */
const withoutLast = ({ data, shape }: Tensor<Floats>, width: number): Tensor<Floats> => ({
  data: data.map((x, i) => ((i % shape.at(-1)!) + width < shape.at(-1)! ? x : 0)) as Floats,
  shape,
});

/** Each with the sizes at which the kernel has it. */
const faults: Readonly<Record<string, readonly [op: string, (sizes: Sizes) => boolean, Fault]>> = {
  "one head size, in its last dimensions": [
    "attention.forward",
    ({ HS, T }) => HS === 112 && Number(T) >= 64,
    ({ y, lse }) => ({ y: withoutLast(y as Tensor<Floats>, 16), lse }),
  ],
  "one head size of RoPE, in its last dimensions": [
    "rope.forward",
    ({ HS, NH }) => HS === 80 && Number(NH) > 1,
    ({ y }) => ({ y: withoutLast(y as Tensor<Floats>, 16) }),
  ],
  "the last key of a decoding step, one after the end of a split": [
    "attention.forward",
    ({ T, S }) => T === 1 && Number(S) > 1024 && Number(S) % 256 === 1,
    (_, inputs, op, scalars) => op.evaluate(withoutKey(inputs), scalars, Float32Array),
  ],
  "the keys of another batch, where the cache is long": [
    "attention.forward",
    ({ B, S }) => Number(B) > 1 && Number(S) >= 1024,
    (_, inputs, op, scalars) =>
      op.evaluate({ ...inputs, k: firstBatch(inputs.k as Tensor<Floats>) }, scalars, Float32Array),
  ],
  "the last key of all, for pieces of a prompt after a cache": [
    "attention.forward",
    ({ T, S }) => Number(T) > 64 && Number(S) - Number(T) >= 256,
    (_, inputs, op, scalars) => op.evaluate(withoutKey(inputs), scalars, Float32Array),
  ],
  "the last vector of a long row of logits": [
    "cross-entropy.forward",
    ({ V }) => Number(V) >= 32_768 && Number(V) % 8 === 0,
    (right, { logits, targets: classes }, op, scalars) => {
      const { data, shape } = logits as Tensor<Floats>;
      const V = shape[1];
      const short = { data: data.map((x, i) => ((i % V) + 8 < V ? x : -1e4)) as Floats, shape };
      return { ...right, lse: op.evaluate({ logits: short, targets: classes }, scalars, Float32Array).lse };
    },
  ],
  "ids beyond 16 bits, where rows are wide": [
    "embedding.forward",
    ({ V, C }) => Number(V) > 65_536 && Number(C) >= 64,
    (_, { tokens, w }, op, scalars) =>
      op.evaluate(
        { tokens: { ...tokens, data: Int32Array.from(tokens.data, (id) => id & 0xffff) }, w },
        scalars,
        Float32Array,
      ),
  ],
};

/** The last key has the numbers of the one before. */
function withoutKey({ q, k, v }: Inputs): Inputs {
  const repeated = ({ data, shape: [B, S, NKV, HS] }: Tensor<Floats>): Tensor<Floats> => {
    const [row, copy] = [NKV * HS, data.slice() as Floats];
    for (let b = 0; b < B; b++) copy.copyWithin((b * S + S - 1) * row, (b * S + S - 2) * row, (b * S + S - 1) * row);
    return { data: copy, shape: [B, S, NKV, HS] };
  };
  return { q, k: repeated(k as Tensor<Floats>), v: repeated(v as Tensor<Floats>) };
}

function firstBatch({ data, shape }: Tensor<Floats>): Tensor<Floats> {
  const size = data.length / shape[0];
  return { data: data.map((_, i) => data[i % size]) as Floats, shape };
}

it.each(Object.entries(faults))("every check sees %s", (_, [op, isThere, fault]) => {
  const [{ operation, spec }] = choose([op]);
  const work = (sizes: Sizes): number => spec.large!.work(sizes);
  const cases = largeCases(spec, 1).filter(({ sizes }) => isThere(sizes));
  const isSeen = cases
    .toSorted((a, b) => work(a.sizes) - work(b.sizes))
    .some((c) => {
      const problem = roundProblem(operation, buildCase(spec, c), "float32");
      const { inputs, scalars } = problem;
      const right = operation.evaluate(inputs, scalars, Float32Array);
      const wrong = fault(right, inputs, operation, scalars);
      const compare = comparing(spec, c)(operation, problem, { target: targets.wgsl, dtype: "float32" });
      return Object.entries(wrong).some(([output, got]) => compare(output, got).outside > 0);
    });
  expect(isSeen).toBe(true);
});
