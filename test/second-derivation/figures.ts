// What one operation may err by, and when it cannot: the target's figures, and results that float32 holds.
import { dtypes, ulp } from "../../reference/dtype.ts";
import type { FunctionName, Target } from "../../reference/targets.ts";

/** Whether the sum of two float32 numbers is one: no error in the double's addition, nor in rounding it. */
export function holds(sum: number, a: number, b: number): boolean {
  const rest = sum - a;
  return a - (sum - rest) + (b - rest) === 0 && Math.fround(sum) === sum;
}

/** Whether the product of two float32 numbers, which a double holds, is one. */
export function holdsProduct(product: number, a: number, b: number): boolean {
  return Math.fround(product) === product && (product !== 0 || a === 0 || b === 0);
}

/** Whether a factor changes an exponent alone, or makes zero. */
export function isScale(x: number, result: number): boolean {
  return x === 0 || (Number.isInteger(Math.log2(Math.abs(x))) && Math.abs(result) >= dtypes.float32.minNormal);
}

/** The figure of the region in which the argument lies; infinite where nothing is promised. */
export function figure(target: Target, name: FunctionName, argument: number, result: number): number {
  const x = name === "divide" ? Math.abs(argument) : argument;
  const region = target.functions[name].filter(({ from, to }) => from <= x && x <= to);
  if (region.length === 0) return Infinity;
  const magnitude = Math.abs(result);
  return Math.max(
    ...region.map(
      ({ ulp: units = 0, ulpPerArgument = 0, absolute = 0, relative = 0 }) =>
        (units + ulpPerArgument * Math.abs(x)) * ulp(magnitude, dtypes.float32) + absolute + relative * magnitude,
    ),
  );
}
