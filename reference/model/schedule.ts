// Both passes over a micro-batch as a list: the inputs and outputs of each op, in the order in which the model computes.
// A tensor is held from the op that gives it to the last that reads it, so the list says how much is held when.
//
// Names: xᵢ is the input of block i, x_L the last one's result; a block's other tensors as in BlockActivations; a tensor that
// is computed again has a name of its own; d… is the gradient at a tensor, with a + if it is one term of that gradient.
import {
  blockBackwardOps,
  blockGradients,
  type BackwardRow,
  type GradientName,
  type GradientRow,
} from "./block-backward.ts";
import { blockOps, type OpRow, opOf, type TensorName } from "./block-table.ts";
import {
  modelBackwardOps,
  type ModelBackwardRow,
  type ModelOperand,
  modelOps,
  type ModelRow,
  type ModelTensorName,
} from "./model-table.ts";
import { kept, type Policy } from "./policies.ts";

/** A tensor of the schedule: its block, and a tensor of the same shape. */
export interface Held {
  readonly name: string;
  /** The tensor of the block, or of the model, whose shape it has. */
  readonly like: TensorName | ModelTensorName;
  /** The block's number; undefined outside the blocks. */
  readonly layer: number | undefined;
  /** The op that computed it, such as "linear", "again linear" or "linear.backward"; "input" if it came from the caller. */
  readonly op: string;
}

/** One op of a pass; its inputs by name. */
export interface Row {
  readonly op: string;
  readonly layer: number | undefined;
  readonly reads: readonly string[];
  readonly gives: readonly Held[];
}

/** Forward, loss and backward of a model of that many blocks. */
export function schedule(nLayers: number, policy: Policy): Row[] {
  const rows: Row[] = [];
  const push = (
    op: string,
    layer: number | undefined,
    reads: readonly string[],
    gives: Readonly<Record<string, TensorName | ModelTensorName>>,
  ): void => {
    const given = Object.entries(gives).map(([name, like]) => ({ name, like, layer, op }));
    rows.push({ op, layer, reads, gives: given });
  };
  push("input", undefined, [], { tokens: "tokens", targets: "targets" });
  for (const row of modelOps.before) pushOutside(row);
  for (let i = 0; i < nLayers; i++) for (const op of blockOps) pushForward(op, i);
  for (const row of modelOps.after) pushOutside(row);

  for (const row of modelBackwardOps.before) pushOutsideBackward(row);
  for (let i = nLayers - 1; i >= 0; i--) pushBackward(i);
  for (const row of modelBackwardOps.after) pushOutsideBackward(row);
  return rows;

  function pushOutside({ op, inputs, outputs }: ModelRow): void {
    const given = tensors(outputs).map((name) => [outsideName(name), likeOf(name)]);
    push(op, undefined, tensors(inputs).map(outsideName), Object.fromEntries(given));
  }

  function pushOutsideBackward({ op, gradients, activations, gives }: ModelBackwardRow): void {
    const reads = [...tensors(gradients).map(outsideGradient), ...tensors(activations).map(outsideName)];
    const given = tensors(gives).map((name) => [outsideGradient(name), likeOf(name)]);
    push(op, undefined, reads, Object.fromEntries(given));
  }

  function outsideName(name: ModelOperand): string {
    if (name === "embedding") return "x0";
    if (name === "last") return `x${nLayers}`;
    return name === "crossEntropy.lse" ? "lse" : name;
  }

  function outsideGradient(name: ModelOperand): string {
    return `d${outsideName(name).replace(".y", "")}`;
  }

  function forwardName(name: TensorName, i: number): string {
    if (name === "x") return `x${i}`;
    return name === "ffnResidual" ? `x${i + 1}` : `${i}.${name}`;
  }

  function pushForward({ op, inputs, outputs }: OpRow, i: number): void {
    const reads = [...Object.values(inputs).map((name) => forwardName(name, i)), ...tableOf(op)];
    push(op, i, reads, Object.fromEntries(Object.values(outputs).map((name) => [forwardName(name, i), name])));
  }

  /** The backward of block i; before each op, those of its inputs that were not saved are computed again. */
  function pushBackward(i: number): void {
    const saved = new Set(kept(policy).saved);
    const there = new Set<TensorName>();
    const have = (name: TensorName): string => {
      if (saved.has(name)) return forwardName(name, i);
      if (!there.has(name)) {
        const { op, inputs, outputs } = opOf(name)!;
        const given = Object.values(outputs);
        const reads = [...Object.values(inputs).map(have), ...tableOf(op)];
        push(`again ${op}`, i, reads, Object.fromEntries(given.map((output) => [`${i}.again ${output}`, output])));
        for (const output of given) there.add(output);
      }
      return `${i}.again ${name}`;
    };
    const gradients = new Map<GradientName, string>([["ffnResidual", `dx${i + 1}`]]);
    const gradientOf = (name: GradientName): string => gradients.get(name)!;
    for (const row of blockBackwardOps) {
      const given = Object.values(row.gives);
      const from = Object.values(row.gradients).map(gradientOf);
      if (row.op === "add.backward") {
        for (const name of given) gradients.set(name, from[0]); // the same tensor
        continue;
      }
      for (const name of given) gradients.set(name, gradientName(name, i));
      const results = Object.fromEntries(given.map((name) => [gradientOf(name), blockGradients[name].like]));
      pushGradient(row, i, from, have, results);
    }
  }

  function pushGradient(
    { op, activations }: BackwardRow,
    i: number,
    from: readonly string[],
    have: (name: TensorName) => string,
    gives: Readonly<Record<string, TensorName>>,
  ): void {
    if (op === "add.forward") return push("add", i, from, gives);
    let reads = Object.values(activations).map(have);
    if (op === "attention.backward") {
      const y = have("attention.y");
      push(op, i, [...from, y], {}); // D, after which y is not read again
      reads = reads.filter((name) => name !== y);
    }
    push(op, i, [...from, ...reads, ...tableOf(op)], gives);
  }
}

/** The loss is one number, which no memory plan counts. */
function tensors(operands: Readonly<Record<string, ModelOperand>>): Exclude<ModelOperand, "loss">[] {
  return Object.values(operands).filter((name) => name !== "loss");
}

function likeOf(name: Exclude<ModelOperand, "loss">): TensorName | ModelTensorName {
  return name === "embedding" || name === "last" ? "x" : name;
}

/** RoPE reads the model's table. */
function tableOf(op: string): string[] {
  return op.startsWith("rope") ? ["table"] : [];
}

function gradientName(name: GradientName, i: number): string {
  const { sum, term }: GradientRow = blockGradients[name];
  if (name === "x") return `dx${i}`;
  return term === undefined ? `${i}.d${name}` : `${i}.d${sum}+${term}`;
}
