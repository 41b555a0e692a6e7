// Problems of each op for the second derivation, small enough for every form with every other.
import * as problems from "./problems.ts";

export const smallProblems: Readonly<Record<string, () => problems.Problem[]>> = {
  "rmsnorm.backward": () => [
    problems.rmsnormBackward(2, "normal", 54),
    problems.rmsnormBackward(3, "positive", 1),
    problems.rmsnormBackward(5, "normal", 2),
    problems.rmsnormBackward(120, "positive", 3),
  ],
  "swiglu.forward": () => [problems.swiglu(24, "normal", 1), problems.swiglu(24, "normal", 2, 30)],
  "swiglu.backward": () => [problems.swigluBackward(12, "normal", 1), problems.swigluBackward(12, "normal", 2, 30)],
  "softmax.forward": () => [problems.softmaxForward(1, "normal", 1), problems.softmaxForward(18, "stairs", 1)],
  "cross-entropy.forward": () => [
    problems.crossEntropyForward(2, "normal", 1),
    problems.crossEntropyForward(18, "normal", 2, 20),
    problems.crossEntropyForward(18, "stairs", 1),
  ],
  "cross-entropy.backward": () => [
    problems.crossEntropyBackward(3, 7, "normal", 1, 1),
    problems.crossEntropyBackward(3, 2, "normal", 2, 2 ** -124),
  ],
  "attention.forward": () => [
    problems.attentionForward(2, 3, 1, "normal", 1, 6),
    problems.attentionForward(3, 6, 2, "stairs", 2),
  ],
  "attention.backward": () => [problems.attentionBackward(2, 2, 1, "normal", 1, 3)],
  "gradient-norm.forward": () => [1, 3, 40].map((N) => problems.gradientNorm(N, "normal", N)),
};
