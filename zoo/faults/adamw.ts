// AdamW's faults. The step is right until a part of it is replaced.
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, f32, floats, fp16, spoiling, withScalars, writing } from "./kernel.ts";

/** The scalars of a step, in float32. */
interface Rates {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly oneMinusBeta1: number;
  readonly oneMinusBeta2: number;
  readonly correction1: number;
  readonly correction2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

const right = {
  g: (g: number, _w: number, _rates: Rates): number => g,
  m: (m: number, g: number, { beta1, oneMinusBeta1 }: Rates): number => f32(f32(beta1 * m) + f32(oneMinusBeta1 * g)),
  v: (v: number, g: number, { beta2, oneMinusBeta2 }: Rates): number =>
    f32(f32(beta2 * v) + f32(oneMinusBeta2 * f32(g * g))),
  root: (v: number, { correction2, eps }: Rates): number => f32(f32(Math.sqrt(f32(v / correction2))) + eps),
  step: (m: number, root: number, { correction1 }: Rates, _before: number): number => f32(f32(m / correction1) / root),
  w: (w: number, step: number, { learningRate, weightDecay }: Rates): number =>
    f32(w - f32(learningRate * f32(step + f32(weightDecay * w)))),
};

/** m, v: averages of g and g²; w −= rate · (m̂ ÷ (√v̂ + eps) + decay · w). */
export function forward(replaced: Partial<typeof right> = {}): Kernel {
  const part = { ...right, ...replaced };
  return (inputs, scalars) => {
    const { w, g, m, v } = floats(inputs);
    const rates = Object.fromEntries(
      Object.entries(scalars).map(([name, x]) => [name, f32(Number(x))]),
    ) as unknown as Rates;
    const next = { w: empty(w.shape), m: empty(w.shape), v: empty(w.shape) };
    for (let i = 0; i < w.data.length; i++) {
      const slope = part.g(g.data[i], w.data[i], rates);
      const first = part.m(m.data[i], slope, rates);
      const second = part.v(v.data[i], slope, rates);
      const step = part.step(first, part.root(second, rates), rates, m.data[i]);
      next.w.data[i] = part.w(w.data[i], step, rates);
      next.m.data[i] = first;
      next.v.data[i] = second;
    }
    return next;
  };
}

const root = (v: number, { correction2 }: Rates, by = f32): number => f32(Math.sqrt(by(f32(v / correction2))));

/** The corrections of the step before. */
const late: Kernel = (inputs, scalars) => {
  const { correction1, correction2, beta1, beta2 } = scalars as Record<string, number>;
  const before = (correction: number, beta: number): number => 1 - (1 - f32(correction)) / f32(beta);
  const corrections = { correction1: before(correction1, beta1), correction2: before(correction2, beta2) };
  return forward()(inputs, { ...scalars, ...corrections });
};

/** The rate is divided into the denominator. */
const withoutRate: Kernel = (inputs, scalars) => {
  const plain = forward()(inputs, scalars);
  const { learningRate, weightDecay, correction1, correction2, eps } = scalars as Record<string, number>;
  const step = f32(-f32(f32(learningRate) / f32(correction1)));
  const { w } = floats(inputs);
  const denominator = (v: number): number =>
    f32(f32(f32(Math.sqrt(v)) / f32(f32(Math.sqrt(f32(correction2))) * step)) + f32(f32(eps) / step));
  const kept = f32(1 - f32(f32(learningRate) * f32(weightDecay)));
  const moved = w.data.map((x, i) => f32(f32(x * kept) + f32(plain.m.data[i] / denominator(plain.v.data[i]))));
  return { ...plain, w: { data: moved, shape: w.shape } };
};

export const adamw = faultsOf("adamw.forward", [
  [
    "eps-before-correction",
    "formula",
    "eps is added to the root before the bias correction",
    () =>
      forward({ root: (v, { correction2, eps }) => f32(f32(f32(Math.sqrt(v)) + eps) / f32(Math.sqrt(correction2))) }),
    {
      source: "karpathy/nanochat 353; transformers 35504",
    },
  ],
  [
    "gains-decay",
    "formula",
    "gains decay, too",
    () => withScalars({ weightDecay: () => 0.1 }, forward()),
    { source: "ServiceNow/Fast-LLM 542" },
  ],
  [
    "decay-after",
    "formula",
    "the decay is of the updated weight",
    () =>
      forward({
        w: (w, step, { learningRate, weightDecay }) => {
          const moved = f32(w - f32(learningRate * step));
          return f32(moved - f32(f32(learningRate * weightDecay) * moved));
        },
      }),
  ],
  [
    "l2",
    "formula",
    "the decay is added to the gradient",
    () =>
      forward({
        g: (g, w, { weightDecay }) => f32(g + f32(weightDecay * w)),
        w: (w, step, { learningRate }) => f32(w - f32(learningRate * step)),
      }),
    { source: "ServiceNow/Fast-LLM 542" },
  ],
  [
    "g-not-squared",
    "formula",
    "v averages |g|",
    () => forward({ v: (v, g, { beta2, oneMinusBeta2 }) => f32(f32(beta2 * v) + f32(oneMinusBeta2 * Math.abs(g))) }),
  ],
  [
    "step-before",
    "formula",
    "the bias corrections are those of the step before",
    () => late,
    { source: "NVIDIA/apex 1124" },
  ],
  ["m-bf16", "precision", "m is stored in bfloat16", () => writing({ m: bf16 }, forward())],
  [
    "tail",
    "tail",
    "the last N % 4 weights are not updated",
    () =>
      spoiling(forward(), ({ w }, inputs) => {
        const n = w.data.length;
        for (let i = n - (n % 4); i < n; i++) w.data[i] = inputs.w.data[i];
      }),
  ],
  [
    "beta1-fixed",
    "formula",
    "beta1 is 0.9, whatever is given",
    () => withScalars({ beta1: () => 0.9, oneMinusBeta1: () => 0.1 }, forward()),
  ],
  [
    "eps-inside",
    "formula",
    "eps stands under the root",
    () => forward({ root: (v, { correction2, eps }) => f32(Math.sqrt(f32(f32(v / correction2) + eps))) }),
  ],
  ["eps-fixed", "formula", "eps is 1e-8", () => withScalars({ eps: () => 1e-8 }, forward())],
  [
    "old-m",
    "formula",
    "the step uses m from before",
    () => forward({ step: (_, divisor, { correction1 }, before) => f32(f32(before / correction1) / divisor) }),
  ],
  [
    "correction-not-rooted",
    "formula",
    "the root of v is divided by correction2",
    () => forward({ root: (v, { correction2, eps }) => f32(f32(f32(Math.sqrt(v)) / correction2) + eps) }),
  ],
  [
    "v-fp16",
    "precision",
    "v passes through float16 in the step",
    () => forward({ root: (v, rates) => f32(root(v, rates, fp16) + rates.eps) }),
  ],
  [
    "decay-without-rate",
    "formula",
    "the decay is not multiplied by the learning rate",
    () =>
      forward({
        w: (w, step, { learningRate, weightDecay }) => f32(f32(w - f32(learningRate * step)) - f32(weightDecay * w)),
      }),
  ],
  [
    "v-floor",
    "formula",
    "v is at least 1e-12 in the step",
    () => forward({ root: (v, rates) => f32(root(Math.max(v, f32(1e-12)), rates) + rates.eps) }),
  ],
  [
    "beta2-fixed",
    "formula",
    "beta2 is 0.999",
    () => withScalars({ beta2: () => 0.999, oneMinusBeta2: () => 0.001 }, forward()),
  ],
  ["rate-bf16", "precision", "the learning rate is bfloat16", () => withScalars({ learningRate: bf16 }, forward())],
  [
    "no-rate",
    "range",
    "the rate is divided into the denominator: NaN at rate 0 where v is 0",
    () => withoutRate,
    {
      source: "pytorch/pytorch 97004, 186444",
    },
  ],
]);
