// Embedding:  y[r] = w[tokens[r]],   dw[v] = Σ over r with tokens[r] = v of dy[r]
import { checkShapes, type Floats, type Ints, type Tensor, zeros } from "../tensor.ts";

/** tokens: [R] ids below V, w: [V, C] → y: [R, C]. Throws RangeError for an id outside [0, V). */
export function forward<P extends Floats>(tokens: Tensor<Ints>, w: Tensor<P>): { y: Tensor<P> } {
  const { R, V, C } = checkShapes({ tokens: [tokens, "R"], w: [w, "V,C"] });
  const y = zeros(w, [R, C]);
  for (let r = 0; r < R; r++) {
    const row = checkToken(tokens, r, V);
    for (let c = 0; c < C; c++) y.data[r * C + c] = w.data[row * C + c];
  }
  return { y };
}

/** dy: [R, C], tokens: [R], V rows in the table → dw: [V, C]. A token that occurs twice collects both gradients. */
export function backward<P extends Floats>(dy: Tensor<P>, tokens: Tensor<Ints>, V: number): { dw: Tensor<P> } {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], tokens: [tokens, "R"] });
  const sums = new Float64Array(V * C);
  for (let r = 0; r < R; r++) {
    const row = checkToken(tokens, r, V);
    for (let c = 0; c < C; c++) sums[row * C + c] += dy.data[r * C + c];
  }
  const dw = zeros(dy, [V, C]);
  dw.data.set(sums);
  return { dw };
}

function checkToken(tokens: Tensor<Ints>, r: number, V: number): number {
  const token = tokens.data[r];
  if (!(token >= 0 && token < V)) throw new RangeError(`tokens[${r}] is ${token}, expected an id in [0, ${V})`);
  return token;
}
