// Every parameter of a LLaMA, its name (Meta's) and its shape, in one table.
import { type LlamaConfig, headSize } from "./config.ts";
import { normal, streamOf } from "./random.ts";
import { type Floats, sizeOf, type Tensor } from "./tensor.ts";

/** The weights of one block; matrices are stored [out, in]. */
export interface LayerWeights<P extends Floats = Floats> {
  readonly attentionNorm: Tensor<P>;
  readonly wq: Tensor<P>;
  readonly wk: Tensor<P>;
  readonly wv: Tensor<P>;
  readonly wo: Tensor<P>;
  readonly ffnNorm: Tensor<P>;
  readonly w1: Tensor<P>;
  readonly w2: Tensor<P>;
  readonly w3: Tensor<P>;
}

/** All weights by Meta's names, in the order of the table. Gradients and moments have the same form. */
export type Weights<P extends Floats = Floats> = ReadonlyMap<string, Tensor<P>>;

type LayerNames = Record<keyof LayerWeights, string>;

// Made once, because every step of a model looks up all of them.
const namesByLayer: LayerNames[] = [];

/** The names of the weights of layer i. */
function namesOf(i: number): LayerNames {
  return (namesByLayer[i] ??= {
    attentionNorm: `layers.${i}.attention_norm.weight`,
    wq: `layers.${i}.attention.wq.weight`,
    wk: `layers.${i}.attention.wk.weight`,
    wv: `layers.${i}.attention.wv.weight`,
    wo: `layers.${i}.attention.wo.weight`,
    ffnNorm: `layers.${i}.ffn_norm.weight`,
    w1: `layers.${i}.feed_forward.w1.weight`,
    w2: `layers.${i}.feed_forward.w2.weight`,
    w3: `layers.${i}.feed_forward.w3.weight`,
  });
}

/** The name of a weight of layer i, such as "layers.0.attention.wq.weight". */
export function layerWeightName(i: number, weight: keyof LayerWeights): string {
  return namesOf(i)[weight];
}

/** The table: name → shape. A tied model has no "output.weight". */
export function weightShapes(config: LlamaConfig): Map<string, readonly number[]> {
  const { dim: C, nHeads, nKvHeads, ffnDim: F, vocabSize: V } = config;
  const HS = headSize(config);
  const shapes = new Map<string, readonly number[]>([["tok_embeddings.weight", [V, C]]]);
  for (let i = 0; i < config.nLayers; i++) {
    const layer: Record<keyof LayerWeights, readonly number[]> = {
      attentionNorm: [C],
      wq: [nHeads * HS, C],
      wk: [nKvHeads * HS, C],
      wv: [nKvHeads * HS, C],
      wo: [C, nHeads * HS],
      ffnNorm: [C],
      w1: [F, C],
      w2: [C, F],
      w3: [F, C],
    };
    for (const [weight, shape] of Object.entries(layer)) {
      shapes.set(layerWeightName(i, weight as keyof LayerWeights), shape);
    }
  }
  shapes.set("norm.weight", [C]);
  if (!config.tiedEmbeddings) shapes.set("output.weight", [V, C]);
  return shapes;
}

/** How many numbers a model has, from the table: nothing is allocated. */
export function countParameters(config: LlamaConfig): number {
  let count = 0;
  for (const shape of weightShapes(config).values()) count += sizeOf(shape);
  return count;
}

/** The weights of layer i. */
export function layerWeights<P extends Floats>(weights: Weights<P>, i: number): LayerWeights<P> {
  const names = namesOf(i);
  return {
    attentionNorm: weights.get(names.attentionNorm)!,
    wq: weights.get(names.wq)!,
    wk: weights.get(names.wk)!,
    wv: weights.get(names.wv)!,
    wo: weights.get(names.wo)!,
    ffnNorm: weights.get(names.ffnNorm)!,
    w1: weights.get(names.w1)!,
    w2: weights.get(names.w2)!,
    w3: weights.get(names.w3)!,
  };
}

/** The head's matrix: the embedding where they are tied. */
export function headWeight<P extends Floats>(weights: Weights<P>): Tensor<P> {
  return weights.get("output.weight") ?? weights.get("tok_embeddings.weight")!;
}

/** Whether AdamW's decay applies: it does to matrices, not to the norms' gains. */
export function decays(w: Tensor): boolean {
  return w.shape.length > 1;
}

/** Throws RangeError naming the first weight that is missing, left over, or of another shape than the table's. */
export function checkWeights(config: LlamaConfig, weights: Weights): void {
  const shapes = weightShapes(config);
  for (const [name, shape] of shapes) {
    const w = weights.get(name);
    if (w === undefined) throw new RangeError(`${name} is missing, expected shape [${shape}]`);
    if (w.shape.join() !== shape.join()) {
      throw new RangeError(`${name} has shape [${w.shape}], expected [${shape}]`);
    }
  }
  for (const name of weights.keys()) {
    if (!shapes.has(name)) throw new RangeError(`${name} is not a weight of this configuration`);
  }
}

/**
 * Fresh weights: matrices normal with deviation 0.02, those that write to the residual stream (wo, w2) divided by
 * √(2 · nLayers) (Radford et al. 2019, section 2.3), gains 1. Each tensor has its own stream of the seed, by its name.
 */
export function initialWeights<P extends Floats>(
  config: LlamaConfig,
  seed: number,
  Storage: new (length: number) => P,
): Map<string, Tensor<P>> {
  const weights = new Map<string, Tensor<P>>();
  for (const [name, shape] of weightShapes(config)) {
    const data = new Storage(sizeOf(shape));
    const toResidual = name.endsWith(".wo.weight") || name.endsWith(".w2.weight");
    const deviation = toResidual ? 0.02 / Math.sqrt(2 * config.nLayers) : 0.02;
    const stream = streamOf(name);
    if (shape.length === 1) data.fill(1);
    else for (let i = 0; i < data.length; i++) data[i] = deviation * normal(seed, stream, i);
    weights.set(name, { data, shape });
  }
  return weights;
}
