// The time of a whole step: micro-batches one after the other, each the embedding, all blocks, the head, and back, then the
// optimizer. The messages between data ranks depend on the ZeRO stage:
//
//   0     gradients all-reduced after the last micro-batch
//   1, 2  weights all-gathered before the first forward, gradients reduce-scattered: 1 after the last micro-batch, 2 each
//   3     weights all-gathered before each forward and each backward, gradients reduce-scattered after each
//
// A block's gradients are sent as soon as they are there, and its weights ahead of their use: at stage 3, which gives them
// back after it, at most one block ahead.
import type { LlamaConfig } from "../config.ts";
import { blockBackward, blockForward, type BlockWork } from "./block-step.ts";
import { type Issue, newIssue, type Ready } from "./issue.ts";
import type { Layout } from "./layout.ts";
import type { Machine } from "./machine.ts";
import { modelEnd, modelStart, modelTurn } from "./model-step.ts";
import { kept, type Policy } from "../model/policies.ts";
import { localSizes, sizesOf } from "../model/sizes.ts";
import { rankParameters } from "./state.ts";
import { optimizerTraffic, stateBytes, type StorageName } from "../model/storage.ts";
import { timelineOf, type Timeline } from "./timeline.ts";
import { largest } from "../lists.ts";

export interface StepWork {
  readonly config: LlamaConfig;
  readonly layout: Layout;
  readonly machine: Machine;
  readonly dtype: StorageName;
  readonly policy: Policy;
  /** B and T of a micro-batch, and how many a step has. */
  readonly microBatch: number;
  readonly context: number;
  readonly microBatches: number;
}

/** Seconds. */
export interface StepTime {
  readonly total: number;
  readonly computation: number;
  readonly exposed: number;
  readonly optimizer: number;
}

/** The time with communication that overlaps computation, and with one after the other. */
export function stepTime(work: StepWork): { overlapped: StepTime; serial: StepTime } {
  const { microBatches, layout, machine, dtype, config } = work;
  const parts: [times: number, tasks: Issue["tasks"]][] =
    microBatches === 1
      ? [[1, microBatchTasks(work, true, true)]]
      : [
          [1, microBatchTasks(work, true, false)],
          [microBatches - 2, microBatchTasks(work, false, false)],
          [1, microBatchTasks(work, false, true)],
        ];
  const shard = rankParameters(config, layout).total / (layout.zero >= 1 ? layout.data : 1);
  const optimizer = machine.stream(shard * optimizerTraffic(dtype));
  const added = (overlap: boolean): StepTime => {
    const time = { total: optimizer, computation: optimizer, exposed: 0, optimizer };
    for (const [times, tasks] of parts) {
      const { seconds, computation, exposed } = timelineOf(tasks, overlap);
      time.total += times * seconds;
      time.computation += times * computation;
      time.exposed += times * exposed;
    }
    return time;
  };
  return { overlapped: added(true), serial: added(false) };
}

export interface LayerTimeline extends Timeline {
  /** When the forward has ended. */
  readonly forward: number;
}

/**
 * One block's part of the last micro-batch, as it is amid the others: its forward, then its backward, while the gradients of
 * the block above are sent and, at stage 3, the weights of the next block.
 */
export function layerTimeline(work: StepWork, overlap: boolean): LayerTimeline {
  const issue = newIssue();
  const block = blockWork(work);
  const { block: parameters } = rankParameters(work.config, work.layout);
  const next = (after: Ready): void => {
    if (work.layout.zero >= 3) gatherWeights(issue, work, "next weights", parameters, after);
  };
  next([]);
  const y = blockForward(issue, block, [], []);
  sendGradients(issue, work, "gradients above", parameters, y);
  next(y);
  blockBackward(issue, block, y, []);
  const timeline = timelineOf(issue.tasks, overlap);
  return { ...timeline, forward: largest(y.map((i) => timeline.tasks[i].end)) };
}

function microBatchTasks(work: StepWork, first: boolean, last: boolean): Issue["tasks"] {
  const { config, layout } = work;
  const issue = newIssue();
  const block = blockWork(work);
  const { block: inBlock, outside } = rankParameters(config, layout);
  const reduces = layout.zero >= 2 || last;
  const gathersForward = layout.zero >= 3 || (layout.zero >= 1 && first);

  const outer = gathersForward ? gatherWeights(issue, work, "embedding and head", outside, []) : [];
  let x = modelStart(issue, block, outer);
  const before: Ready[] = [[], x];
  const ahead = (): Ready => (layout.zero >= 3 ? before.at(-2)! : []);
  for (let i = 0; i < config.nLayers; i++) {
    const weights = gathersForward ? gatherWeights(issue, work, `weights ${i}`, inBlock, ahead()) : [];
    x = blockForward(issue, block, x, weights);
    before.push(x);
  }

  let dx = modelTurn(issue, block, x);
  before.push(dx);
  for (let i = config.nLayers - 1; i >= 0; i--) {
    const weights = layout.zero >= 3 ? gatherWeights(issue, work, `weights ${i}`, inBlock, ahead()) : [];
    const back = blockBackward(issue, block, dx, weights);
    if (reduces) sendGradients(issue, work, `gradients ${i}`, inBlock, back.gradients);
    dx = back.dx;
    before.push(dx);
  }
  const dembedding = modelEnd(issue, block, dx);
  if (reduces) sendGradients(issue, work, "gradients of embedding and head", outside, dembedding);
  return issue.tasks;
}

function blockWork({ config, layout, machine, dtype, policy, microBatch, context }: StepWork): BlockWork {
  const sizes = localSizes(sizesOf(config, microBatch, context), layout);
  return { machine, sizes, group: layout, dtype, kept: kept(policy) };
}

function gatherWeights(issue: Issue, work: StepWork, name: string, parameters: number, after: Ready): Ready {
  const bytes = parameters * stateBytes(work.dtype).weights;
  return issue.send(name, "data", work.machine.data, "all-gather", bytes, after);
}

function sendGradients(issue: Issue, work: StepWork, name: string, parameters: number, after: Ready): Ready {
  const bytes = parameters * stateBytes(work.dtype).gradients;
  const collective = work.layout.zero >= 1 ? "reduce-scatter" : "all-reduce";
  return issue.send(name, "data", work.machine.data, collective, bytes, after);
}
