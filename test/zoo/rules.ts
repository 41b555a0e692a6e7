// The tolerances of well-known test suites, and what each says of an output.
import { dtypes, ulpDistance } from "../../reference/dtype.ts";
import type { Outputs } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../../judge/case.ts";

/** One output of an op next to its truth. */
interface Compared {
  readonly op: string;
  readonly output: string;
  readonly got: Tensor;
  readonly want: Tensor;
  readonly problem: Problem;
}

/** Whether an output passes; undefined where the rule says nothing of the op. */
type Rule = (compared: Compared) => boolean | undefined;

const within =
  (absolute: number, relative: number): Rule =>
  ({ got, want }) =>
    want.data.every((b, i) => Math.abs(got.data[i] - b) <= absolute + relative * Math.abs(b) || got.data[i] === b);

/** Σ(a−b)² ÷ Σb², as llama.cpp's test-backend-ops has it. */
const nmse: Rule = ({ op, got, want }) => {
  let [error, size] = [0, 0];
  for (const [i, b] of want.data.entries()) {
    error += (got.data[i] - b) ** 2;
    size += b ** 2;
  }
  return error <= (/^(linear|attention)/.test(op) ? 5e-4 : 1e-7) * size;
};

/** 2·K units of the last place for products of K terms, and nothing of other ops. */
const webnn: Rule = ({ op, output, got, want, problem: { inputs } }) => {
  if (!op.startsWith("linear")) return undefined;
  const K = op === "linear.forward" ? inputs["x"].shape[1] : inputs["dy"].shape[output === "dx" ? 1 : 0];
  return want.data.every((b, i) => ulpDistance(got.data[i], b, dtypes.float32) <= 2 * K);
};

export const rules = {
  "llama.cpp": nmse,
  PyTorch: within(1e-5, 1.3e-6),
  "Liger-Kernel": (compared) => (compared.op.startsWith("swiglu") ? within(1, 1) : within(1e-4, 1e-4))(compared),
  xFormers: within(3e-4, 2e-5),
  ONNX: within(1e-7, 1e-3),
  KernelBench: within(1e-4, 1e-4),
  WebNN: webnn,
} as const satisfies Record<string, Rule>;
export type RuleName = keyof typeof rules;
export const ruleNames = Object.keys(rules) as RuleName[];

/** The rules that reject the outputs of an op, and those that say nothing of it. */
export function ruledBy(
  op: string,
  problem: Problem,
  got: Outputs,
  want: Outputs,
): Record<RuleName, boolean | undefined> {
  const verdicts = ruleNames.map((name) => {
    const passes = (output: string): boolean | undefined => {
      const value = got[output];
      if (value === undefined || value.shape.join() !== want[output].shape.join()) return false;
      return rules[name]({ op, output, got: value, want: want[output], problem });
    };
    const passed = new Set(Object.keys(want).map(passes));
    return [name, passed.has(undefined) ? undefined : passed.has(false)];
  });
  return Object.fromEntries(verdicts) as Record<RuleName, boolean | undefined>;
}
