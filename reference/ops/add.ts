// Addition, the residual stream:  y = a + b.   Its backward is the identity, twice: da = dy, db = dy.
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** a, b: [N] → y: [N]. Tensors of any equal shape are taken as flat. */
export function forward<P extends Floats>(a: Tensor<P>, b: Tensor<P>): { y: Tensor<P> } {
  if (a.shape.length === 1) checkShapes({ a: [a, "N"], b: [b, "N"] });
  else if (a.shape.length !== b.shape.length || a.shape.some((length, i) => length !== b.shape[i])) {
    throw new RangeError(`b has shape [${b.shape}], expected [${a.shape}], the shape of a`);
  }
  const y = zeros(a);
  for (let i = 0; i < y.data.length; i++) y.data[i] = a.data[i] + b.data[i];
  return { y };
}
