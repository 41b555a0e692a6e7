// The sum of exponentials of a row by hand, which softmax, cross-entropy and attention share: each listed way as operations on a tape.
import type { Id, Tape } from "./tape.ts";
import { orderly, type Orders } from "./orders.ts";

/** A base: e^(x − m) for an x and an m, the logarithm of a sum on m, and how a sum is rescaled from one maximum to another. */
export interface Base {
  readonly of: (t: Tape, x: Id, m: Id) => Id;
  readonly lse: (t: Tape, m: Id, sum: Id) => Id;
  readonly rescale: (t: Tape, from: Id, to: Id) => Id;
}

const log2e = (t: Tape): Id => t.constant(Math.LOG2E);
const ln2 = (t: Tape): Id => t.constant(Math.LN2);
const byLog = (t: Tape, m: Id, sum: Id): Id => t.add(m, t.call("log", sum));
const byLog2 = (t: Tape, m: Id, sum: Id): Id => t.add(m, t.mul(t.call("log2", sum), ln2(t)));
const inBase2 = (t: Tape, m: Id, sum: Id): Id => t.mul(t.add(t.mul(m, log2e(t)), t.call("log2", sum)), ln2(t));
const natural = (t: Tape, x: Id, m: Id): Id => t.call("exp", t.sub(x, m));
const binary = (t: Tape, x: Id, m: Id): Id => t.call("exp2", t.mul(t.sub(x, m), log2e(t)));
const fused = (t: Tape, x: Id, m: Id): Id =>
  t.call("exp2", t.fma(x, log2e(t), t.mul(t.constant(-1), t.mul(m, log2e(t)))));
const unfused = (t: Tape, x: Id, m: Id): Id => t.call("exp2", t.sub(t.mul(x, log2e(t)), t.mul(m, log2e(t))));

export const exponentials = { natural, binary, fused, unfused };
export const logarithms = { byLog, byLog2, inBase2 };
export const bases: Record<string, Base> = {};
for (const [name, of] of Object.entries(exponentials)) {
  for (const [log, lse] of Object.entries(logarithms)) {
    bases[`${name} ${log}`] = { of, lse, rescale: name === "natural" ? natural : binary };
  }
}

/** The maximum and the sum of a row. */
export interface Partial {
  readonly m: Id;
  readonly sum: Id;
}
export type Manner = (t: Tape, x: readonly Id[], base: Base, order: Orders) => Partial;

const maximum = (t: Tape, x: readonly Id[]): Id => x.reduce((a, b) => t.max(a, b));

function maximumFirst(t: Tape, x: readonly Id[], base: Base, order: Orders): Partial {
  const m = maximum(t, x);
  return {
    m,
    sum: orderly(
      t,
      x.map((v) => base.of(t, v, m)),
      order,
    ),
  };
}

/** Each block summed on the maximum so far, and the sum before it rescaled; where it does not rise only if `always`. */
function running(t: Tape, x: readonly Id[], base: Base, size: number, always: boolean): Partial {
  let m: Id = x[0];
  let sum: Id | undefined;
  for (let i = 0; i < x.length; i += size) {
    const block = x.slice(i, i + size);
    const next = t.max(m, maximum(t, block));
    const own = t.chain(block.map((v) => base.of(t, v, next)));
    if (sum === undefined) sum = own;
    else sum = t.add(next === m && !always ? sum : t.mul(sum, base.rescale(t, m, next)), own);
    m = next;
  }
  return { m, sum: sum ?? t.constant(0) };
}

export function merge(t: Tape, a: Partial, b: Partial, base: Base): Partial {
  const m = t.max(a.m, b.m);
  return { m, sum: t.add(t.mul(a.sum, base.rescale(t, a.m, m)), t.mul(b.sum, base.rescale(t, b.m, m))) };
}

export function tree(t: Tape, parts: readonly Partial[], base: Base): Partial {
  if (parts.length === 1) return parts[0];
  const half = Math.ceil(parts.length / 2);
  return merge(t, tree(t, parts.slice(0, half), base), tree(t, parts.slice(half), base), base);
}

/** Lane i has every lanes-th number. */
function inLanes(t: Tape, x: readonly Id[], base: Base, lanes: number): Partial {
  const parts = Array.from({ length: Math.min(lanes, x.length) }, (_, lane) =>
    running(
      t,
      x.filter((__, i) => i % lanes === lane),
      base,
      1,
      false,
    ),
  );
  return tree(t, parts, base);
}

const ascending = (t: Tape, x: readonly Id[]): Id[] => x.toSorted((a, b) => t.values[a] - t.values[b]);

export const manners: Record<string, Manner> = {
  "maximum-first": maximumFirst,
  "running, in place": (t, x, base) => running(t, x, base, 1, false),
  "running, ascending": (t, x, base) => running(t, ascending(t, x), base, 1, false),
  "blocks of 16": (t, x, base) => running(t, x, base, 16, true),
  "blocks of 16, ascending": (t, x, base) => running(t, ascending(t, x), base, 16, true),
  "lanes, 32": (t, x, base) => inLanes(t, x, base, 32),
  "lanes, 1024": (t, x, base) => inLanes(t, x, base, 1024),
  "lanes, 1024, ascending": (t, x, base) => inLanes(t, ascending(t, x), base, 1024),
};
