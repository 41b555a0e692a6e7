// What the specifications promise of arithmetic in float32, as data: each figure with its section.
import type { DTypeName } from "./dtype.ts";
import { powerOfTwo } from "./elementary.ts";

export type FunctionName = "divide" | "sqrt" | "inverseSqrt" | "exp" | "exp2" | "log" | "log2" | "sin" | "cos";

/**
 * From one argument to another, the error is at most
 * (ulp + ulpPerArgument · |x|) units in the last place of the result + absolute + relative · |result|.
 * For divide the argument is the magnitude of the divisor.
 */
export interface Region {
  readonly from: number;
  readonly to: number;
  readonly ulp?: number;
  readonly ulpPerArgument?: number;
  readonly absolute?: number;
  readonly relative?: number;
}

export interface Target {
  readonly name: string;
  /** Where the figures stand. */
  readonly source: string;
  /** The largest relative error of + − ×: 2⁻²⁴ where rounding is to nearest, 2⁻²³ where its direction is not promised. */
  readonly u: number;
  /** Whether subnormal operands and results may become zero. */
  readonly flushes: boolean;
  /** Whether NaN and infinity behave as in IEEE 754: then they are judged, otherwise reported. */
  readonly promisesNonFinite: boolean;
  /** Each function's regions in ascending order; outside them nothing is promised. */
  readonly functions: Readonly<Record<FunctionName, readonly Region[]>>;
  /** Intermediates that the kernel declares as stored in a lower format, by the name that the op's bound gives them. */
  readonly stores?: Readonly<Record<string, DTypeName>>;
}

const MAX = (2 - powerOfTwo(-23)) * powerOfTwo(127);
const { PI } = Math;

/**
 * WGSL, section 15.7.4 "Floating point accuracy" (concrete f32) and 15.7.3 "Differences from IEEE-754": a correctly
 * rounded result is either neighbour, subnormals may be flushed, and NaN and infinity may be assumed away.
 * sqrt inherits from 1 / inverseSqrt: 2 ULP, then a division's 2.5 ULP; one ULP is at most 2⁻²³ of the result.
 */
const wgsl: Target = {
  name: "wgsl",
  source: "WGSL, section 15.7 Floating Point Evaluation",
  u: powerOfTwo(-23),
  flushes: true,
  promisesNonFinite: false,
  functions: {
    divide: [{ from: powerOfTwo(-126), to: powerOfTwo(126), ulp: 2.5 }],
    sqrt: [{ from: powerOfTwo(-126), to: MAX, relative: 4.5 * powerOfTwo(-23) + 5 * powerOfTwo(-46) }],
    inverseSqrt: [{ from: powerOfTwo(-126), to: MAX, ulp: 2 }],
    exp: [{ from: -MAX, to: MAX, ulp: 3, ulpPerArgument: 2 }],
    exp2: [{ from: -MAX, to: MAX, ulp: 3, ulpPerArgument: 2 }],
    log: [
      { from: powerOfTwo(-126), to: 0.5, ulp: 3 },
      { from: 0.5, to: 2, absolute: powerOfTwo(-21) },
      { from: 2, to: MAX, ulp: 3 },
    ],
    log2: [
      { from: powerOfTwo(-126), to: 0.5, ulp: 3 },
      { from: 0.5, to: 2, absolute: powerOfTwo(-21) },
      { from: 2, to: MAX, ulp: 3 },
    ],
    sin: [{ from: -PI, to: PI, absolute: powerOfTwo(-11) }],
    cos: [{ from: -PI, to: PI, absolute: powerOfTwo(-11) }],
  },
};

/** The targets by name. */
export const targets = { wgsl } as const satisfies Record<string, Target>;
