// The bytes that one rank holds between its passes over a micro-batch, and those that its backward computes again, counted
// from the tensors themselves; planning/activations.ts has the formula.
import type { Saved } from "../model/lazily.ts";
import type { ModelTensorName } from "../model/model-table.ts";
import type { ActivationMemory } from "../planning/activations.ts";
import type { TensorName } from "../model/block-table.ts";
import type { Floats, Ints, Tensor } from "../tensor.ts";
import type { RankPass } from "./step.ts";

/** By block, from the first. */
export interface RankLedger {
  readonly blocks: readonly ActivationMemory["block"][];
  readonly model: ReadonlyMap<ModelTensorName, number>;
  /** All of these together. */
  readonly saved: number;
  /** The tensors that were computed again because they were not saved. */
  readonly again: readonly ActivationMemory["block"][];
}

export function rankLedgerOf({ activations: a, targets, lse, gradients }: RankPass): RankLedger {
  const blocks = a.saved.map(bytesByName);
  const model = new Map<ModelTensorName, number>([
    ["tokens", bytes(a.tokens)],
    ["targets", bytes(targets)],
    ["table", bytes(a.table.cos) + bytes(a.table.sin)],
    ["last", bytes(a.last)],
    ["norm.y", bytes(a.norm.y)],
    ["norm.rstd", bytes(a.norm.rstd)],
    ["logits", bytes(a.logits)],
    ["crossEntropy.lse", bytes(lse)],
  ]);
  const saved = [...blocks, model].reduce((sum, part) => sum + total(part.values()), 0);
  const again = gradients.layers.map(
    (layer, i) => new Map([...bytesByName(layer.again)].filter(([name]) => !blocks[i].has(name))),
  );
  return { blocks, model, saved, again };
}

function bytesByName(tensors: Saved<Tensor>): Map<TensorName, number> {
  return new Map([...tensors].map(([name, t]) => [name, bytes(t)]));
}

function bytes({ data }: Tensor<Floats | Ints>): number {
  return data.byteLength;
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
