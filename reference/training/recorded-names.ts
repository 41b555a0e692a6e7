// The names under which a block's tensors are recorded, from those of its tables: attentionNorm.y of block 0 is
// activations.layers.0.attention_norm. A block's x is recorded once, as the result of the op that gave it.
import { blockGradients, type GradientName, type GradientRow } from "../model/block-backward.ts";
import type { TensorName } from "../model/block-table.ts";

/** The residual stream before block i, or after the last for i = L: such as "layers.0.ffn_residual". */
export function streamName(i: number): string {
  return i === 0 ? "embedding" : `layers.${i - 1}.ffn_residual`;
}

/** The name within a layer: such as "attention_norm.rstd". */
export function nameInLayer(name: TensorName): string {
  return name === "attention.lse" ? "lse" : snakeCase(name.replace(/\.y$/, ""));
}

/** Such as "activations.layers.0.q_projection". */
export function activationName(i: number, name: TensorName): string {
  return `activations.${name === "x" ? streamName(i) : `layers.${i}.${nameInLayer(name)}`}`;
}

/** Such as "activationGradients.layers.0.gate", or "activationGradientTerms.layers.0.ffn_norm.gate" for a term of a sum. */
export function gradientName(i: number, name: GradientName): string {
  const { like, sum, term }: GradientRow = blockGradients[name];
  if (sum !== undefined && term !== undefined) {
    return `activationGradientTerms.layers.${i}.${sum === "x" ? "input" : snakeCase(sum)}.${snakeCase(term)}`;
  }
  return `activationGradients.${name === "x" ? streamName(i) : `layers.${i}.${nameInLayer(like)}`}`;
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
