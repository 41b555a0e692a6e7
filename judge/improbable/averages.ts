// How far attention's y = Σ p · v may plausibly err, where the judge has drawn v with even signs that are independent of each other and of q and k.
//
// A correct kernel computes p̂ⱼ = pⱼ · (1 + εⱼ) from q and k, before it reads v: by scores, exponentials, factors that rescale and, where each weight is
// normalised, the sum. So εⱼ does not depend on the signs of v. Then it multiplies, adds and rescales, tⱼ = pⱼ vⱼ being the exact terms:
//
//   ŷ − y  =  Σ εⱼ tⱼ  +  Σᵥ δᵥ (sᵥ + ηᵥ)  +  y · common
//
//   |Σ εⱼ tⱼ| ≤ λ √Σ (eⱼ vⱼ)²        eⱼ ≥ |εⱼ| pⱼ by the proof (attention.weights.bound.ts); Hoeffding, by the signs of v alone: no model of rounding
//   |Σᵥ δᵥ sᵥ| ≤ τ u √D              D = Σⱼ (1 + Rⱼ) tⱼ² + Σ_{k=2..n} (the sum of the k largest tⱼ²): products, rescalings of partial sums, additions (sums.ts)
//   |Σᵥ δᵥ ηᵥ| ≤ λ u η Σⱼ dⱼ^½ |tⱼ|   η: by what share a partial sum's terms may be off, dⱼ = n + Rⱼ nodes above a term: ηᵥ ≤ η Σ_{j below v} |tⱼ|, and ‖Σⱼ |tⱼ| 1ⱼ‖ ≤ Σⱼ |tⱼ| ‖1ⱼ‖
//
// Rⱼ is by how many products with exponentials a partial sum that holds term j may be rounded. `common` is what one factor for the whole row errs by, as e^−lse or 1 / l do. Below the
// normal range every operation may lose minNormal of what it holds.
import { numbers } from "../../reference/bounds.ts";
import { dtypes } from "../../reference/dtype.ts";
import type { Inputs } from "../../reference/operation.ts";
import { visibleKeys } from "../../reference/ops/attention.ts";
import { AttentionWeights } from "../../reference/ops/attention.weights.bound.ts";
import { growth } from "../../reference/ops/softmax.spread.bound.ts";
import type { Target } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { nodesOf } from "../../reference/tree-sum.ts";
import { isShort } from "./sums.ts";
import { LAMBDA_OF_TWO, TAU } from "./tail.ts";

const { u, minNormal } = dtypes.float32;

/** The limit for the element of y at a flat index. The weights of the query asked for last are kept: elements of one query are asked for in turn. */
export function limitsOfAverages(inputs: Inputs, target: Target): (i: number) => number {
  const [q, k, v] = ["q", "k", "v"].map((name) => inputs[name] as Tensor);
  const [[, T, NH, HS], [, S, NKV]] = [q.shape, k.shape];
  let weights: AttentionWeights | undefined;
  let last = -1;
  return (i) => {
    const row = Math.floor(i / HS); // of [B, T, NH]
    const [b, h, t] = [Math.floor(row / NH / T), row % NH, Math.floor(row / NH) % T];
    const keys = visibleKeys(t, T, S);
    const firstKey = (b * S * NKV + Math.floor((h * NKV) / NH)) * HS;
    weights ??= new AttentionWeights(target, numbers(q), numbers(k), S, HS);
    if (row !== last && keys > 0) weights.read(row * HS, firstKey, NKV * HS, keys);
    last = row;
    return limitOfAverage(weights, keys, S, (j) => v.data[firstKey + j * NKV * HS + (i % HS)]);
  };
}

function limitOfAverage(weights: AttentionWeights, keys: number, S: number, valueOf: (j: number) => number): number {
  let [y, own, rescaled, second, most] = [0, 0, 0, 0, 0];
  const squares: number[] = [];
  for (let j = 0; j < keys; j++) {
    const [p, error, rescalings] = [weights.p[j], weights.pError[j], weights.rescalings[j]];
    const x = valueOf(j);
    const square = (p * x) ** 2;
    y += p * x;
    own += (error * x) ** 2;
    rescaled += (1 + rescalings) * square;
    second += Math.abs(p * x) * Math.sqrt(keys + rescalings);
    most = Math.max(most, keys + rescalings);
    squares.push(square);
  }
  if (!isShort(most)) return Infinity;
  const off = growth(weights.largestSpread + 2 * u * most);
  const additions = TAU * u * Math.sqrt(rescaled + nodesOf(squares, keys)) + LAMBDA_OF_TWO * u * off * second;
  const error = LAMBDA_OF_TWO * Math.sqrt(own) + additions + 4 * (keys + S) * minNormal;
  const ofAll = growth(weights.commonSpread + weights.normalSpread); // e^−x ≥ 1 − (e^x − 1)
  return ofAll < 1 ? (error + Math.abs(y) * ofAll) / (1 - ofAll) : Infinity;
}
