// One block of a step as tasks, with the messages of tensor parallelism: forward, and backward after recomputation.
//
// Without sequence parallelism an all-reduce follows wo and w2 in the forward, and the input's gradient of the products
// before them in the backward (Shoeybi et al. 2019, section 3). With it each is a reduce-scatter, and an all-gather precedes
// each product that needs all positions; the backward gathers the product's input once more (Korthikanti et al.
// 2022, section 4.2). The backward issues input gradients first, so their reduction overlaps the weight gradients.
import { attentionBackwardFlops, forwardFlops } from "../model/flops.ts";
import { type BackwardRow, blockBackwardOps, blockGradients, type GradientName } from "../model/block-backward.ts";
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
import { count, localCount, type ModelSizes, type TensorGroup } from "../model/sizes.ts";
import { elementBytes, type StorageName } from "../model/storage.ts";
import type { TaskKind } from "./timeline.ts";

/** The facts from which a block's tasks follow; `sizes` are one rank's. */
export interface BlockWork {
  readonly machine: Machine;
  readonly sizes: ModelSizes;
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
  const again = run(issue, work, work.kept.recomputed, dy, weights, "again");
  const have = (name: TensorName): Ready => again.get(name) ?? [];
  const there = new Map<GradientName, Ready>([["ffnResidual", dy]]);
  const gradients: Ready[] = [];
  const partial = new Set<GradientName>(); // sums over a rank's own heads or features, which reduce adds up
  const leaving = new Map<WeightName, Ready>(); // products whose weight gradients follow the reduction of their inputs'
  let input: Ready = []; // of those products, gathered

  const dgrad = (weight: WeightName, after: Ready): Ready =>
    issue.compute(`${weight} dx`, "product", productSeconds(work, weight), weights, after);
  const wgrad = (weight: WeightName, ...after: Ready[]): void =>
    void gradients.push(issue.compute(`${weight} dw`, "product", productSeconds(work, weight), ...after));

  for (const row of blockBackwardOps) {
    const from = Object.values(row.gradients).map((name) => there.get(name)!);
    const [output] = Object.values(row.gives);
    switch (kindOf(row, partial)) {
      case "as it is":
        there.set(output, from.flat());
        break;
      case "into the region": {
        const dyAll = gather(issue, work, spokenGradient(row.gradients.dy), ...from);
        there.set(output, dgrad(row.weight!, dyAll));
        wgrad(row.weight!, dyAll, have(row.activations.x));
        const next = nextInput(row);
        input = gather(issue, work, spoken[next] ?? next, there.get(output)!, have(next));
        break;
      }
      case "out of the region":
        there.set(output, dgrad(row.weight!, from.flat()));
        partial.add(output);
        leaving.set(row.weight!, from.flat());
        break;
      case "partial sum":
        partial.add(output);
        there.set(output, from.flat());
        break;
      case "sum over ranks":
        there.set(output, reduce(issue, work, spokenGradient(output), ...from));
        for (const [weight, after] of leaving) wgrad(weight, after, input);
        leaving.clear();
        break;
      case "computed": {
        const result = computed(issue, work, row, [...from, ...Object.values(row.activations).map(have)]);
        if (row.weight !== undefined) gradients.push(result);
        for (const name of Object.values(row.gives)) there.set(name, result);
      }
    }
  }
  return { dx: there.get("x")!, gradients: gradients.flat() };
}

/** The kind of a backward row on a rank: products begin and end the region of its own heads or features. */
function kindOf(row: BackwardRow, partial: ReadonlySet<GradientName>) {
  if (row.op === "add.backward") return "as it is";
  if (row.op === "linear.backward") return isSplit(row.gradients.dy) ? "out of the region" : "into the region";
  if (!Object.values(row.gradients).every((name) => partial.has(name))) return "computed";
  return "term" in blockGradients[row.gives.y] ? "partial sum" : "sum over ranks";
}

/** An op of the backward that is not a product with a weight. */
function computed(issue: Issue, work: BlockWork, row: BackwardRow, after: readonly Ready[]): Ready {
  const { machine, sizes } = work;
  if (row.op === "attention.backward") {
    const seconds = machine.product(attentionBackwardFlops(sizes), attentionBytes(work, 2));
    return issue.compute("dattention", "attention", seconds, ...after);
  }
  const name = row.op === "add.forward" ? "add" : spokenGradient(row.gradients.dy);
  return issue.compute(name, "elementwise", machine.stream(backwardBytes(work, row)), ...after);
}

/** Whether a gradient is one rank's heads or features. */
function isSplit(name: GradientName): boolean {
  return blockTensors[blockGradients[name].like].region === "tensor";
}

/** The input of the products whose gradients follow those of `row`, which is gathered ahead of them. */
function nextInput(row: BackwardRow): TensorName {
  const following = blockBackwardOps.slice(blockBackwardOps.indexOf(row) + 1);
  return following.find(({ op }) => op === "linear.backward")!.activations.x;
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
    const outputs = Object.values(op.outputs);
    const [output] = outputs;
    let inputs: Ready = Object.values(op.inputs).flatMap((name) => there.get(name) ?? x);
    if (op.op === "linear") {
      const input = op.inputs.x;
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
      : machine.stream(bytes(work, ...Object.values(op.inputs), ...outputs));
    const y = issue.compute(spoken[output] ?? op.op, as ?? (attention ? "attention" : "elementwise"), seconds, inputs);
    for (const name of outputs) there.set(name, y);
  }
  return there;
}

// Short names for ops and messages whose own names are long.
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

function spokenGradient(name: GradientName): string {
  if (name === "ffnOutput") return "dy";
  if (name === "attentionOutput") return "dresidual";
  const { like } = blockGradients[name];
  return `d${spoken[like] ?? like}`;
}

function gather(issue: Issue, work: BlockWork, name: string, ...after: Ready[]): Ready {
  if (!work.group.sequence) return after.flat();
  return issue.send(name, "tensor", work.machine.tensor, "all-gather", residualBytes(work), ...after);
}

function reduce(issue: Issue, work: BlockWork, name: string, ...after: Ready[]): Ready {
  const collective = work.group.sequence ? "reduce-scatter" : "all-reduce";
  return issue.send(name, "tensor", work.machine.tensor, collective, residualBytes(work), ...after);
}

/** Bytes of all positions of the residual stream: [B, T, C]. */
export function residualBytes({ sizes, dtype }: Pick<BlockWork, "sizes" | "dtype">): number {
  return count(["B", "T", "C"], sizes) * elementBytes({ stored: "activation" }, dtype);
}

// Forward, input's gradient and weight's gradient are three products of the same three sizes.
function productSeconds({ machine, sizes, dtype }: BlockWork, weight: WeightName): number {
  const op = blockOps.find((row) => row.weight === weight)!;
  const elements =
    count(blockTensors[op.inputs.x].shape, sizes) +
    count(blockTensors[op.outputs.y].shape, sizes) +
    count(blockWeights[weight], sizes);
  return machine.product(forwardFlops(op, sizes), elements * elementBytes({ stored: "activation" }, dtype));
}

// Forward: q, k, v and y. Backward: those and their gradients.
function attentionBytes(work: BlockWork, passes: number): number {
  return passes * bytes(work, "q", "k", "v", "attention.y", "attention.lse");
}

// An elementwise backward reads gradients and activations, and writes gradients.
function backwardBytes(work: BlockWork, { gradients, activations, gives }: BackwardRow): number {
  const likes = [...Object.values(gradients), ...Object.values(gives)].map((name) => blockGradients[name].like);
  return bytes(work, ...likes, ...Object.values(activations));
}

function bytes({ sizes, group, dtype }: BlockWork, ...names: readonly TensorName[]): number {
  return names.reduce((sum, name) => {
    const row = blockTensors[name];
    return sum + localCount(row, sizes, group) * elementBytes(row, dtype);
  }, 0);
}
