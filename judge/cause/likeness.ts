// What wrong numbers are: one factor, one difference, zeros, or numbers that belong elsewhere.
import { dtypes, type FormatName, formats, round } from "../../reference/dtype.ts";
import { largest, smallest } from "../../reference/lists.ts";
import type { Scalars } from "../../reference/operation.ts";
import { boundIn, isWithin } from "../compare.ts";
import { type Portrait, type Seen, storedAs } from "./portrait.ts";
import { exchanged, placeOf } from "./places.ts";

/** Fewer wrong elements are no pattern. */
const LEAST = 3;
/** An element tells a factor where its bound is at most this share of it. */
const TELLING = 1 / 16;
/** Places along an axis by which numbers are looked for. */
const SHIFTS = [1, -1, 2, -2, 4, -4, 8, -8, 16, -16, 32, -32, 64, -64];

/** Such as "y is NaN there"; undefined where the wrong numbers are of several kinds. */
export function emptinessOf({ output, got, wrong }: Seen): string | undefined {
  const numbers = wrong.map((i) => got.data[i]);
  if (numbers.every(Number.isNaN)) return `${output} is NaN there`;
  if (numbers.every((x) => x === 0)) return `${output} is zero there`;
  return numbers.every((x) => Math.abs(x) === Infinity) ? `${output} is infinite there` : undefined;
}

/** Such as "y is 1.41421 = √HS times what is expected there"; undefined where nothing of this kind is true of all wrong elements. */
export function likenessOf(portrait: Portrait, seen: Seen): string | undefined {
  const { output, got, wrong } = seen;
  if (wrong.length < LEAST) return undefined;
  const [first] = wrong.map((i) => got.data[i]);
  if (wrong.every((i) => got.data[i] === first)) return `${output} is ${first} there, everywhere the same`;
  return (
    coarseOf(portrait, seen) ??
    factorOf(portrait, seen) ??
    differenceOf(portrait, seen) ??
    inputOf(portrait, seen) ??
    elsewhereOf(portrait, seen)
  );
}

/** Formats whose numbers all outputs may be, the one with the most bits first. */
const LOW = ["tf32", "float16", "bfloat16"] satisfies FormatName[];

/** All numbers of an output are those of a lower format, and a rounding to it is all that is wrong with them. */
function coarseOf({ operation, terms }: Portrait, { output, got, want, allowed }: Seen): string | undefined {
  const { dtype } = storedAs(operation, output, terms);
  if (dtype !== "float32" || got.data.length < LEAST) return undefined;
  const values = [...got.data.keys()].filter((i) => Number.isFinite(want.data[i]));
  const name = LOW.find((format) =>
    values.every((i) => isNeighbour(got.data[i], want.data[i], allowed.data[i], format)),
  );
  return name && `${output} is rounded to ${name}`;
}

function isNeighbour(got: number, want: number, allowance: number, name: FormatName): boolean {
  const format = formats[name];
  const isOnGrid = round(got, format) === got;
  return isOnGrid && got >= round(want - allowance, format) && got <= round(want + allowance, format);
}

/** An interval of numbers, or none. */
type Interval = readonly [from: number, to: number];

function common(intervals: readonly Interval[]): Interval | undefined {
  const [from, to] = [largest(intervals.map(([a]) => a)), smallest(intervals.map(([, b]) => b))];
  return from <= to ? [from, to] : undefined;
}

function boundsOf({ operation, terms }: Portrait, { output, want, allowed }: Seen): (i: number) => number {
  const dtype = dtypes[storedAs(operation, output, terms).dtype];
  return (i) => boundIn(want.data[i], allowed.data[i], dtype);
}

function factorOf(portrait: Portrait, seen: Seen): string | undefined {
  const { output, got, want, wrong } = seen;
  const boundAt = boundsOf(portrait, seen);
  const telling = wrong.filter((i) => boundAt(i) <= TELLING * Math.abs(want.data[i]));
  if (telling.length < LEAST || telling.length < wrong.length / 2) return undefined;
  const factor = common(
    telling.map((i): Interval => {
      const [w, g, b] = [want.data[i], got.data[i], boundAt(i) * Math.max(1, Math.abs(got.data[i] / want.data[i]))];
      const ends = [(g - b) / w, (g + b) / w];
      return [smallest(ends), largest(ends)];
    }),
  );
  return factor && `${output} is ${inWords(factor, factors(portrait))} times what is expected there`;
}

function differenceOf(portrait: Portrait, seen: Seen): string | undefined {
  const { output, got, want, wrong } = seen;
  const boundAt = boundsOf(portrait, seen);
  const difference = common(
    wrong.map((i): Interval => {
      const d = got.data[i] - want.data[i];
      return [d - boundAt(i), d + boundAt(i)];
    }),
  );
  // Where bounds are as wide as the difference itself it is no finding that one number fits.
  if (difference === undefined || difference[0] <= 0 === difference[1] >= 0) return undefined;
  return `${output} is off by ${inWords(difference, differences)} everywhere there`;
}

/** A number of an interval, with its name where it has one: "1.41421 = √HS". */
function inWords([from, to]: Interval, names: Readonly<Record<string, number>>): string {
  const middle = (from + to) / 2;
  const slack = 4 * dtypes.float32.u * Math.abs(middle);
  const name = Object.entries(names).find(([, x]) => x >= from - slack && x <= to + slack);
  const digits = String(Number((name?.[1] ?? middle).toPrecision(6)));
  return name === undefined || name[0] === digits ? digits : `${digits} = ${name[0]}`;
}

const differences: Readonly<Record<string, number>> = { 1: 1, "-1": -1, "ln 2": Math.LN2, "−ln 2": -Math.LN2 };

/** Factors that kernels have too many or too few of. */
function factors({ operation, problem }: Portrait): Record<string, number> {
  const lengths = Object.entries(operation.inputs).flatMap(([name, spec]) =>
    spec.split(",").map((axis, a): [string, number] => [axis, problem.inputs[name].shape[a]]),
  );
  const unique = [...new Map(lengths.filter(([axis, n]) => axis !== "" && n > 1))];
  const constants: [string, number][] = [["-1", -1], ["2", 2], ["1/2", 0.5], ["log₂ e", Math.LOG2E], ["ln 2", Math.LN2]]; // prettier-ignore
  const ofAxis = unique.flatMap(([name, n]): [string, number][] => [
    [name, n],
    [`1/${name}`, 1 / n],
    [`√${name}`, Math.sqrt(n)],
    [`1/√${name}`, 1 / Math.sqrt(n)],
    [`${name}/(${name} − 1)`, n / (n - 1)],
    [`(${name} − 1)/${name}`, (n - 1) / n],
  ]);
  const ofScalars = realsOf(problem.scalars).flatMap(([name, x]): [string, number][] => [
    [name, x],
    [`1/${name}`, 1 / x],
    [`1 − ${name}`, 1 - x],
  ]);
  return Object.fromEntries([...constants, ...ofAxis, ...ofScalars].filter(([, x]) => Number.isFinite(x) && x !== 1));
}

function realsOf(scalars: Scalars): [string, number][] {
  return Object.entries(scalars).filter((pair): pair is [string, number] => typeof pair[1] === "number");
}

/** An input of the same shape, as it is. */
function inputOf({ problem }: Portrait, { output, got, wrong }: Seen): string | undefined {
  const found = Object.entries(problem.inputs).find(
    ([, t]) => t.shape.join() === got.shape.join() && wrong.every((i) => t.data[i] === got.data[i]),
  );
  return found && `${output} is the input ${found[0]} there`;
}

/** The numbers that are expected at other places: some steps along an axis, in reverse, or with two axes exchanged. */
function elsewhereOf(portrait: Portrait, seen: Seen): string | undefined {
  const { output, axes, got, want, allowed, wrong } = seen;
  const { shape } = got;
  const { dtype } = storedAs(portrait.operation, output, portrait.terms);
  const isThere = (from: (i: number) => number | undefined): boolean => {
    const pairs = wrong.flatMap((i) => {
      const j = from(i);
      return j === undefined || j === i ? [] : [[i, j] as const];
    });
    const fit = pairs.every(([i, j]) => isWithin(got.data[i], want.data[j], allowed.data[j], dtype));
    return pairs.length >= LEAST && pairs.length >= wrong.length / 2 && fit;
  };
  for (const [a, axis] of axes.entries()) {
    const inner = shape.slice(a + 1).reduce((product, length) => product * length, 1);
    const place = axis.toLowerCase();
    const along = (to: (at: number) => number) => (i: number) => {
      const at = placeOf(i, shape, a);
      const other = to(at);
      return other < 0 || other >= shape[a] ? undefined : i + (other - at) * inner;
    };
    for (const shift of SHIFTS) {
      if (Math.abs(shift) < shape[a] && isThere(along((at) => at + shift)))
        return `${output} has the numbers of ${place} ${shift > 0 ? "+" : "−"} ${Math.abs(shift)} there`;
    }
    if (shape[a] > 2 && isThere(along((at) => shape[a] - 1 - at))) return `${output} is in reverse along ${axis}`;
    for (const at of [0, shape[a] - 1])
      if (isThere(along(() => at))) return `${output} has the numbers of ${place} = ${at} there`;
    for (let b = 0; b < a; b++) {
      if (shape[a] > 1 && shape[b] > 1 && isThere((i) => exchanged(i, shape, a, b)))
        return `${output} has its axes ${axes[b]} and ${axis} exchanged in memory`;
    }
  }
  return undefined;
}
