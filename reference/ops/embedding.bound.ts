// How far a correct embedding may land: not at all forwards, but for subnormal numbers that may become zero; backwards by
// the roundings of the sums.
//
// Covered: forward as a copy, or as the product with a one-hot row; backward as sums in any order, and as the product of
// the one-hot matrix's transpose with dy.
import { allowances, type Allowance, type Errors, reader } from "../bounds.ts";
import { Arithmetic } from "../rounding.ts";
import type { Target } from "../targets.ts";
import { checkShapes, type Ints, type Tensor } from "../tensor.ts";

/** tokens: [R], w: [V, C] → an allowance for each element of y: [R, C]. */
export function forward(tokens: Tensor<Ints>, w: Tensor, target: Target, errors: Errors<"w"> = {}): { y: Allowance } {
  const { R, C } = checkShapes({ tokens: [tokens, "R"], w: [w, "V,C"] });
  const a = new Arithmetic(target);
  const wAt = reader(w, errors.w);
  const y = allowances([R, C]);
  for (let r = 0; r < R; r++) {
    // A copy rounds nothing: what is left is an operand that may be read as zero. The zeros of a one-hot row add nothing.
    for (let c = 0; c < C; c++) y.data[r * C + c] = a.abs(wAt(tokens.data[r] * C + c)).error;
  }
  return { y };
}

/** dy: [R, C], tokens: [R] → an allowance for each element of dw: [V, C]. */
export function backward(
  dy: Tensor,
  tokens: Tensor<Ints>,
  V: number,
  target: Target,
  errors: Errors<"dy"> = {},
): { dw: Allowance } {
  const { R, C } = checkShapes({ dy: [dy, "R,C"], tokens: [tokens, "R"] });
  const a = new Arithmetic(target);
  const dyAt = reader(dy, errors.dy);
  const dw = allowances([V, C]);
  // A token that occurs n times passes through n − 1 additions; what is added for the other rows is zero, which is exact.
  const occurrences = Array.from({ length: V }, (): number[] => []);
  for (let r = 0; r < R; r++) occurrences[tokens.data[r]].push(r);
  for (let v = 0; v < V; v++) {
    for (let c = 0; c < C; c++) {
      const sum = a.sum();
      for (const r of occurrences[v]) {
        const term = dyAt(r * C + c);
        sum.add(term.value, term.error);
      }
      dw.data[v * C + c] = sum.total().error;
    }
  }
  return { dw };
}
