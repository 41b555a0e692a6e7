// The grid on which an output lies: that of a format with fewer bits than the one it is stored in.
//
// A number of float32 lies on the grid of TF32 and float16 with a chance of 2⁻¹³, on that of bfloat16 with 2⁻¹⁶. So a few
// elements show that all of them were rounded, whatever the size of the errors.
import { type DTypeName, type FormatName, formats, round } from "../reference/dtype.ts";
import type { PrecisionClass } from "./emulation.ts";

export interface Grid {
  readonly format: FormatName;
  /** The classes that leave their results on this grid. */
  readonly classes: ReadonlySet<PrecisionClass>;
}

/** From the coarsest: a number of one is nearly always one of the next. */
const COARSER = ["bfloat16", "float16", "tf32"] as const;
/** Bits that would all be 0 by chance. */
const EVIDENCE = 24;

/** The coarsest format whose grid holds all of the numbers, and not those of float32. */
export function gridOf(
  values: readonly number[],
  storage: DTypeName,
  plain: readonly number[],
): (typeof COARSER)[number] | undefined {
  return COARSER.find((format) => {
    const bits = formats[storage].precision - formats[format].precision;
    if (bits <= 0 || !values.every((x) => isOn(x, format))) return false;
    return bits * plain.filter((x, i) => values[i] !== 0 && !isOn(x, format)).length >= EVIDENCE;
  });
}

export function isOn(x: number, format: FormatName): boolean {
  return round(x, formats[format]) === x;
}
