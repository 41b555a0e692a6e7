// The functions of WGSL that kernels call, on values. What they err by on a device does not matter here.
import type { Type } from "wesl/core";
import type { Value } from "./machine.ts";
import { componentwise, held, scalarOf } from "./numbers.ts";

type Numeric = (...numbers: number[]) => number;

const fract = (x: number): number => x - Math.floor(x);
const clamped = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** Of numbers, component by component; the result is held as the call's type. */
const numeric: Readonly<Record<string, Numeric>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atan2: Math.atan2,
  atanh: Math.atanh,
  ceil: Math.ceil,
  clamp: clamped,
  cos: Math.cos,
  cosh: Math.cosh,
  countLeadingZeros: Math.clz32,
  countOneBits: (x) => [...(x >>> 0).toString(2)].filter((digit) => digit === "1").length,
  countTrailingZeros: (x) => (x === 0 ? 32 : 31 - Math.clz32(x & -x)),
  degrees: (x) => (x * 180) / Math.PI,
  exp: Math.exp,
  exp2: (x) => 2 ** x,
  firstLeadingBit: (x) => 31 - Math.clz32(x),
  floor: Math.floor,
  fma: (a, b, c) => a * b + c,
  fract,
  inverseSqrt: (x) => 1 / Math.sqrt(x),
  ldexp: (x, e) => x * 2 ** e,
  log: Math.log,
  log2: Math.log2,
  max: (a, b) => (a < b ? b : a),
  min: (a, b) => (b < a ? b : a),
  mix: (a, b, t) => a * (1 - t) + b * t,
  pow: Math.pow,
  quantizeToF16: (x) => x,
  radians: (x) => (x * Math.PI) / 180,
  round: (x) => (Math.abs(fract(x) - 0.5) > 0 ? Math.round(x) : 2 * Math.round(x / 2)),
  saturate: (x) => clamped(x, 0, 1),
  sign: Math.sign,
  sin: Math.sin,
  sinh: Math.sinh,
  smoothstep: (low, high, x) => {
    const t = clamped((x - low) / (high - low), 0, 1);
    return t * t * (3 - 2 * t);
  },
  sqrt: Math.sqrt,
  step: (edge, x) => (edge <= x ? 1 : 0),
  tan: Math.tan,
  tanh: Math.tanh,
  trunc: Math.trunc,
};

const partsOf = (value: Value): number[] => value as number[];
const dot = (a: Value, b: Value): number => partsOf(a).reduce((sum, x, i) => sum + x * partsOf(b)[i]!, 0);
const length = (a: Value): number => (Array.isArray(a) ? Math.sqrt(dot(a, a)) : Math.abs(a as number));

/** Of whole vectors and matrices, and of truth values. */
const whole: Readonly<Record<string, (...values: Value[]) => Value>> = {
  all: (a) => (Array.isArray(a) ? a.every(Boolean) : a),
  any: (a) => (Array.isArray(a) ? a.some(Boolean) : a),
  cross: (a, b) => {
    const [[x, y, z], [u, v, w]] = [partsOf(a), partsOf(b)] as [number[], number[]];
    return [y! * w! - z! * v!, z! * u! - x! * w!, x! * v! - y! * u!];
  },
  distance: (a, b) => length(componentwise((x: number, y: number) => x - y, [a, b])),
  dot,
  length,
  normalize: (a) => componentwise((x: number, by: number) => x / by, [a, length(a)]),
  transpose: (a) => (a as Value[][])[0]!.map((_, row) => (a as Value[][]).map((column) => column[row]!)),
};

const scratch = new DataView(new ArrayBuffer(4));

function bitsOf(value: number, scalar: string): number {
  if (scalar === "f32" || scalar === "abstract-float") scratch.setFloat32(0, value);
  else scratch.setUint32(0, value);
  return scratch.getUint32(0);
}

function ofBits(bits: number, scalar: string): number {
  scratch.setUint32(0, bits);
  if (scalar === "f32") return scratch.getFloat32(0);
  return scalar === "i32" ? scratch.getInt32(0) : bits >>> 0;
}

/** A number of one scalar type as another: WGSL 17.1. Floats are cut off and clamped where they become integers. */
export function converted(from: string, to: string): (value: Value) => Value {
  if (to === "bool") return Boolean;
  if (to === "abstract-float" || to === "abstract-int") return (value) => value;
  if (to === "f32" || to === "f16") return (value) => Math.fround(Number(value));
  const [low, high] = to === "u32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (from.includes("f")) return (value) => clamped(Math.trunc(Number(value)) || 0, low, high);
  const hold = held[to] ?? ((n: number) => n);
  return (value) => hold(Number(value));
}

/** The function, from its arguments' values to its result; undefined for one that is not known here. */
export function builtin(name: string, type: Type, args: readonly Type[]): ((values: Value[]) => Value) | undefined {
  const scalar = scalarOf(type) ?? "";
  const hold = held[scalar] ?? ((n: number) => n);
  if (name === "select") {
    return ([no, yes, when]) =>
      Array.isArray(when) ? when.map((is, i) => (is ? (yes as Value[])[i]! : (no as Value[])[i]!)) : when ? yes! : no!;
  }
  if (name === "bitcast") {
    const from = scalarOf(args[0]!) ?? "";
    return (values) => componentwise((x: number) => ofBits(bitsOf(x, from), scalar), values);
  }
  const of = numeric[name];
  if (of !== undefined) return (values) => componentwise((...numbers: number[]) => hold(of(...numbers)), values);
  const ofWhole = whole[name];
  if (ofWhole === undefined) return undefined;
  return (values) => {
    const result = ofWhole(...values);
    return componentwise((x: number | boolean) => (typeof x === "number" ? hold(x) : x), [result]);
  };
}
