// Cast:  y = x, rounded only to the storage of y. Here both have one storage, so it is a copy; code that stores y in fewer
// bits rounds to nearest, ties to even (IEEE 754-2019, section 4.3.1). Its backward is the identity.
import { checkShapes, type Floats, type Tensor, zeros } from "../tensor.ts";

/** x: [N] → y: [N]. */
export function forward<P extends Floats>(x: Tensor<P>): { y: Tensor<P> } {
  checkShapes({ x: [x, "N"] });
  const y = zeros(x);
  y.data.set(x.data);
  return { y };
}
