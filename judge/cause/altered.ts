// What a wrong kernel computes instead: the op on altered arguments, which the oracle evaluates, explains its numbers, or not.
import { type FormatName, formats, round } from "../../reference/dtype.ts";
import { axesOf, type Operation, type ScalarKind, type Scalars } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import { boundIn, isWithin } from "../compare.ts";
import { dtypes } from "../../reference/dtype.ts";
import { allowancesOf, truth } from "../verdict.ts";
import { type Portrait, type Seen, storedAs } from "./portrait.ts";
import { exchanged, placeOf } from "./places.ts";

const LOW = ["tf32", "float16", "bfloat16"] satisfies FormatName[];
/** Values of eps, of momenta and of rates that kernels have as constants. */
const USUAL = [1e-5, 1e-6, 1e-8, 1e-12, 0.9, 0.95, 0.99, 0.999];

/** An altered problem, and how it differs, in words that follow "as if". */
export interface Alteration {
  readonly words: string;
  readonly make: () => Problem;
}

/** Fewer wrong elements may be explained by chance, where the right ones are not. */
const LEAST = 3;

/**
 * Of each wrong output in words that follow "as if", such as "eps were 0": the first alteration that explains all of it; failing that the first
 * that explains what is wrong of it, with "there" after it. An output that none explains is left out, and no alteration counts that leaves the
 * expected numbers within their bounds.
 */
export function alterationsOf(portrait: Portrait, wrong: readonly Seen[], goesOn: () => boolean): Map<Seen, string> {
  const { operation, problem } = portrait;
  const wholly = new Map<Seen, string>();
  const partly = new Map<Seen, string>();
  for (const { words, make } of alterations(operation, problem)) {
    const left = wrong.filter((seen) => !wholly.has(seen));
    if (left.length === 0 || !goesOn()) break;
    for (const { seen, isWhole } of explainedBy(portrait, left, make)) {
      if (isWhole) wholly.set(seen, words);
      else if (!partly.has(seen) && seen.wrong.length >= LEAST) partly.set(seen, `${words}, there`);
    }
  }
  return new Map([...partly, ...wholly]);
}

interface Explained {
  readonly seen: Seen;
  /** Whether the elements that are right are so as well. */
  readonly isWhole: boolean;
}

function explainedBy(portrait: Portrait, outputs: readonly Seen[], make: () => Problem): Explained[] {
  const { operation, terms } = portrait;
  try {
    const altered = make();
    const [want, allowed] = [truth(operation, altered), allowancesOf(operation, altered, terms.target)];
    return outputs.flatMap((seen) => {
      const { output, got, wrong } = seen;
      const { dtype } = storedAs(operation, output, terms);
      const [others, bounds] = [want[output].data, allowed[output].data];
      if (others.length !== got.data.length) return [];
      const tells = (i: number): boolean =>
        boundIn(others[i], bounds[i], dtypes[dtype]) < Math.abs(others[i] - seen.want.data[i]);
      const fits = (i: number): boolean => isWithin(got.data[i], others[i], bounds[i], dtype);
      if (!wrong.every((i) => tells(i) && fits(i))) return [];
      return [{ seen, isWhole: [...got.data.keys()].every(fits) }];
    });
  } catch {
    return []; // an op may refuse the altered arguments, and then no kernel has computed that
  }
}

/** Everything that is tried, the likeliest first. */
export function* alterations(operation: Operation, problem: Problem): Iterable<Alteration> {
  yield* ofScalars(operation, problem);
  const floats = Object.entries(problem.inputs).filter((pair): pair is [string, Tensor<Floats>] => !(pair[1].data instanceof Int32Array)); // prettier-ignore
  for (const [name, t] of floats) {
    const change = (words: string, by: (x: number, i: number) => number): Alteration => ({
      words,
      make: () => withInput(problem, name, mapped(t, by)),
    });
    yield change(`${name} were 0`, () => 0);
    yield change(`${name} were 1`, () => 1);
    yield change(`${name} had the other sign`, (x) => -x);
    yield change(`${name} were added to 1`, (x) => 1 + x);
    for (const format of LOW) yield change(`${name} were read in ${format}`, (x) => round(x, formats[format]));
    yield* alongAxes(operation, problem, name, t);
  }
  yield* exchanges(operation, floats, problem);
  yield* ofIds(problem);
}

function* ofScalars({ scalars: kinds }: Operation, problem: Problem): Iterable<Alteration> {
  const { scalars } = problem;
  for (const [name, kind] of Object.entries(kinds)) {
    for (const value of otherValues(kind, scalars[name])) {
      yield { words: `${name} were ${value}`, make: () => ({ ...problem, scalars: { ...scalars, [name]: value } }) };
    }
  }
  const reals = Object.keys(kinds).filter((name) => kinds[name] === "real" || kinds[name] === "decimal");
  for (const [a, b] of pairsOf(reals)) {
    const others: Scalars = { ...scalars, [a]: scalars[b], [b]: scalars[a] };
    yield { words: `${a} and ${b} were exchanged`, make: () => ({ ...problem, scalars: others }) };
  }
}

function otherValues(kind: ScalarKind, value: number | string): (number | string)[] {
  if (typeof kind === "object") return kind.filter((word) => word !== value);
  if (typeof value !== "number" || kind === "axis") return [];
  const low = LOW.map((format) => round(value, formats[format]));
  const others =
    kind === "integer"
      ? [value - 1, value + 1, 0, 1]
      : [...low, ...USUAL, 0, 1, 2 * value, value / 2, -value, value * value];
  return [...new Set(others)].filter((other) => other !== value && Number.isFinite(other));
}

/** Along each axis: without its first or last place, and read one place further on. */
function* alongAxes({ inputs }: Operation, problem: Problem, name: string, t: Tensor<Floats>): Iterable<Alteration> {
  for (const [a, axis] of axesOf(inputs[name]).entries()) {
    const length = t.shape[a];
    if (!(length > 1)) continue;
    const inner = t.shape.slice(a + 1).reduce((product, n) => product * n, 1);
    const without = (words: string, place: number): Alteration => ({
      words: `${name} were 0 at the ${words} ${axis.toLowerCase()}`,
      make: () =>
        withInput(
          problem,
          name,
          mapped(t, (x, i) => (placeOf(i, t.shape, a) === place ? 0 : x)),
        ),
    });
    const shifted = (words: string, by: number): Alteration => ({
      words: `${name} were read one ${axis.toLowerCase()} too ${words}`,
      make: () =>
        withInput(
          problem,
          name,
          mapped(t, (_, i) => t.data[clamped(placeOf(i, t.shape, a) + by, length, i, by * inner)] ?? 0),
        ),
    });
    yield without("last", length - 1);
    yield without("first", 0);
    yield shifted("far", 1);
    yield shifted("early", -1);
    yield {
      words: `${name} were that of ${axis.toLowerCase()} = 0 everywhere`,
      make: () =>
        withInput(
          problem,
          name,
          mapped(t, (_, i) => t.data[i - placeOf(i, t.shape, a) * inner]),
        ),
    };
  }
}

/** The flat index one step along an axis, or −1 beyond its end. */
function clamped(place: number, length: number, i: number, step: number): number {
  return place < 0 || place >= length ? -1 : i + step;
}

/** Inputs of one shape in each other's place; a tensor that lies in memory with two axes the other way round. */
function* exchanges(
  { inputs: axes }: Operation,
  floats: readonly [string, Tensor<Floats>][],
  problem: Problem,
): Iterable<Alteration> {
  for (const [[a, one], [b, other]] of pairsOf(floats)) {
    if (one.shape.join() !== other.shape.join()) continue;
    const inputs = { ...problem.inputs, [a]: other, [b]: one };
    yield { words: `${a} and ${b} were exchanged`, make: () => ({ ...problem, inputs }) };
  }
  for (const [name, t] of floats) {
    const names = axesOf(axes[name]);
    for (const [a, b] of pairsOf([...t.shape.keys()])) {
      if (t.shape[a] < 2 || t.shape[b] < 2) continue;
      const written = (i: number): number => exchanged(i, t.shape, a, b);
      yield {
        words: `${name} lay in memory with ${names[a]} and ${names[b]} exchanged`,
        make: () =>
          withInput(
            problem,
            name,
            mapped(t, (_, i) => t.data[written(i)]),
          ),
      };
    }
  }
}

/** Ids off by one, where that is an id that occurs. */
function* ofIds(problem: Problem): Iterable<Alteration> {
  for (const [name, t] of Object.entries(problem.inputs)) {
    if (!(t.data instanceof Int32Array)) continue;
    const most = t.data.reduce((a, b) => Math.max(a, b), 0);
    for (const by of [1, -1]) {
      const ids = t.data.map((id) => Math.min(most, Math.max(0, id + by)));
      yield {
        words: `${name} were ${Math.abs(by)} ${by > 0 ? "larger" : "smaller"}`,
        make: () => withInput(problem, name, { data: ids, shape: t.shape }),
      };
    }
  }
}

function pairsOf<T>(list: readonly T[]): [T, T][] {
  return list.flatMap((a, i) => list.slice(i + 1).map((b): [T, T] => [a, b]));
}

function withInput(problem: Problem, name: string, t: Tensor<Floats | Ints>): Problem {
  return { ...problem, inputs: { ...problem.inputs, [name]: t } };
}

function mapped(t: Tensor<Floats>, by: (x: number, i: number) => number): Tensor<Floats> {
  return { data: t.data.map(by), shape: t.shape };
}
