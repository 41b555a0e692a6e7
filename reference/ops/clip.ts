// Clipping by the global norm (Pascanu et al. 2013):  g' = g · min(1, maxNorm / (norm + 10⁻⁶))
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** Added to the norm, so that zero gradients do not divide by zero (torch.nn.utils.clip_grad_norm_). */
export const CLIP_EPS = 1e-6;

/** g: [N] (any shape is taken as flat), norm: []; maxNorm > 0 → the clipped g. */
export function forward<P extends Floats>(g: Tensor<P>, norm: Tensor<P>, maxNorm: number): { g: Tensor<P> } {
  checkShapes({ norm: [norm, ""] });
  const scale = Math.min(1, maxNorm / (norm.data[0] + CLIP_EPS));
  const clipped = zeros(g);
  for (let i = 0; i < clipped.data.length; i++) clipped.data[i] = g.data[i] * scale;
  return { g: clipped };
}
