// How the ranks of a run share its work: a grid of data × tensor ranks, the tensor ranks of one model being neighbours.
//
//   rank = dataIndex · tensor + tensorIndex
import type { LlamaConfig } from "../config.ts";
import { divisors, type Layout, nearest, zeroStages } from "../planning/layout.ts";
import { smallest } from "../lists.ts";

export type { Layout };

/** Every rank does everything: there is one. */
export const dense: Layout = { data: 1, tensor: 1, sequence: false, zero: 0 };

export function rankCount({ data, tensor }: Layout): number {
  return data * tensor;
}

/** Where a rank stands in the grid. */
export function placeInGrid({ tensor }: Layout, rank: number): { dataIndex: number; tensorIndex: number } {
  return { dataIndex: Math.floor(rank / tensor), tensorIndex: rank % tensor };
}

/** Ranks that meet in a collective: those of one model, those that hold the same part of it, or all. */
export const groupNames = ["tensor", "data", "world"] as const;
export type GroupName = (typeof groupNames)[number];

/** The ranks of a rank's group, in their order. */
export function membersOf(layout: Layout, group: GroupName, rank: number): readonly number[] {
  const { dataIndex, tensorIndex } = placeInGrid(layout, rank);
  const { data, tensor } = layout;
  if (group === "tensor") return Array.from({ length: tensor }, (_, i) => dataIndex * tensor + i);
  if (group === "data") return Array.from({ length: data }, (_, i) => i * tensor + tensorIndex);
  return Array.from({ length: data * tensor }, (_, i) => i);
}

/**
 * Throws RangeError, in one line that names the rule and the nearest legal choice, unless the configuration can be laid
 * out so; with a batch of B sequences of T tokens, unless that can be cut so too.
 */
export function checkLayout(
  config: LlamaConfig,
  layout: Layout,
  batch?: { readonly B: number; readonly T: number },
): void {
  const { data, tensor, sequence, zero } = layout;
  for (const name of ["data", "tensor"] as const) {
    const value = layout[name];
    if (!(Number.isSafeInteger(value) && value > 0)) {
      const choice = value >= 1 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 1;
      illegal(`${name} is ${value}, expected a positive integer`, `${name} ${choice}`);
    }
  }
  if (typeof sequence !== "boolean")
    illegal(`sequence is ${String(sequence)}, expected true or false`, "sequence false");
  if (!zeroStages.includes(zero)) {
    illegal(`zero is ${String(zero)}, expected one of ${zeroStages.join(", ")}`, `zero ${nearest(zeroStages, zero)}`);
  }

  const shared = { nKvHeads: config.nKvHeads, ffnDim: config.ffnDim };
  const legal = commonDivisors(Object.values(shared));
  const reasons = { nKvHeads: "a rank holds whole key/value heads", ffnDim: "the feed-forward width is cut evenly" };
  for (const name of ["nKvHeads", "ffnDim"] as const) {
    if (shared[name] % tensor === 0) continue;
    illegal(`tensor ${tensor} does not divide ${name} ${shared[name]}: ${reasons[name]}`, nearestTensor(tensor, legal));
  }
  if (batch === undefined) return;
  const { B, T } = batch;
  if (B % data !== 0) {
    const choice = `data ${nearest(divisors(B), data)}`;
    illegal(`data ${data} does not divide the batch of ${B} sequences`, choice);
  }
  if (sequence && T % tensor !== 0) {
    const rule = `tensor ${tensor} does not divide the sequence of ${T} tokens: sequence parallelism cuts it evenly`;
    illegal(rule, nearestTensor(tensor, commonDivisors([...Object.values(shared), T])));
  }
}

function illegal(rule: string, choice: string): never {
  throw new RangeError(`layout: ${rule}; the nearest legal choice is ${choice}`);
}

function nearestTensor(tensor: number, legal: readonly number[]): string {
  return `tensor ${nearest(legal, tensor)}`;
}

/** In ascending order. */
function commonDivisors(numbers: readonly number[]): number[] {
  return divisors(smallest(numbers)).filter((d) => numbers.every((n) => n % d === 0));
}
