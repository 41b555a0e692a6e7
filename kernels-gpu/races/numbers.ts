// Arithmetic on scalars and, component by component, on vectors and matrices.
import type { Type } from "wesl/core";
import type { Value } from "./machine.ts";

export type Unary = (a: number) => number;
export type Binary = (a: number, b: number) => number;

/** The scalar of a type; undefined where it has none. */
export function scalarOf(type: Type): string | undefined {
  if (type.kind === "scalar") return type.scalar;
  return type.kind === "vector" || type.kind === "matrix" || type.kind === "atomic" ? type.elem.scalar : undefined;
}

/** A number as its type holds it. Abstract numbers stay as they are. */
export const held: Readonly<Record<string, Unary>> = {
  u32: (a) => a >>> 0,
  i32: (a) => a | 0,
  f32: Math.fround,
};

const plain: Readonly<Record<string, Binary>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

// WGSL 8.7: an integer divided by zero is itself, and leaves zero.
const whole: Readonly<Record<string, Binary>> = {
  ...plain,
  "/": (a, b) => (b === 0 ? a : Math.trunc(a / b)),
  "%": (a, b) => (b === 0 ? 0 : a % b),
};

const bits: Readonly<Record<string, Binary>> = {
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => a << (b & 31),
};

/** An operator on two numbers of a scalar type; undefined if it has none. */
export function arithmetic(operator: string, scalar: string): Binary | undefined {
  if (scalar === "f32" || scalar === "abstract-float") {
    const exact = plain[operator];
    return exact && (scalar === "f32" ? (a, b) => Math.fround(exact(a, b)) : exact);
  }
  if (scalar === "abstract-int")
    return whole[operator] ?? bits[operator] ?? (operator === ">>" ? (a, b) => a >> b : undefined);
  const hold = held[scalar];
  if (hold === undefined) return undefined;
  if (operator === "*") return (a, b) => hold(Math.imul(a, b));
  if (operator === ">>") return scalar === "u32" ? (a, b) => a >>> (b & 31) : (a, b) => a >> (b & 31);
  const exact = whole[operator] ?? bits[operator];
  return exact && ((a, b) => hold(exact(a, b)));
}

export const comparisons: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** Component by component; a scalar goes with each component. */
export function componentwise(f: (...scalars: never[]) => Value, values: readonly Value[]): Value {
  const lists = values.filter((value) => Array.isArray(value));
  if (lists.length === 0) return f(...(values as never[]));
  return lists[0]!.map((_, i) =>
    componentwise(
      f,
      values.map((value) => (Array.isArray(value) ? value[i]! : value)),
    ),
  );
}

/** A value of its own, which no assignment to parts of the other changes. */
export function copied(value: Value): Value {
  return Array.isArray(value) ? value.map(copied) : value;
}
