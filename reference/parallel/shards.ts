// The part of each weight, gradient and moment that a rank holds.
//
//   wq wk wv w1 w3   by output rows       [out / tensor, in]     each rank its own heads, its own columns of F
//   wo w2            by input columns     [out, in / tensor]     each rank the columns for those
//   tok_embeddings, output   by vocabulary   [V / tensor, C]     ragged where tensor does not divide V
//   gains of the norms       whole
//
// On top of that, ZeRO cuts the first axis over the data ranks: moments from stage 1, summed gradients from stage 2, weights
// in stage 3. That keeps a matrix a matrix, and is ragged where the rows do not divide.
import type { LlamaConfig } from "../config.ts";
import type { Floats, Tensor } from "../tensor.ts";
import type { TrainingState } from "../training/step.ts";
import { checkWeights, type Weights, weightShapes } from "../weights.ts";
import { cut, join, partOf } from "./cut.ts";
import { checkLayout, type Layout, placeInGrid, rankCount } from "./layout.ts";

/** Along which axis a weight is cut over the tensor ranks; undefined where each holds it whole. */
export function tensorAxis(weight: string): 0 | 1 | undefined {
  if (weight.endsWith("norm.weight")) return undefined;
  return /\.(wo|w2)\.weight$/.test(weight) ? 1 : 0;
}

/** Whether every tensor rank holds the whole weight. */
export function isReplicated(weight: string): boolean {
  return tensorAxis(weight) === undefined;
}

/** Tables in the form of the weights: the three tables of a training state, and the gradients after their sum. */
export type Table = keyof TrainingState | "gradients";

/** Whether ZeRO cuts such a table over the data ranks. */
export function isCutByData({ zero }: Layout, table: Table): boolean {
  return zero >= (table === "weights" ? 3 : 1);
}

/** A rank's part of a whole table: the same names, in the same order. */
export function shardTable<P extends Floats>(
  layout: Layout,
  table: Table,
  rank: number,
  whole: Weights<P>,
): Weights<P> {
  const { dataIndex, tensorIndex } = placeInGrid(layout, rank);
  const shard = new Map<string, Tensor<P>>();
  for (const [name, t] of whole) {
    const axis = tensorAxis(name);
    const ofTensor = axis === undefined ? t : cut(t, axis, layout.tensor, tensorIndex);
    shard.set(name, isCutByData(layout, table) ? cut(ofTensor, 0, layout.data, dataIndex) : ofTensor);
  }
  return shard;
}

/**
 * The whole table from the ranks' parts. Throws RangeError where replicas differ: training keeps their bits the same.
 */
export function gatherTable<P extends Floats>(layout: Layout, table: Table, shards: readonly Weights<P>[]): Weights<P> {
  const whole = new Map<string, Tensor<P>>();
  for (const name of shards[0].keys()) {
    const ofRank = (rank: number): Tensor<P> => shards[rank].get(name)!;
    const ofModels = Array.from({ length: layout.tensor }, (_, t) => {
      const overData = Array.from({ length: layout.data }, (_d, d) => ofRank(d * layout.tensor + t));
      return isCutByData(layout, table) ? join(overData, 0) : same(`${table} ${name}`, overData);
    });
    const axis = tensorAxis(name);
    whole.set(name, axis === undefined ? same(`${table} ${name}`, ofModels) : join(ofModels, axis));
  }
  return whole;
}

/** The training state of each rank. Throws RangeError for an illegal layout, or weights that are not the configuration's. */
export function shardState<P extends Floats>(
  config: LlamaConfig,
  layout: Layout,
  state: TrainingState<P>,
): TrainingState<P>[] {
  checkLayout(config, layout);
  for (const table of tables) checkWeights(config, state[table]);
  return Array.from({ length: rankCount(layout) }, (_, rank) =>
    everyTable((table) => shardTable(layout, table, rank, state[table])),
  );
}

/** The whole training state. Throws RangeError where shards are missing, of another layout, or replicas that differ. */
export function gatherState<P extends Floats>(
  config: LlamaConfig,
  layout: Layout,
  shards: readonly TrainingState<P>[],
): TrainingState<P> {
  checkShards(config, layout, shards);
  return everyTable((table) =>
    gatherTable(
      layout,
      table,
      shards.map((shard) => shard[table]),
    ),
  );
}

/** The shards of one layout, cut again for the ranks of another. */
export function reshard<P extends Floats>(
  config: LlamaConfig,
  from: Layout,
  to: Layout,
  shards: readonly TrainingState<P>[],
): TrainingState<P>[] {
  return shardState(config, to, gatherState(config, from, shards));
}

/** The shape of each weight's part, as a rank's file must hold it. */
export function shardShapes(
  config: LlamaConfig,
  layout: Layout,
  table: Table,
  rank: number,
): Map<string, readonly number[]> {
  const { dataIndex, tensorIndex } = placeInGrid(layout, rank);
  const shapes = new Map<string, readonly number[]>();
  for (const [name, whole] of weightShapes(config)) {
    let shape = whole;
    const shorten = (axis: number, p: number, i: number): void => {
      const { from, to } = partOf(shape[axis], p, i);
      shape = shape.with(axis, to - from);
    };
    const axis = tensorAxis(name);
    if (axis !== undefined) shorten(axis, layout.tensor, tensorIndex);
    if (isCutByData(layout, table)) shorten(0, layout.data, dataIndex);
    shapes.set(name, shape);
  }
  return shapes;
}

/** Throws RangeError, naming rank, table and weight, unless the shards are those of the layout. */
export function checkShards(config: LlamaConfig, layout: Layout, shards: readonly TrainingState[]): void {
  checkLayout(config, layout);
  const count = rankCount(layout);
  if (shards.length !== count) {
    throw new RangeError(`${shards.length} shards, expected ${count}: data ${layout.data} × tensor ${layout.tensor}`);
  }
  for (const [rank, shard] of shards.entries()) {
    for (const table of tables) {
      const shapes = shardShapes(config, layout, table, rank);
      for (const [name, shape] of shapes) {
        const got = shard[table].get(name)?.shape;
        if (got?.join() === shape.join()) continue;
        const found = got === undefined ? "is missing" : `has shape [${got}]`;
        throw new RangeError(`rank ${rank}: ${table} ${name} ${found}, expected [${shape}]`);
      }
      for (const name of shard[table].keys()) {
        if (!shapes.has(name))
          throw new RangeError(`rank ${rank}: ${table} ${name} is not a weight of this configuration`);
      }
    }
  }
}

const tables = ["weights", "firstMoment", "secondMoment"] as const;

function everyTable<P extends Floats>(make: (table: keyof TrainingState) => Weights<P>): TrainingState<P> {
  return { weights: make("weights"), firstMoment: make("firstMoment"), secondMoment: make("secondMoment") };
}

/** The first of the replicas, if all hold the same bits. */
function same<P extends Floats>(what: string, replicas: readonly Tensor<P>[]): Tensor<P> {
  const [first, ...others] = replicas;
  for (const { data } of others) {
    for (let i = 0; i < data.length; i++) {
      if (!Object.is(data[i], first.data[i])) {
        throw new RangeError(
          `${what}[${i}] is ${first.data[i]} on one rank and ${data[i]} on another that replicates it`,
        );
      }
    }
  }
  return first;
}
