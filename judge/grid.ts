// The grid on which an output lies: that of a format with fewer bits than the one it is stored in.
//
// A number of float32 lies on the grid of TF32 and float16 with a chance of 2⁻¹³, on that of bfloat16 with 2⁻¹⁶. So a few
// elements show that all of them were rounded, whatever the size of the errors.
import { type DTypeName, type FormatName, formats, round } from "../reference/dtype.ts";
import type { PrecisionClass } from "./emulation.ts";

type Format = (typeof COARSER)[number];

export interface Grid {
  /** The coarsest format whose grid holds all of the numbers, and not those of float32. */
  readonly format: Format | undefined;
  /** The classes that leave their results on this grid. */
  readonly classes: ReadonlySet<PrecisionClass>;
  /** The classes that leave their results on another one, which does not hold the numbers. */
  readonly others: ReadonlySet<PrecisionClass>;
}

/** From the coarsest: a number of one is nearly always one of the next. */
const COARSER = ["bfloat16", "float16", "tf32"] as const;
/** Bits that would all be 0 by chance. */
const EVIDENCE = 24;
/** Partial sums in a low format may be added up in another one; all other results that are rounded lie on the grid. */
const LAST = / (outputs|intermediates)$/;

/** The grid of the numbers, given those of each evaluation of a class. */
export function gridOf(
  values: readonly number[],
  storage: DTypeName,
  names: readonly PrecisionClass[],
  emulated: (name: PrecisionClass) => readonly (readonly number[])[],
): Grid {
  const [plain] = emulated("float32");
  const format = formatOf(values, storage, plain);
  const [classes, others] = [new Set<PrecisionClass>(), new Set<PrecisionClass>()];
  for (const name of names) {
    if (format === undefined && !LAST.test(name)) continue;
    const own = emulated(name).map((list) => formatOf(list, storage, plain));
    if (format !== undefined && own.includes(format)) classes.add(name);
    if (LAST.test(name) && own.every((one) => rank(one) < rank(format))) others.add(name);
  }
  return { format, classes, others };
}

function formatOf(values: readonly number[], storage: DTypeName, plain: readonly number[]): Format | undefined {
  return COARSER.find((format) => {
    const bits = formats[storage].precision - formats[format].precision;
    if (bits <= 0 || !values.every((x) => isOn(x, format))) return false;
    return bits * plain.filter((x, i) => values[i] !== 0 && !isOn(x, format)).length >= EVIDENCE;
  });
}

function rank(format: Format | undefined): number {
  return format === undefined ? COARSER.length : COARSER.indexOf(format);
}

/** Whether a number lies on the grid of a format. */
export function isOn(x: number, format: FormatName): boolean {
  return round(x, formats[format]) === x;
}
