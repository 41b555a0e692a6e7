// Problems for the second derivation's tapes in addition to its own: rows that are longer, or spread wider.
import { tensor } from "../../../reference/tensor.ts";
import * as problems from "../../second-derivation/problems.ts";
import { smallProblems } from "../../second-derivation/small.ts";

function rmsnormForward(C: number, seed: number): problems.Problem {
  const { inputs, scalars } = problems.rmsnormBackward(C, "normal", seed);
  return { op: "rmsnorm.forward", inputs: { x: inputs.x, w: inputs.w }, scalars };
}

/** The largest class of a row of logits around 500, where m · log2 e is rounded coarsely. */
function highLogits(): problems.Problem {
  const logits = tensor(Float32Array.of(535, 534.5, 530, 533), [1, 4]);
  return {
    op: "cross-entropy.forward",
    inputs: { logits, targets: tensor(Int32Array.of(1), [1]) },
    scalars: { ignoreIndex: -100 },
  };
}

const more: Readonly<Record<string, () => problems.Problem[]>> = {
  "rmsnorm.forward": () => [rmsnormForward(1, 1), rmsnormForward(5, 2), rmsnormForward(40, 3)],
  "rmsnorm.backward": () => [problems.rmsnormBackward(9, "normal", 7), problems.rmsnormBackward(1, "normal", 8)],
  "swiglu.forward": () => [problems.swiglu(12, "normal", 5, 100)],
  "swiglu.backward": () => [problems.swigluBackward(8, "normal", 5, 6)],
  "softmax.forward": () => [
    problems.softmaxForward(4, "normal", 3, 8),
    problems.softmaxForward(40, "normal", 4),
    problems.softmaxForward(5, "normal", 5, 60),
  ],
  "cross-entropy.forward": () => [
    highLogits(),
    problems.crossEntropyForward(40, "normal", 4),
    problems.crossEntropyForward(5, "normal", 5, 60),
  ],
  "cross-entropy.backward": () => [problems.crossEntropyBackward(5, 2, "normal", 5, 1)],
  "attention.forward": () => [
    problems.attentionForward(1, 5, 3, "normal", 6, 4),
    problems.attentionForward(1, 12, 4, "normal", 7, 20),
  ],
};

export function tapeProblems(op: string): problems.Problem[] {
  return [smallProblems, more].flatMap((table) => table[op]?.() ?? []);
}
