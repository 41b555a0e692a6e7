// One block of a step as tasks, with what tensor parallelism sends: forward, and backward after recomputation.
//
// Without sequence parallelism an all-reduce follows wo and w2 in the forward, and the input's gradient of the products
// before them in the backward (Shoeybi et al. 2019, section 3). With it each is a reduce-scatter, and an all-gather stands
// before each product that needs all positions; the backward gathers the product's input once more (Korthikanti et al.
// 2022, section 4.2). The backward issues input gradients first, so their reduction runs beside the weight gradients.
import { attentionBackwardFlops, forwardFlops } from "./arithmetic.ts";
import {
  blockOps,
  blockTensors,
  blockWeights,
  type OpRow,
  type TensorName,
  type WeightName,
} from "../model/block-table.ts";
import type { Issue, Ready } from "./issue.ts";
import type { Machine } from "./machine.ts";
import { type Kept } from "../model/policies.ts";
import { count, localCount, type Sizes, type TensorGroup } from "../model/sizes.ts";
import { elementBytes, type StorageName } from "../model/storage.ts";
import type { TaskKind } from "./timeline.ts";

/** What the tasks of a block follow from; `sizes` are one rank's. */
export interface BlockWork {
  readonly machine: Machine;
  readonly sizes: Sizes;
  readonly group: TensorGroup;
  readonly dtype: StorageName;
  readonly kept: Kept;
}

/** x and the weights, when they are there → the block's result. */
export function blockForward(issue: Issue, work: BlockWork, x: Ready, weights: Ready): Ready {
  return run(issue, work, blockOps, x, weights).get("ffnResidual")!;
}

/** The gradient of the block's result and the weights → the gradient of x, and the weights' gradients. */
export function blockBackward(
  issue: Issue,
  work: BlockWork,
  dy: Ready,
  weights: Ready,
): { dx: Ready; gradients: Ready } {
  const { machine, sizes, kept } = work;
  const again = run(issue, work, kept.recomputed, dy, weights, "again");
  const have = (name: TensorName): Ready => again.get(name) ?? [];
  const dgrad = (weight: WeightName, ...after: Ready[]): Ready =>
    issue.compute(`${weight} dx`, "product", productSeconds(work, weight), weights, ...after);
  const wgrad = (weight: WeightName, ...after: Ready[]): Ready =>
    issue.compute(`${weight} dw`, "product", productSeconds(work, weight), ...after);
  const elementwise = (name: string, op: OpRow["op"], outputs: TensorName, ...after: Ready[]): Ready =>
    issue.compute(name, "elementwise", machine.stream(backwardBytes(work, op, outputs)), ...after);

  const dyAll = gather(issue, work, "dy", dy);
  const dswiglu = dgrad("w2", dyAll);
  const dw2 = wgrad("w2", dyAll, have("swiglu"));
  const ffnIn = gather(issue, work, "ffn norm", dswiglu, have("ffnNorm.y"));
  const dgate = elementwise("dSwiGLU", "swiglu", "swiglu", dswiglu);
  const dffnNorm = reduce(issue, work, "dffn norm", dgrad("w1", dgate), dgrad("w3", dgate));
  const dw1 = wgrad("w1", dgate, ffnIn);
  const dw3 = wgrad("w3", dgate, ffnIn);
  const dffn = elementwise("dffn norm", "rmsnorm", "ffnNorm.y", dffnNorm, have("ffnNorm.rstd"));
  const dattentionResidual = elementwise("add", "add", "attentionResidual", dffn, dy);

  const dresidualAll = gather(issue, work, "dresidual", dattentionResidual);
  const dattention = dgrad("wo", dresidualAll);
  const dwo = wgrad("wo", dresidualAll, have("attention.y"));
  const attentionIn = gather(issue, work, "attention norm", dattention, have("attentionNorm.y"));
  const seconds = machine.product(attentionBackwardFlops(sizes), attentionBytes(work, 2));
  const dqkv = issue.compute("dattention", "attention", seconds, dattention, have("attention.lse"));
  const dq = elementwise("dRoPE", "rope", "q", dqkv);
  const dk = elementwise("dRoPE", "rope", "k", dqkv);
  const dattentionNorm = reduce(issue, work, "dattention norm", dgrad("wq", dq), dgrad("wk", dk), dgrad("wv", dqkv));
  const dwq = wgrad("wq", dq, attentionIn);
  const dwk = wgrad("wk", dk, attentionIn);
  const dwv = wgrad("wv", dqkv, attentionIn);
  const dnorm = elementwise(
    "dattention norm",
    "rmsnorm",
    "attentionNorm.y",
    dattentionNorm,
    have("attentionNorm.rstd"),
  );
  const dx = elementwise("add", "add", "attentionResidual", dnorm, dattentionResidual);
  return { dx, gradients: [dw2, dw1, dw3, dwo, dwq, dwk, dwv, dnorm].flat() };
}

/** Ops in the order of the forward, with their collectives; a tensor that none of them gives has been saved. */
function run(
  issue: Issue,
  work: BlockWork,
  ops: readonly OpRow[],
  x: Ready,
  weights: Ready,
  as?: TaskKind,
): Map<TensorName, Ready> {
  const { machine, sizes } = work;
  const there = new Map<TensorName, Ready>([["x", x]]);
  const gathered = new Map<TensorName, Ready>();
  for (const op of ops) {
    const [output] = op.outputs;
    let inputs: Ready = op.inputs.flatMap((name) => there.get(name) ?? x);
    if (op.op === "linear") {
      const [input] = op.inputs;
      if (blockTensors[input].region === "sequence") {
        if (!gathered.has(input)) gathered.set(input, gather(issue, work, spoken[input] ?? input, inputs));
        inputs = gathered.get(input)!;
      }
      let y = issue.compute(op.weight!, as ?? "product", productSeconds(work, op.weight!), inputs, weights);
      if (blockTensors[output].region === "sequence") y = reduce(issue, work, spoken[output] ?? output, y);
      there.set(output, y);
      continue;
    }
    const attention = op.op === "attention";
    const seconds = attention
      ? machine.product(forwardFlops(op, sizes), attentionBytes(work, 1))
      : machine.stream(bytes(work, ...op.inputs, ...op.outputs));
    const y = issue.compute(spoken[output] ?? op.op, as ?? (attention ? "attention" : "elementwise"), seconds, inputs);
    for (const name of op.outputs) there.set(name, y);
  }
  return there;
}

// What a reader calls an op or what is sent, where its own name is long.
const spoken: Partial<Record<TensorName, string>> = {
  "attentionNorm.y": "attention norm",
  "ffnNorm.y": "ffn norm",
  q: "RoPE q",
  k: "RoPE k",
  "attention.y": "attention",
  attentionOutput: "wo·y",
  ffnOutput: "w2·y",
  swiglu: "SwiGLU",
};

function gather(issue: Issue, work: BlockWork, name: string, ...after: Ready[]): Ready {
  if (!work.group.sequence) return after.flat();
  return issue.send(name, "tensor", work.machine.tensor, "all-gather", residualBytes(work), ...after);
}

function reduce(issue: Issue, work: BlockWork, name: string, ...after: Ready[]): Ready {
  const collective = work.group.sequence ? "reduce-scatter" : "all-reduce";
  return issue.send(name, "tensor", work.machine.tensor, collective, residualBytes(work), ...after);
}

/** Of all positions of the residual stream: [B, T, C]. */
export function residualBytes({ sizes, dtype }: Pick<BlockWork, "sizes" | "dtype">): number {
  return count(["B", "T", "C"], sizes) * elementBytes({ stored: "activation" }, dtype);
}

// Forward, input's gradient and weight's gradient are three products of the same three sizes.
function productSeconds({ machine, sizes, dtype }: BlockWork, weight: WeightName): number {
  const op = blockOps.find((row) => row.weight === weight)!;
  const elements =
    count(blockTensors[op.inputs[0]].shape, sizes) +
    count(blockTensors[op.outputs[0]].shape, sizes) +
    count(blockWeights[weight], sizes);
  return machine.product(forwardFlops(op, sizes), elements * elementBytes({ stored: "activation" }, dtype));
}

// Forward: q, k, v and y. Backward: those and their gradients.
function attentionBytes(work: BlockWork, passes: number): number {
  return passes * bytes(work, "q", "k", "v", "attention.y", "attention.lse");
}

// An elementwise backward reads the output's gradient and what was saved, and writes a gradient for each input.
function backwardBytes(work: BlockWork, op: OpRow["op"], output: TensorName): number {
  const found = blockOps.find((row) => row.op === op && row.outputs.includes(output))!;
  const { inputs, backwardReads } = found;
  return bytes(work, output, ...inputs, ...backwardReads);
}

function bytes({ sizes, group, dtype }: BlockWork, ...names: readonly TensorName[]): number {
  return names.reduce((sum, name) => {
    const row = blockTensors[name];
    return sum + localCount(row, sizes, group) * elementBytes(row, dtype);
  }, 0);
}
