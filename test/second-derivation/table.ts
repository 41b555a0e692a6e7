// Bound ÷ the worst evaluation of the second derivation, op by op and target by target.
import { type Target, targets } from "../../reference/targets.ts";
import * as problems from "./problems.ts";
import { sharesOf } from "./shares.ts";

export const TABLE_TARGETS = ["ieee", "cuda", "wgsl", "cuda-fast-math", "triton"] as const;

type Make = () => problems.Problem;
/** Small problems, whose element nearest to its bound counts, and one as long as a model's. */
const lines: Readonly<
  Record<string, { readonly small: readonly Make[]; readonly long?: Make; readonly length?: string }>
> = {
  "rmsnorm.backward": {
    small: [
      () => problems.rmsnormBackward(2, "normal", 54),
      () => problems.rmsnormBackward(3, "positive", 1),
      () => problems.rmsnormBackward(5, "normal", 2),
    ],
    long: () => problems.rmsnormBackward(4096, "normal", 1),
    length: "C = 4,096",
  },
  "swiglu.forward": { small: [() => problems.swiglu(100, "normal", 1, 4)] },
  "swiglu.backward": { small: [() => problems.swigluBackward(100, "normal", 1, 4)] },
  "softmax.forward": {
    small: [() => problems.softmaxForward(2, "normal", 1), () => problems.softmaxForward(17, "normal", 2, 4)],
    long: () => problems.softmaxForward(2048, "normal", 1),
    length: "C = 2,048",
  },
  "cross-entropy.forward": {
    small: [() => problems.crossEntropyForward(2, "normal", 1), () => problems.crossEntropyForward(17, "normal", 2, 4)],
    long: () => problems.crossEntropyForward(32000, "normal", 1),
    length: "V = 32,000",
  },
  "cross-entropy.backward": {
    small: [
      () => problems.crossEntropyBackward(2, 3, "normal", 1, 1),
      () => problems.crossEntropyBackward(9, 7, "normal", 2, 1),
    ],
  },
  "attention.forward": {
    small: [
      () => problems.attentionForward(1, 1, 1, "normal", 1, 3),
      () => problems.attentionForward(2, 3, 2, "normal", 2, 3),
    ],
    long: () => problems.attentionForward(1, 256, 8, "normal", 1),
    length: "S = 256, HS = 8",
  },
  "attention.backward": {
    small: [
      () => problems.attentionBackward(1, 1, 1, "normal", 1, 3),
      () => problems.attentionBackward(2, 2, 2, "normal", 2, 3),
    ],
  },
  "gradient-norm.forward": {
    small: [1, 3, 40].map((N) => () => problems.gradientNorm(N, "normal", N)),
    long: () => problems.gradientNorm(32000, "normal", 1),
    length: "N = 32,000",
  },
};
export const TABLE_OPS: readonly string[] = Object.keys(lines);

/** Bound ÷ error where that is least. */
function least(makers: readonly Make[], target: Target, few: boolean): string {
  const reached = makers.flatMap((make) => sharesOf(make(), target, few).map((share) => share.reached));
  return (1 / Math.max(...reached)).toPrecision(2);
}

/** One line of the table; `withLong`: with the long problem, which takes seconds. */
export function tableLine(
  op: string,
  withLong: boolean,
  names: readonly (typeof TABLE_TARGETS)[number][] = TABLE_TARGETS,
): string {
  const { small, long, length } = lines[op];
  const few = op.startsWith("attention");
  const cells = names.map((name) => {
    const short = least(small, targets[name], few);
    return long !== undefined && withLong ? `${short} · ${least([long], targets[name], true)}` : short;
  });
  return `| ${op} | ${cells.join(" | ")} | ${length ?? ""} |`;
}
