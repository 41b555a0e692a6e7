// The global gradient norm (Pascanu et al. 2013):  norm = √(Σ over every element of every gradient of g²)
import { type Floats, type Tensor, zeros } from "../tensor.ts";

/** g: any number of tensors of any shape, at least one → norm: []. */
export function forward<P extends Floats>(...g: [Tensor<P>, ...Tensor<P>[]]): { norm: Tensor<P> } {
  return forwardOf(g);
}

/** The same of a list, such as a model's gradients, which may be longer than a call's arguments can be. */
export function forwardOf<P extends Floats>(g: readonly Tensor<P>[]): { norm: Tensor<P> } {
  let squares = 0;
  for (const { data } of g) {
    for (let i = 0; i < data.length; i++) squares += data[i] * data[i];
  }
  const norm = zeros(g[0], []);
  norm.data[0] = Math.sqrt(squares);
  return { norm };
}
