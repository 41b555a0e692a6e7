// The angles of RoPE (Su et al. 2021, equation 15):  angle[t, i] = (start + t) · theta^(−2i / HS)
import { cos as cosine, power, sin as sine } from "../elementary.ts";
import type { Floats, Tensor } from "../tensor.ts";

/**
 * theta: base of the frequencies, HS: head size (even), start: position of the first row, T: rows → cos, sin: [T, HS/2].
 * Throws RangeError for an odd head size, or a position beyond 2²⁰.
 */
export function forward<P extends Floats = Float32Array>(
  theta: number,
  HS: number,
  start: number,
  T: number,
  Storage: new (length: number) => P = Float32Array as unknown as new (length: number) => P,
): { cos: Tensor<P>; sin: Tensor<P> } {
  if (HS % 2 !== 0) throw new RangeError(`head size ${HS} is odd: RoPE turns pairs`);
  const half = HS / 2;
  const cos = { data: new Storage(T * half), shape: [T, half] };
  const sin = { data: new Storage(T * half), shape: [T, half] };
  for (let i = 0; i < half; i++) {
    const frequency = power(theta, (-2 * i) / HS);
    for (let t = 0; t < T; t++) {
      cos.data[t * half + i] = cosine((start + t) * frequency);
      sin.data[t * half + i] = sine((start + t) * frequency);
    }
  }
  return { cos, sin };
}
