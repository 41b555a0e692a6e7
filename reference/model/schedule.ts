// Both passes over a micro-batch as a list: what each op reads and what it gives, in the order in which the model computes.
// A tensor is held from the op that gives it to the last that reads it, so the list says how much is held when.
//
// Names: xᵢ is the input of block i, x_L what the last one gave; a block's others as in BlockActivations; what is computed
// again has a name of its own; d… is the gradient at a tensor, with a + where it is one term of that gradient.
import { blockOps, type OpRow, opOf, type TensorName } from "./block-table.ts";
import { kept, type Policy } from "./policies.ts";

/** A tensor of the schedule: which it is like in shape, and where it belongs. */
export interface Held {
  readonly name: string;
  /** The tensor of the block, or of the model, whose shape it has. */
  readonly like: TensorName | ModelTensor;
  /** Of a block, or undefined. */
  readonly layer: number | undefined;
  /** The op that gave it, such as "linear", "again linear" or "linear.backward"; "input" for what the caller gave. */
  readonly op: string;
}

/** cos and sin together count as the table. */
export type ModelTensor = "tokens" | "targets" | "table" | "norm.y" | "norm.rstd" | "logits" | "crossEntropy.lse";

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
    gives: Readonly<Record<string, TensorName | ModelTensor>>,
  ): void => {
    const given = Object.entries(gives).map(([name, like]) => ({ name, like, layer, op }));
    rows.push({ op, layer, reads, gives: given });
  };
  push("input", undefined, [], { tokens: "tokens", targets: "targets" });
  push("rope-table", undefined, [], { table: "table" });
  push("embedding", undefined, ["tokens"], { x0: "x" });
  for (let i = 0; i < nLayers; i++) for (const op of blockOps) pushForward(op, i);
  push("rmsnorm", undefined, [`x${nLayers}`], { "norm.y": "norm.y", "norm.rstd": "norm.rstd" });
  push("linear", undefined, ["norm.y"], { logits: "logits" });
  push("cross-entropy", undefined, ["logits", "targets"], { lse: "crossEntropy.lse" });

  push("cross-entropy.backward", undefined, ["logits", "targets", "lse"], { dlogits: "logits" });
  push("linear.backward", undefined, ["dlogits", "norm.y"], { dnorm: "norm.y" });
  push("rmsnorm.backward", undefined, ["dnorm", `x${nLayers}`, "norm.rstd"], { [`dx${nLayers}`]: "x" });
  for (let i = nLayers - 1; i >= 0; i--) pushBackward(i);
  push("embedding.backward", undefined, ["dx0", "tokens"], {});
  return rows;

  function forwardName(name: TensorName, i: number): string {
    if (name === "x") return `x${i}`;
    return name === "ffnResidual" ? `x${i + 1}` : `${i}.${name}`;
  }

  function pushForward({ op, inputs, outputs }: OpRow, i: number): void {
    const reads = [...inputs.map((name) => forwardName(name, i)), ...(op === "rope" ? ["table"] : [])];
    push(op, i, reads, Object.fromEntries(outputs.map((name) => [forwardName(name, i), name])));
  }

  /** The backward of block i, read downwards; each op first has those of its inputs computed again that were not saved. */
  function pushBackward(i: number): void {
    const saved = new Set(kept(policy).saved);
    const there = new Set<TensorName>();
    const have = (name: TensorName): string => {
      if (saved.has(name)) return forwardName(name, i);
      if (!there.has(name)) {
        const { op, inputs, outputs } = opOf(name)!;
        const reads = [...inputs.map(have), ...(op === "rope" ? ["table"] : [])];
        push(`again ${op}`, i, reads, Object.fromEntries(outputs.map((output) => [`${i}.again ${output}`, output])));
        for (const output of outputs) there.add(output);
      }
      return `${i}.again ${name}`;
    };
    const d = (name: string): string => `${i}.d${name}`;
    const back = (
      op: string,
      gradients: readonly string[],
      activations: readonly TensorName[],
      gives: Readonly<Record<string, TensorName>>,
    ): void => {
      const reads = [...gradients, ...activations.map(have), ...(op === "rope" ? ["table"] : [])];
      push(`${op}.backward`, i, reads, gives);
    };
    const sum = (a: string, b: string, name: string, like: TensorName): void =>
      push("add", i, [a, b], { [name]: like });
    const dy = `dx${i + 1}`;

    back("linear", [dy], ["swiglu"], { [d("swiglu")]: "swiglu" });
    back("swiglu", [d("swiglu")], ["gate", "up"], { [d("gate")]: "gate", [d("up")]: "up" });
    back("linear", [d("gate")], ["ffnNorm.y"], { [d("ffnNorm+gate")]: "ffnNorm.y" });
    back("linear", [d("up")], ["ffnNorm.y"], { [d("ffnNorm+up")]: "ffnNorm.y" });
    sum(d("ffnNorm+gate"), d("ffnNorm+up"), d("ffnNorm"), "ffnNorm.y");
    back("rmsnorm", [d("ffnNorm")], ["attentionResidual", "ffnNorm.rstd"], {
      [d("attentionResidual+ffnNorm")]: "attentionResidual",
    });
    sum(dy, d("attentionResidual+ffnNorm"), d("attentionResidual"), "attentionResidual");

    back("linear", [d("attentionResidual")], ["attention.y"], { [d("attention")]: "attention.y" });
    for (const name of ["q", "k", "v", "attention.y", "attention.lse"] as const) have(name);
    back("attention", [d("attention")], ["attention.y"], {}); // D, after which y is not read again
    back("attention", [d("attention")], ["q", "k", "v", "attention.lse"], {
      [d("q")]: "q",
      [d("k")]: "k",
      [d("v")]: "v",
    });
    back("rope", [d("q")], [], { [d("qProjection")]: "qProjection" });
    back("rope", [d("k")], [], { [d("kProjection")]: "kProjection" });
    back("linear", [d("qProjection")], ["attentionNorm.y"], { [d("attentionNorm+q")]: "attentionNorm.y" });
    back("linear", [d("kProjection")], ["attentionNorm.y"], { [d("attentionNorm+k")]: "attentionNorm.y" });
    back("linear", [d("v")], ["attentionNorm.y"], { [d("attentionNorm+v")]: "attentionNorm.y" });
    sum(d("attentionNorm+q"), d("attentionNorm+k"), d("attentionNorm+qk"), "attentionNorm.y");
    sum(d("attentionNorm+qk"), d("attentionNorm+v"), d("attentionNorm"), "attentionNorm.y");
    back("rmsnorm", [d("attentionNorm")], ["x", "attentionNorm.rstd"], { [d("x+attentionNorm")]: "x" });
    sum(d("attentionResidual"), d("x+attentionNorm"), `dx${i}`, "x");
  }
}
