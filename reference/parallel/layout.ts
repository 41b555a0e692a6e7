// How the ranks of a run share its work: a grid of data × tensor ranks, the tensor ranks of one model being neighbours.
//
//   rank = dataIndex · tensor + tensorIndex
import type { LlamaConfig } from "../config.ts";
import { divisors, type ZeroStage, zeroStages } from "../planning/layout.ts";

export interface Layout {
  /** Ranks that share the sequences of a batch (data parallelism). */
  readonly data: number;
  /** Ranks that share each matrix (Shoeybi et al. 2019). */
  readonly tensor: number;
  /** Whether the tensor ranks also share the rows of norms and residuals (Korthikanti et al. 2022). */
  readonly sequence: boolean;
  /** What the data ranks cut of the training state: nothing, moments, and gradients, and weights (Rajbhandari et al. 2020). */
  readonly zero: ZeroStage;
}

/** Every rank does everything: there is one. */
export const dense: Layout = { data: 1, tensor: 1, sequence: false, zero: 0 };

export function rankCount({ data, tensor }: Layout): number {
  return data * tensor;
}

/** Where a rank stands in the grid. */
export function placeOf({ tensor }: Layout, rank: number): { dataIndex: number; tensorIndex: number } {
  return { dataIndex: Math.floor(rank / tensor), tensorIndex: rank % tensor };
}

/** Ranks that meet in a collective: those of one model, those that hold the same part of it, or all. */
export const groupNames = ["tensor", "data", "world"] as const;
export type GroupName = (typeof groupNames)[number];

/** The ranks of a rank's group, in their order. */
export function membersOf(layout: Layout, group: GroupName, rank: number): readonly number[] {
  const { dataIndex, tensorIndex } = placeOf(layout, rank);
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
      const nearest = value >= 1 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 1;
      illegal(`${name} is ${value}, expected a positive integer`, `${name} ${nearest}`);
    }
  }
  if (typeof sequence !== "boolean")
    illegal(`sequence is ${String(sequence)}, expected true or false`, "sequence false");
  if (!zeroStages.includes(zero)) {
    illegal(`zero is ${String(zero)}, expected one of ${zeroStages.join(", ")}`, `zero ${nearestOf(zero, zeroStages)}`);
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
    const nearest = nearestOf(data, commonDivisors([B]));
    illegal(`data ${data} does not divide the batch of ${B} sequences`, `data ${nearest}`);
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
  return `tensor ${nearestOf(tensor, legal)}`;
}

/** Of two at the same distance, the smaller. */
function nearestOf(wanted: number, legal: readonly number[]): number {
  let nearest = legal[0];
  for (const value of legal) if (Math.abs(value - wanted) < Math.abs(nearest - wanted)) nearest = value;
  return nearest;
}

/** In ascending order. */
function commonDivisors(numbers: readonly number[]): number[] {
  return divisors(Math.min(...numbers)).filter((d) => numbers.every((n) => n % d === 0));
}
