// The operations of a tape, without an error but those of a double.
import { exp, log } from "../../reference/elementary.ts";

const unary = ["sqrt", "inverseSqrt", "exp", "exp2", "log", "log2", "tanh"] as const;
export const kinds = ["leaf", "add", "sub", "mul", "fma", "divide", ...unary] as const;
export type Kind = (typeof kinds)[number];
export type Unary = (typeof unary)[number];

const { LN2 } = Math;

/** A leaf has no result. */
export function resultOf(kind: Kind, a: number, b: number, c: number): number {
  switch (kind) {
    case "leaf":
      return NaN;
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "fma":
      return a * b + c;
    case "divide":
      return a / b;
    case "sqrt":
      return Math.sqrt(a);
    case "inverseSqrt":
      return 1 / Math.sqrt(a);
    case "exp":
      return exp(a);
    case "exp2":
      return exp(a * LN2);
    case "log":
      return log(a);
    case "log2":
      return log(a) / LN2;
    case "tanh": {
      const e = exp(-2 * Math.abs(a));
      return (Math.sign(a) * (1 - e)) / (1 + e);
    }
  }
}
