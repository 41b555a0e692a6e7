// The shortest rule that tells some numbers from others: "T ≥ 65", "C ≡ 15 mod 16".
import { largest, smallest } from "../../reference/lists.ts";

/** Kernels unroll, vectorise and tile by these; 3, 5 and 6 are groups of heads. */
const MODULI = [2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
/** Those that kernels choose; of any other more examples are asked, since chance finds one that fits. */
const isPower = (m: number): boolean => Number.isInteger(Math.log2(m));
const [FEW, MORE] = [2, 4];
/** A list of more values says little. */
const MOST_LISTED = 4;

/**
 * What is true of `yes` and not of `no`, both without repetitions: the words, or undefined where none of the rules fits. Of no numbers
 * in `no` nothing can be said, and the rule is "any NAME".
 *
 * @example
 * ```ts
 * ruleOf("T", [65, 80, 129], [1, 16, 64]); // "T ≥ 65"
 * ```
 */
export function ruleOf(name: string, yes: readonly number[], no: readonly number[]): string | undefined {
  if (yes.length === 0) return undefined;
  if (no.length === 0) return `any ${name}`;
  return (
    single(name, yes, no) ??
    threshold(name, yes, no) ??
    modulus(name, yes, no) ??
    beyond(name, yes, no) ??
    listed(name, yes, no)
  );
}

type Rule = (name: string, yes: readonly number[], no: readonly number[]) => string | undefined;

const single: Rule = (name, yes) => (yes.length === 1 ? `${name} = ${yes[0]}` : undefined);

const threshold: Rule = (name, yes, no) => {
  if (smallest(yes) > largest(no)) return `${name} ≥ ${smallest(yes)}`;
  if (largest(yes) < smallest(no)) return `${name} ≤ ${largest(yes)}`;
  return undefined;
};

/** One remainder, or all but one, of several numbers on each side. */
const modulus: Rule = (name, yes, no) => {
  for (const m of MODULI) {
    const least = isPower(m) ? FEW : MORE;
    if (yes.length < least || no.length < least) continue;
    const [of, others] = [remainders(yes, m), remainders(no, m)];
    if (of.size === 1 && !others.has([...of][0])) return congruent(name, [...of][0], m);
    if (others.size === 1 && !of.has([...others][0])) return incongruent(name, [...others][0], m);
  }
  return undefined;
};

/** A modulus among the numbers beyond the largest before which all is well. */
const beyond: Rule = (name, yes, no) => {
  const least = smallest(yes);
  const after = no.filter((x) => x > least);
  if (after.length === no.length) return undefined;
  const rule = modulus(name, yes, after);
  return rule && `${rule}, from ${least} on`;
};

const listed: Rule = (name, yes) =>
  yes.length > MOST_LISTED ? undefined : `${name} = ${yes.toSorted((a, b) => a - b).join(", ")}`;

function remainders(values: readonly number[], m: number): Set<number> {
  return new Set(values.map((x) => x % m));
}

function congruent(name: string, r: number, m: number): string {
  return r === 0 ? `${name} a multiple of ${m}` : m === 2 ? `${name} odd` : `${name} ≡ ${r} mod ${m}`;
}

function incongruent(name: string, r: number, m: number): string {
  return r === 0 ? (m === 2 ? `${name} odd` : `${name} no multiple of ${m}`) : `${name} ≢ ${r} mod ${m}`;
}
