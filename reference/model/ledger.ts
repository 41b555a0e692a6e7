// The ledger of a step: the memory of activations and their gradients, its peak, and the operations that are repeated.
//
//   held at an op = Σ bytes of the tensors given by then that this op or a later one reads or gives
import type { LlamaConfig } from "../config.ts";
import { blockTensors, type TensorName } from "./block-table.ts";
import { forwardFlops } from "./flops.ts";
import { modelTensors } from "./model-table.ts";
import { kept, type Policy } from "./policies.ts";
import { count, type ModelSizes, sizesOf } from "./sizes.ts";
import { elementBytes, type StorageName } from "./storage.ts";
import { type Held, type Row, schedule } from "./schedule.ts";
import { append } from "../lists.ts";

export interface Entry extends Held {
  readonly bytes: number;
}

export interface Ledger {
  /** The most bytes held at once, at which op, and by which tensors, in the order in which they were computed. */
  readonly peak: { readonly bytes: number; readonly at: Row; readonly held: readonly Entry[] };
  /** The bytes that each block keeps from its forward to its backward, and the operations of the products that it repeats. */
  readonly block: { readonly saved: ReadonlyMap<TensorName, number>; readonly again: number };
  /** Operations that all blocks compute again. */
  readonly again: number;
}

/** The ledger of both passes over B sequences of T tokens. */
export function ledgerOf(
  config: LlamaConfig,
  batch: { readonly B: number; readonly T: number },
  policy: Policy,
  dtype: StorageName = "float32",
): Ledger {
  const sizes = sizesOf(config, batch.B, batch.T);
  const { saved, recomputed } = kept(policy);
  const again = recomputed.reduce((sum, op) => sum + forwardFlops(op, sizes), 0);
  return {
    peak: peakOf(schedule(config.nLayers, policy), sizes, dtype),
    block: { saved: new Map(saved.map((name) => [name, bytesOf(name, sizes, dtype)])), again },
    again: config.nLayers * again,
  };
}

/** The op at which a schedule holds most. Throws RangeError when an op reads a tensor that no earlier op computed. */
export function peakOf(rows: readonly Row[], sizes: ModelSizes, dtype: StorageName): Ledger["peak"] {
  const last = new Map<string, number>();
  for (const [r, { op, reads, gives }] of rows.entries()) {
    for (const name of reads) {
      if (!last.has(name)) throw new RangeError(`${op} reads ${name}, which no earlier op gave`);
      last.set(name, r);
    }
    for (const { name } of gives) last.set(name, r);
  }
  let held: Entry[] = [];
  let peak = { bytes: -1, at: rows[0], held };
  for (const [r, at] of rows.entries()) {
    held = held.filter(({ name }) => last.get(name)! >= r);
    append(
      held,
      at.gives.map((tensor) => ({ ...tensor, bytes: bytesOf(tensor.like, sizes, dtype) })),
    );
    const bytes = held.reduce((sum, entry) => sum + entry.bytes, 0);
    if (bytes > peak.bytes) peak = { bytes, at, held };
  }
  return { ...peak, held: [...peak.held] };
}

function bytesOf(like: Held["like"], sizes: ModelSizes, dtype: StorageName): number {
  const row = like in blockTensors ? blockTensors[like as TensorName] : modelTensors[like as keyof typeof modelTensors];
  return count(row.shape, sizes) * elementBytes(row, dtype);
}
