// RoPE's angles are the one step in which llama.cpp is coarser than float32 has to be: it multiplies from pair to pair and
// rounds each time (ggml_rope_cache_init).
//
//   angle[t, 0] = t,   angle[t, i+1] = fl32(angle[t, i] · scale),   scale = fl32(theta^(−2 / HS))
//
// An angle near 20 is then off by 10⁻⁶, and a logit of stories260K by up to 2·10⁻⁵. The reference's angles are float64.
import { headSize, type LlamaConfig } from "../../reference/config.ts";
import * as block from "../../reference/model/block.ts";
import * as embedding from "../../reference/ops/embedding.ts";
import * as linear from "../../reference/ops/linear.ts";
import * as rmsnorm from "../../reference/ops/rmsnorm.ts";
import { type Floats, roundScalar, type Tensor, view } from "../../reference/tensor.ts";
import { headWeight, layerWeights, type Weights } from "../../reference/weights.ts";

/** The reference's forward at llama.cpp's angles; tokens: [1, T] → logits: [T, V]. */
export function forwardAtTheirAngles<P extends Floats>(
  config: LlamaConfig,
  weights: Weights<P>,
  tokens: Tensor<Int32Array>,
): Tensor<P> {
  const table = weights.get("tok_embeddings.weight")!;
  const Storage = table.data.constructor as new (length: number) => P;
  const T = tokens.data.length;
  const angles = theirAngles(config, T, Storage);
  let x = embedding.forward(view(tokens, [T]), table).y;
  for (let i = 0; i < config.nLayers; i++) {
    x = block.forward(config, layerWeights(weights, i), angles, x).ffnResidual;
  }
  const norm = rmsnorm.forward(x, weights.get("norm.weight")!, roundScalar(config.normEps, table));
  return linear.forward(norm.y, headWeight(weights)).y;
}

function theirAngles<P extends Floats>(
  config: LlamaConfig,
  T: number,
  Storage: new (length: number) => P,
): block.RopeTable<P> {
  const half = headSize(config) / 2;
  const cos = { data: new Storage(T * half), shape: [T, half] };
  const sin = { data: new Storage(T * half), shape: [T, half] };
  const scale = Math.fround(Math.fround(config.ropeTheta) ** Math.fround(-1 / half));
  for (let t = 0; t < T; t++) {
    let angle = t;
    for (let i = 0; i < half; i++) {
      cos.data[t * half + i] = Math.cos(angle);
      sin.data[t * half + i] = Math.sin(angle);
      angle = Math.fround(angle * scale);
    }
  }
  return { cos, sin };
}
