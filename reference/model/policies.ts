// Recomputation: the forward saves some outputs of a block, and the backward computes the rest again from those.
//
//   none       saves everything that the backward reads
//   selective  the outputs of linear layers (Touvron et al. 2023, section 2.4)
//   full       only the block's input
//   a list     of outputs, by the names of BlockActivations
import { blockBackwardOps } from "./block-backward.ts";
import { blockOps, blockTensors, type OpRow, opOf, type TensorName } from "./block-table.ts";

export const policyNames = ["none", "selective", "full"] as const;
export type PolicyName = (typeof policyNames)[number];
/** A name, or the outputs to save. */
export type Policy = PolicyName | readonly TensorName[];

/** The effect of a policy in one block. */
export interface Kept {
  /** Held from the forward to the backward, x first. A tensor that is not read again is not held, even if the policy lists it. */
  readonly saved: readonly TensorName[];
  /** Run again before the block's backward, in this order. */
  readonly recomputed: readonly OpRow[];
}

/** A policy by its name, or the outputs separated by commas. Throws RangeError for a name that is neither. */
export function parsePolicy(text: string): Policy {
  const name = policyNames.find((known) => known === text);
  if (name !== undefined) return name;
  return text.split(",").map((output) => {
    if (Object.hasOwn(blockTensors, output)) return output as TensorName;
    const outputs = Object.keys(blockTensors).slice(1);
    throw new RangeError(
      `"${output}" is not a policy of recomputation, expected ${policyNames.join(", ")}, or outputs to save of ${outputs.join(" ")}`,
    );
  });
}

/** Walks back from all that the backward reads: a tensor is saved, or its op is run again and its inputs are needed too. */
export function kept(policy: Policy): Kept {
  const listed = new Set<TensorName>(["x", ...listedBy(policy)]);
  const needed = new Set<TensorName>();
  const again = new Set<OpRow>();
  const visit = (name: TensorName): void => {
    if (needed.has(name)) return;
    needed.add(name);
    if (listed.has(name)) return;
    const op = opOf(name)!;
    again.add(op);
    Object.values(op.inputs).forEach(visit);
  };
  for (const { activations } of blockBackwardOps) Object.values(activations).forEach(visit);
  const saved = (Object.keys(blockTensors) as TensorName[]).filter((name) => needed.has(name) && listed.has(name));
  return { saved, recomputed: blockOps.filter((op) => again.has(op)) };
}

function listedBy(policy: Policy): readonly TensorName[] {
  if (typeof policy !== "string") return policy;
  if (policy === "none") return Object.keys(blockTensors) as TensorName[];
  if (policy === "full") return [];
  return blockOps.filter(({ op }) => op === "linear").flatMap(({ outputs }) => Object.values(outputs));
}
