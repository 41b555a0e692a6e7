// What a kernel supports, in words: "HS=64,128 T=S C%8=0 B<=4 eps>=1e-8". All terms hold at once.
import { quote } from "../../formats/error.ts";
import { nearestTo } from "../../reference/nearest.ts";

/** One term, as it was written and as it is meant. */
export type SizeTerm = { readonly text: string; readonly name: string } & (
  | { readonly kind: "among"; readonly values: readonly string[] }
  | { readonly kind: "equals"; readonly other: string }
  | { readonly kind: "multiple"; readonly of: number }
  | { readonly kind: "<=" | ">=" | "<" | ">"; readonly limit: number }
);

const EXAMPLE = "expected such as HS=64,128, T=S, C%8=0, B<=4 or eps>=1e-8, or a model: 7B, 13B, 33B, 65B, 8B";
/** A longer axis has no tensor. */
const LONGEST = 2 ** 31;
const NUMBER = /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The terms of a text; `known` are the names of all sizes. Throws RangeError, in one line, for the first word that is wrong. */
export function parseSizes(text: string, known: readonly string[]): SizeTerm[] {
  const words = text.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) throw new RangeError(`sizes: empty, ${EXAMPLE}`);
  const terms = words.map((word) => parseTerm(word, known));
  for (const [i, term] of terms.entries()) {
    const before = terms.slice(0, i).find((other) => other.name === term.name && other.kind === term.kind);
    if (before !== undefined) throw new RangeError(`sizes: ${before.text} and ${term.text}, expected one of them`);
  }
  return terms;
}

function parseTerm(text: string, known: readonly string[]): SizeTerm {
  const match = /^([A-Za-z][A-Za-z0-9.]*)(%|<=|>=|<|>|=)(.+)$/.exec(text);
  if (match === null) throw new RangeError(`sizes: ${quote(text)} is no term, ${EXAMPLE}`);
  const [, name, sign, value] = match as unknown as [string, string, string, string];
  checkName(name, known);
  if (sign === "%") {
    const divisor = /^(\d{1,10})=0$/.exec(value)?.[1];
    if (divisor === undefined || !(Number(divisor) > 0)) {
      throw new RangeError(`sizes: ${quote(text)}, expected such as ${name}%8=0`);
    }
    return { text, name, kind: "multiple", of: Number(divisor) };
  }
  if (sign === "=") return parseEqual(text, name, value, known);
  if (!NUMBER.test(value)) throw new RangeError(`sizes: ${quote(text)}, expected a number after ${sign}`);
  if (Math.abs(Number(value)) > LONGEST) throw new RangeError(`sizes: ${quote(text)}, expected at most ${LONGEST}`);
  return { text, name, kind: sign as "<=", limit: Number(value) };
}

function parseEqual(text: string, name: string, value: string, known: readonly string[]): SizeTerm {
  if (known.includes(value)) {
    if (value === name) throw new RangeError(`sizes: ${text} says nothing, expected two names`);
    return { text, name, kind: "equals", other: value };
  }
  const values = value.split(",");
  if (values.includes("")) throw new RangeError(`sizes: ${quote(text)} has an empty value, ${EXAMPLE}`);
  if (new Set(values).size < values.length) throw new RangeError(`sizes: ${quote(text)} has a value twice`);
  if (/^[A-Z][A-Za-z0-9]*$/.test(value)) checkName(value, known);
  const large = values.find((one) => NUMBER.test(one) && Math.abs(Number(one)) > LONGEST);
  if (large !== undefined) throw new RangeError(`sizes: ${name}=${quote(large)}, expected at most ${LONGEST}`);
  return { text, name, kind: "among", values };
}

function checkName(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const nearest = nearestTo(name, known);
  throw new RangeError(`sizes: ${quote(name)} is no size, ${nearest}expected one of ${known.join(", ")}`);
}

/** Whether a term is about sizes of these names only. */
export function isAbout(term: SizeTerm, names: readonly string[]): boolean {
  return names.includes(term.name) && (term.kind !== "equals" || names.includes(term.other));
}

/** Whether sizes obey a term. */
export function obeys(term: SizeTerm, sizes: Readonly<Record<string, number | string>>): boolean {
  const value = sizes[term.name];
  if (term.kind === "equals") return value === sizes[term.other];
  if (term.kind === "among") return term.values.some((one) => isSame(one, value));
  const x = Number(value);
  if (term.kind === "multiple") return x % term.of === 0;
  if (term.kind === "<=") return x <= term.limit;
  if (term.kind === ">=") return x >= term.limit;
  return term.kind === "<" ? x < term.limit : x > term.limit;
}

/** "64" is 64, and "1e-5" is "0.00001". */
function isSame(written: string, value: number | string): boolean {
  return written === String(value) || (NUMBER.test(written) && Number(written) === Number(value));
}
