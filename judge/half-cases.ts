// The cases of a target that computes in float16. Its largest number is 65,504, its smallest normal one 2⁻¹⁴, and a sum of n terms in it is off by
// n · 2⁻¹⁰ of them: the numbers and lengths that try float32 overflow, vanish, or have no bound there, and a check of them is inconclusive.
import * as fc from "fast-check";
import type { Operation } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";
import type { Sizes } from "./case.ts";
import type { Chosen } from "./choose.ts";
import type { MadeUp } from "./profile.ts";
import type { JudgeRow } from "./row.ts";

/** The longest sums: a quarter of their magnitudes is what float16 may lose of them. */
const MOST_TERMS = 256;

/** Of RMSNorm: a normal number of float16. */
const EPS = "1e-3";

/** Profiles of float32's range, and those of float16's that stand for them. */
const INSTEAD: Partial<Record<MadeUp, MadeUp>> = {
  large: "sixteenfold",
  tiny: "small-scores",
  subnormal: "small-scores",
  "below-zero": "below-underflow",
  "below-masks": "below-underflow",
};

/** The same where squares are summed: those of numbers below 2⁻⁷ or above 2⁸ leave float16, and so do sums of 256 of numbers from 16 on. */
const INSTEAD_OF_SQUARES: Partial<Record<MadeUp, MadeUp>> = {
  sixteenfold: "unit",
  "small-scores": "unit",
  "near-underflow": "unit",
  huge: "unit",
};

/** An op with the cases that its target has bounds for. */
export function suitedTo(target: Target, chosen: Chosen): Chosen {
  return target.arithmetic === undefined ? chosen : { ...chosen, spec: inHalf(chosen.operation, chosen.spec) };
}

function inHalf(operation: Operation, spec: JudgeRow): JudgeRow {
  const summed = new Set(Object.values(operation.sums).flatMap(({ over }) => over));
  const isShort = (sizes: Sizes): boolean =>
    Object.entries(sizes).every(([name, value]) => !summed.has(name) || !(Number(value) > MOST_TERMS));
  const shortened = (sizes: Sizes): Sizes =>
    Object.fromEntries(
      Object.entries(sizes).map(([name, value]) => {
        if (name === "eps") return [name, EPS];
        return [name, typeof value === "number" && summed.has(name) ? Math.min(value, MOST_TERMS) : value];
      }),
    );
  const instead = (profile: MadeUp): MadeUp => {
    const other = INSTEAD[profile] ?? profile;
    return "squares" in operation.sums ? (INSTEAD_OF_SQUARES[other] ?? other) : other;
  };
  const drawn = spec.drawn?.map(shortened);
  const { large } = spec;
  return {
    ...spec,
    sizes: "eps" in spec.sizes ? { ...spec.sizes, eps: fc.constant(EPS) } : spec.sizes,
    fits: (sizes) => spec.fits(sizes) && isShort(sizes),
    ...(drawn === undefined ? {} : { drawn }),
    profiles: [...new Set(spec.profiles.map(instead))],
    examples: spec.examples.map(({ sizes, profile }) => ({
      sizes: shortened(sizes),
      ...(profile === undefined ? {} : { profile: instead(profile) }),
    })),
    ...(spec.always === undefined ? {} : { always: spec.always.filter(isShort) }),
    large: large && { ...large, admits: (sizes) => isShort(sizes) && (large.admits?.(sizes) ?? true) },
  };
}
