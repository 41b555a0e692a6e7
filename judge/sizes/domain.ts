// The lengths that the terms leave to an axis, or to several that are equal.
import type { SizeTerm } from "./language.ts";

/** Whole numbers from `least` to `most` that are multiples of `step`; only those of `list`, where there is one, ascending. */
export interface Domain {
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly list?: readonly number[];
}

/**
 * What is left of the whole numbers from `from` on; the op itself asks for multiples of `evenly`. Throws RangeError if nothing is
 * left.
 */
export function domainOf(name: string, terms: readonly SizeTerm[], from: number, evenly: number): Domain {
  let [least, most, step] = [from, Infinity, evenly];
  let list: readonly number[] | undefined;
  for (const term of terms) {
    if (term.kind === "multiple") step = leastCommonMultiple(step, term.of);
    else if (term.kind === "<=") most = Math.min(most, Math.floor(term.limit));
    else if (term.kind === ">=") least = Math.max(least, Math.ceil(term.limit));
    else if (term.kind === "<") most = Math.min(most, Math.ceil(term.limit) - 1);
    else if (term.kind === ">") least = Math.max(least, Math.floor(term.limit) + 1);
    else if (term.kind === "among") {
      const values = term.values.map((value) => wholeOf(value, term.text));
      list = list === undefined ? values : list.filter((value) => values.includes(value));
    }
  }
  if (list !== undefined) {
    list = list.filter((x) => x >= least && x <= most && x % step === 0).toSorted((a, b) => a - b);
  }
  least = step * Math.ceil(least / step);
  if (list === undefined ? least > most : list.length === 0) {
    const even = evenly > 1 ? `, and a multiple of ${evenly}` : "";
    throw new RangeError(
      `sizes: no ${name} of at least ${from} is left: ${terms.map(({ text }) => text).join(" ")}${even}`,
    );
  }
  return { least, most, step, ...(list && { list }) };
}

function wholeOf(value: string, text: string): number {
  if (/^-?\d+$/.test(value)) return Number(value);
  throw new RangeError(`sizes: ${text}, expected whole numbers or the name of a size`);
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / commonDivisor(a, b)) * b;
}

export function commonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

/** The largest allowed length up to `x`, or the smallest of all. */
export function lengthIn({ least, most, step, list }: Domain, x: number): number {
  if (list !== undefined) return list.findLast((one) => one <= x) ?? list[0];
  return Math.max(least, step * Math.floor(Math.min(x, most) / step));
}

/** A drawn length as an allowed one: lengths below the least are spread above it. */
export function spreadIn(domain: Domain, x: number): number {
  const { least, list, step } = domain;
  if (list !== undefined) return list[Math.abs(x) % list.length];
  return lengthIn(domain, x < least ? least + step * Math.abs(x) : x);
}
