// What keys get from all queries, dk and dv: the sum over pieces of the queries of what they get from each.
//
// A piece p is a problem of its own, with the lse and y of the whole, so exactly dk = Σₚ dkₚ. A kernel computes each in float32, within an allowance Aₚ,
// and rounds it once to its format, by at most half a unit in the last place of what comes out. So of the pieces' sum and the whole, d,
//
//   |Σₚ dkₚ − d|  ≤  Σₚ (Aₚ + ulp(dkₚ))  +  A + ulp(d)  +  what the additions of the pieces lost
//
// and in float32 the same without the units in the last place, which are part of the allowances. Where shares of a key cancel, those of 16 bits are most of it.
//
// A kernel may compute lse and D again from all keys, so A of one key costs as much as that of all. A smaller allowance does without: most elements are within
// that, and only those which are not, and differ most, are held to A. So a share of the allowances is said at most.
import { dtypes, ulp } from "../../reference/dtype.ts";
import { axesOf, type Outputs, storageOf } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { Problem, Sizes } from "../case.ts";
import { indexOf } from "../compare.ts";
import { lengthsOf } from "../relations/relation.ts";
import { allowedAt } from "./allowed.ts";
import type { Family } from "./family.ts";
import { extended } from "./padding.ts";
import type { Queries } from "./queries.ts";
import { SumOfParts } from "./sums.ts";

/** Of the lengths of pieces one in so many is enough: no bits are expected. */
const FEW = 3;
/** The most elements that are held to whole allowances. */
const MOST_WHOLE = 4;

/** Undefined for an op without such outputs. */
export function keyGradientsOf(queries: Queries, sizes: Sizes, pieces: readonly number[]): Family | undefined {
  const { operation } = queries.trial;
  const outputs = Object.keys(operation.outputs).filter((name) => {
    const axes = axesOf(operation.outputs[name]);
    return axes.includes("S") && !axes.includes("T");
  });
  if (outputs.length === 0) return undefined;
  const sums = new Map<number, Readonly<Record<string, SumOfParts>>>();
  return {
    name: `${outputs.join(", ")} in pieces`,
    counts: "queries a piece",
    outputs,
    sizes,
    statement: `${outputs.join(" and ")} of queries in pieces, each with the keys so far, add up to those of all queries at once.`,
    bits: "free",
    isDense: false,
    isPairwise: true,
    steps: pieces.filter((n, i) => n !== queries.T && i % FEW === 0),
    at: async (length) => {
      const whole = await queries.whole();
      const sum = await sumOf(queries, outputs, length);
      sums.set(length, sum);
      const of = (from: (name: string) => Tensor): Outputs =>
        Object.fromEntries(outputs.map((name) => [name, from(name)]));
      return { got: of((name) => sum[name].total), want: of((name) => whole[name]) };
    },
    allowed: (length) => (output, list) => allowedOf(queries, length, output, list, sums.get(length)![output]),
  };
}

async function sumOf(
  queries: Queries,
  outputs: readonly string[],
  length: number,
): Promise<Readonly<Record<string, SumOfParts>>> {
  const { operation, dtype } = queries.trial;
  const whole = await queries.whole();
  const sums = Object.fromEntries(
    outputs.map((name) => [name, new SumOfParts(whole[name].shape, dtypes[storageOf(operation, name, dtype)])]),
  );
  await queries.each(length, (part) => {
    for (const name of outputs)
      sums[name].add(extended(part[name], operation.outputs[name], "S", queries.S, 0) as Tensor);
  });
  return sums;
}

function allowedOf(
  queries: Queries,
  length: number,
  output: string,
  list: readonly number[],
  sum: SumOfParts,
): ReadonlyMap<number, number> {
  const { trial } = queries;
  const { operation, dtype } = trial;
  const format = dtypes[storageOf(operation, output, dtype)];
  const whole = queries.known[output];
  const along = axesOf(operation.outputs[output]).indexOf("S");
  const ways = [queries.base, ...queries.cuts(length)];
  const { lost } = sum;
  const rounding = (i: number): number => lost[i] + (format.name === "float32" ? 0 : ulp(whole.data[i], format));
  const allowed = (some: readonly number[], kind: "whole" | "least"): Map<number, number> => {
    const total = new Map(some.map((i) => [i, rounding(i)]));
    for (const problem of ways) addTo(total, problem, kind);
    return total;
  };
  /** Elements of keys that no query of a problem sees have no share of it. */
  const addTo = (total: Map<number, number>, problem: Problem, kind: "whole" | "least"): void => {
    const own = lengthsOf(operation, problem).get("S")!;
    const places = new Map<number, number>();
    for (const i of total.keys()) {
      const index = indexOf(i, whole.shape);
      if (index[along] < own) places.set(flatOf(index, whole.shape.with(along, own)), i);
    }
    const bounds = allowedAt(trial, problem, output, [...places.keys()], kind);
    for (const [place, i] of places) total.set(i, total.get(i)! + (bounds.get(place) ?? Infinity));
  };
  const least = allowed(list, "least");
  const shareOf = (i: number): number => Math.abs(sum.total.data[i] - whole.data[i]) / least.get(i)!;
  const beyond = list.filter((i) => !(shareOf(i) <= 1)).toSorted((a, b) => shareOf(b) - shareOf(a));
  for (const i of beyond) least.delete(i);
  return new Map([...least, ...allowed(beyond.slice(0, MOST_WHOLE), "whole")]);
}

function flatOf(index: readonly number[], shape: readonly number[]): number {
  return index.reduce((flat, i, axis) => flat * shape[axis] + i, 0);
}
