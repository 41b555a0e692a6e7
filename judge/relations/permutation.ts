// If the numbers along an axis are permuted, the outputs are permuted in the same way, and sums over the axis stay.
//
// A correct kernel may add in another order at another place: at the edge of a tile, in a remainder after vectors, on another
// share of the work. So in outputs that are not sums over the axis, bits that differ are only reported; a difference that no
// two correct runs could have is a finding.
import { axesOf, type Inputs } from "../../reference/operation.ts";
import { bits } from "../../reference/random.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { axesPassed, lengthsOfB, type Parts, renamedOrders } from "../fused.ts";
import type { JudgeRow } from "../row.ts";
import {
  compareSides,
  gather,
  lengthsOf,
  ordinary,
  type Orders,
  outcomeOf,
  type Relation,
  Run,
  sideOf,
} from "./relation.ts";

/** Axes along which the numbers may be permuted. */
export interface Symmetry<Axis extends string = string, Output extends string = string, Input extends string = string> {
  readonly name: string;
  /** The axes that are permuted; if there is only one, in any order. */
  readonly axes: readonly Axis[];
  readonly orders: (lengths: ReadonlyMap<string, number>, seed: number) => Orders;
  /** Inputs whose numbers are places along an axis, and go with it. */
  readonly ids?: { readonly [name in Input]?: Axis };
  /** Outputs that contain sums over the axis; one that lacks the axis is such a sum anyway. */
  readonly sums?: readonly Output[];
}

function permutation(n: number, seed: number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = bits(seed, 24, i) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Any order along one axis. */
export function along<Axis extends string, Output extends string = never, Input extends string = never>(
  axis: Axis,
  { ids = {}, sums = [] }: Pick<Symmetry<Axis, Output, Input>, "ids" | "sums"> = {},
): Symmetry<Axis, Output, Input> {
  const orders = (lengths: ReadonlyMap<string, number>, seed: number): Orders => ({
    [axis]: permutation(lengths.get(axis)!, seed),
  });
  return { name: axis, axes: [axis], orders, ids, sums };
}

/** Groups of heads change places, and the query heads within each group. */
export const headsWithinGroups = <Output extends string = never>(
  sums: readonly Output[] = [],
): Symmetry<"NKV" | "NH", Output, never> => ({
  name: "heads",
  axes: ["NKV", "NH"],
  orders: (lengths, seed) => {
    const NKV = permutation(lengths.get("NKV")!, seed);
    const size = lengths.get("NH")! / lengths.get("NKV")!;
    return { NKV, NH: NKV.flatMap((g) => permutation(size, seed + g).map((i) => g * size + i)) };
  },
  sums,
});

/**
 * Permuting an axis in one part of a fused op permutes it in the other part if the axis passes between them; if it does not,
 * the tensor that passes is a sum over the axis and stays.
 */
export function fuseSymmetry(
  parts: Parts,
  firsts: readonly Symmetry[],
  seconds: readonly Symmetry[],
): readonly Symmetry[] {
  const { b, main, ofA, ofB, axisOfB } = parts;
  const passed = axesPassed(parts);
  const taken = new Map([...passed].map(([outer, inner]) => [inner, outer]));
  const alongOne = (list: readonly Symmetry[], axis: string) =>
    list.find(({ axes }) => axes.length === 1 && axes[0] === axis);
  const renamedIds = ({ ids = {} }: Symmetry, name: (input: string) => string, axis: (axis: string) => string) =>
    Object.entries(ids).map(([input, letter]) => [name(input), axis(letter!)]);
  const all = Object.keys(b.outputs);
  // If the tensor that passes is rounded differently, everything computed from it changes.
  const isRounded = ({ axes, sums = [] }: Symmetry): boolean =>
    sums.includes(main) || !axes.some((axis) => passed.has(axis));
  const found: Symmetry[] = [];
  for (const one of firsts) {
    const needed = one.axes.filter((axis) => passed.has(axis)).map((axis) => alongOne(seconds, passed.get(axis)!));
    if (needed.includes(undefined)) continue;
    const ids = [...renamedIds(one, ofA, (axis) => axis), ...needed.flatMap((two) => renamedIds(two!, ofB, axisOfB))];
    const sums = isRounded(one) ? all : needed.flatMap((two) => two!.sums ?? []);
    found.push({ ...one, ids: Object.fromEntries(ids), sums });
  }
  for (const two of seconds) {
    const needed = two.axes.filter((axis) => taken.has(axis)).map((axis) => alongOne(firsts, taken.get(axis)!));
    if (needed.includes(undefined)) continue;
    const ids = [...renamedIds(two, ofB, axisOfB), ...needed.flatMap((one) => renamedIds(one!, ofA, (axis) => axis))];
    found.push({
      name: two.axes.length === 1 ? axisOfB(two.axes[0]) : two.name,
      axes: two.axes.map(axisOfB),
      orders: (lengths, seed) => renamedOrders(two.orders(lengthsOfB(parts, lengths), seed), axisOfB),
      ids: Object.fromEntries(ids),
      sums: needed.some((one) => isRounded(one!)) ? all : (two.sums ?? []),
    });
  }
  const seen = new Set<string>();
  return found.filter(({ axes }) => !seen.has(axes.join()) && seen.add(axes.join()));
}

export function permutationsOf(row: JudgeRow): Relation[] {
  return row.symmetry.map(({ name: what, orders: draw, ids = {}, sums = [] }) => {
    const name = `another order of ${what}`;
    return {
      name,
      statement: `Permuting ${what} permutes the outputs in the same way, and sums over it stay.`,
      run: async (trial) => {
        const { operation, seed } = trial;
        const problem = ordinary(trial);
        const orders = draw(lengthsOf(operation, problem), seed);
        const inputs = Object.entries(problem.inputs).map(([input, t]) => {
          const permuted = gather(t, operation.inputs[input], orders);
          const places = ids[input];
          return [input, places === undefined ? permuted : renumbered(permuted, orders[places])];
        });
        const before = await Run.of(trial, problem);
        const after = await Run.of(trial, { inputs: Object.fromEntries(inputs) as Inputs, scalars: problem.scalars });
        const differences = Object.entries(operation.outputs).map(([output, spec]) => {
          const isSum = sums.includes(output) || !Object.keys(orders).some((axis) => axesOf(spec).includes(axis));
          const moved = (t: Tensor): Tensor => gather(t, spec, orders);
          return compareSides(
            output,
            sideOf(before, output, moved),
            sideOf(after, output),
            isSum ? "free" : "reported",
          );
        });
        return outcomeOf(name, trial, differences);
      },
    };
  });
}

/** The new numbers of places along a permuted axis; a value that is not a place (an ignored target) stays. */
function renumbered(t: Tensor<Floats | Ints>, order: readonly number[]): Tensor<Floats | Ints> {
  const now = new Map(order.map((from, to) => [from, to]));
  return { data: (t.data as Ints).map((id) => now.get(id) ?? id), shape: t.shape };
}
