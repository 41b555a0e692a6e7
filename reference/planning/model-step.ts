// The model around its blocks as tasks, row by row of the model's table: an op that the table gains has no time here and does
// not compile.
import { linearFlops } from "../model/flops.ts";
import { modelBackwardOps, type ModelBackwardRow, modelOps, type ModelRow } from "../model/model-table.ts";
import { count } from "../model/sizes.ts";
import { elementBytes } from "../model/storage.ts";
import { type BlockWork, residualBytes } from "./block-step.ts";
import type { Issue, Ready } from "./issue.ts";

/** The tasks of one op, after its inputs are ready → its result. */
type Tasks = (issue: Issue, work: BlockWork, after: Ready) => Ready;

const forward: Readonly<Record<ModelRow["op"], Tasks>> = {
  "rope-table": (_issue, _work, after) => after, // made once for a run
  embedding(issue, work, after) {
    const rows = issue.compute("embedding", "elementwise", work.machine.stream(2 * residualBytes(work)), after);
    return reduce(issue, work, "embedding", rows);
  },
  rmsnorm(issue, work, after) {
    const normed = issue.compute("norm", "elementwise", work.machine.stream(2 * ownPositions(work)), after);
    if (!work.group.sequence) return normed;
    return issue.send("norm", "tensor", work.machine.tensor, "all-gather", residualBytes(work), normed);
  },
  linear: (issue, work, after) => issue.compute("head", "product", headSeconds(work), after),
  // Logits are read, and read and overwritten with their gradient.
  "cross-entropy": (issue, work, after) =>
    issue.compute("cross-entropy", "elementwise", work.machine.stream(3 * logitBytes(work)), after),
};

const backward: Readonly<Record<ModelBackwardRow["op"], Tasks>> = {
  "cross-entropy.backward": (_issue, _work, after) => after, // computed with the loss
  "linear.backward"(issue, work, after) {
    const dx = issue.compute("head dx", "product", headSeconds(work), after);
    const reduced = reduce(issue, work, "dnorm", dx);
    issue.compute("head dw", "product", headSeconds(work), after);
    return reduced;
  },
  "rmsnorm.backward": (issue, work, after) =>
    issue.compute("dnorm", "elementwise", work.machine.stream(3 * ownPositions(work)), after),
  "embedding.backward": (issue, work, after) =>
    issue.compute("dembedding", "elementwise", work.machine.stream(2 * residualBytes(work)), after),
};

/** The embedding, after its weights are there → the first block's input. */
export function modelStart(issue: Issue, work: BlockWork, weights: Ready): Ready {
  return modelOps.before.reduce((after, { op }) => forward[op](issue, work, after), weights);
}

/** From the last block's result to the loss and back → the gradient of that result. */
export function modelTurn(issue: Issue, work: BlockWork, last: Ready): Ready {
  const loss = modelOps.after.reduce((after, { op }) => forward[op](issue, work, after), last);
  return modelBackwardOps.before.reduce((after, { op }) => backward[op](issue, work, after), loss);
}

/** From the gradient of the first block's input → the embedding's. */
export function modelEnd(issue: Issue, work: BlockWork, dx: Ready): Ready {
  return modelBackwardOps.after.reduce((after, { op }) => backward[op](issue, work, after), dx);
}

function reduce(issue: Issue, work: BlockWork, name: string, after: Ready): Ready {
  const collective = work.group.sequence ? "reduce-scatter" : "all-reduce";
  return issue.send(name, "tensor", work.machine.tensor, collective, residualBytes(work), after);
}

/** Bytes of the residual stream at a rank's own positions. */
function ownPositions(work: BlockWork): number {
  return work.group.sequence ? residualBytes(work) / work.group.tensor : residualBytes(work);
}

function logitBytes({ sizes, dtype }: BlockWork): number {
  return count(["B", "T", "V"], sizes) * elementBytes({ stored: "activation" }, dtype);
}

// Forward, input's gradient and weight's gradient are three products of the same three sizes.
function headSeconds(work: BlockWork): number {
  const { machine, sizes, dtype } = work;
  const weights = count(["V", "C"], sizes);
  const bytes = residualBytes(work) + logitBytes(work) + weights * elementBytes({ stored: "activation" }, dtype);
  return machine.product(linearFlops(weights, sizes.B * sizes.T), bytes);
}
