// AdamW over chunks of tensors, the corrections on the host.
import { faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, fp16, spoiling, withScalars } from "../kernel.ts";
import { floorTo, outputs } from "./shared.ts";

interface Steps {
  readonly g: (g: number, i: number, N: number, all: Float32Array) => number;
  readonly m: (m: number, N: number) => number;
  readonly v: (v: number, N: number, old: number) => number;
  readonly square: (g: number) => number;
  /** The v of the denominator. */
  readonly below: (v: number, old: number) => number;
  readonly decayed: (w: number, lr: number, direction: number, decay: number) => number;
}

const decoupled: Steps = {
  g: (g) => g,
  m: (m) => m,
  v: (v) => v,
  square: (g) => f32(g * g),
  below: (v) => v,
  decayed: (w, lr, direction, decay) => f32(w - f32(lr * f32(direction + f32(decay * w)))),
};

export function adamw(change: Partial<Steps> = {}): Kernel {
  const steps = { ...decoupled, ...change };
  return (inputs, scalars) => {
    const { w, g, m, v } = floats(inputs);
    const s = Object.fromEntries(Object.entries(scalars).map(([name, x]) => [name, f32(Number(x))]));
    const next = { w: empty(w.shape), m: empty(w.shape), v: empty(w.shape) };
    const N = w.data.length;
    for (let i = 0; i < N; i++) {
      const gradient = steps.g(g.data[i], i, N, g.data);
      const first = f32(f32(s.beta1 * m.data[i]) + f32(s.oneMinusBeta1 * gradient));
      const second = f32(f32(s.beta2 * v.data[i]) + f32(s.oneMinusBeta2 * steps.square(gradient)));
      const root = f32(Math.sqrt(f32(steps.below(second, v.data[i]) / s.correction2)));
      const direction = f32(f32(first / s.correction1) / f32(root + s.eps));
      next.w.data[i] = steps.decayed(w.data[i], s.learningRate, direction, s.weightDecay);
      next.m.data[i] = steps.m(first, N);
      next.v.data[i] = steps.v(second, N, v.data[i]);
    }
    return outputs(next);
  };
}

/** beta^step from a running product. */
function powerOf(beta: number, step: number): number {
  let [result, base] = [1, beta];
  for (let n = step; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result *= base;
    base *= base;
  }
  return result;
}

function secondCorrectionLate(): Kernel {
  return (inputs, scalars) => {
    const correction2 = f32(1 - powerOf(Number(scalars.beta2), Number(scalars.step) + 1));
    return adamw()(inputs, { ...scalars, correction2 });
  };
}

function ownCounter(): Kernel {
  let step = 0;
  return (inputs, scalars) => {
    step++;
    const correction = (name: string): number => f32(1 - powerOf(Number(scalars[name]), step));
    return adamw()(inputs, { ...scalars, correction1: correction("beta1"), correction2: correction("beta2") });
  };
}

function rateOfFirstCall(): Kernel {
  let rate: number | undefined;
  return withScalars({ learningRate: (x) => (rate ??= x) }, adamw());
}

const CHUNK = 65536;

export const adamwForward = faultsOf("adamw.forward", [
  ["second/second-correction-late", "formula", "v's correction is that of the next step", secondCorrectionLate],
  ["second/coupled-from-one", "formula", "decay is coupled, a term of g, for weights beyond 1", coupledFromOne],
  [
    "second/decay-after",
    "formula",
    "the decay is taken of the weight that was already moved",
    () =>
      adamw({
        decayed: (w, lr, direction, decay) => {
          const moved = f32(w - f32(lr * direction));
          return f32(moved - f32(lr * f32(decay * moved)));
        },
      }),
  ],
  [
    "second/v-in-8-bits-from-4096",
    "size",
    "from 4,096 numbers v is kept in eight bits",
    () => adamw({ v: (v, N) => (N >= 4096 ? bf16(v) : v) }),
  ],
  [
    "second/last-chunk",
    "size",
    "chunks of 65,536: the last, partial one reads g of the first",
    () => adamw({ g: (g, i, N, all) => (N > CHUNK && i >= floorTo(N, CHUNK) ? all[i % CHUNK] : g) }),
  ],
  [
    "second/nan-skipped",
    "range",
    "a gradient that is not finite leaves m, v and w as they were",
    () =>
      spoiling(adamw(), (next, inputs) => {
        const { g } = floats(inputs);
        for (const name of ["w", "m", "v"])
          for (let i = 0; i < g.data.length; i++)
            if (!Number.isFinite(g.data[i])) next[name].data[i] = floats(inputs)[name].data[i];
      }),
    { target: "cuda" },
  ],
  ["second/own-counter", "state", "steps are counted by calls, whatever step is given", ownCounter],
  ["second/rate-of-first-call", "state", "the learning rate is captured at the first call", rateOfFirstCall],
  [
    "second/amsgrad-left-on",
    "formula",
    "the denominator takes the larger of the old and the new v",
    () => adamw({ below: (v, old) => Math.max(v, old) }),
  ],
  [
    "second/square-in-half",
    "range",
    "g² is formed in float16: 0 below 1.7 · 10⁻⁴",
    () => adamw({ square: (g) => fp16(g * g) }),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/tail-of-eight",
    "tail",
    "by eight, beyond 3,000: the last N % 8 weights are not moved, their moments are",
    () =>
      spoiling(adamw(), ({ w }, inputs) => {
        const N = w.data.length;
        if (N > 3000) w.data.set(floats(inputs).w.data.subarray(floorTo(N, 8)), floorTo(N, 8));
      }),
  ],
  [
    "second/decay-by-mask",
    "size",
    "no decay in the last 4,096 numbers of 16,384 or more, taken for gains",
    noDecayAtTheEnd,
  ],
]);

function coupledFromOne(): Kernel {
  return (inputs, scalars) => {
    const { w } = floats(inputs);
    const decay = f32(Number(scalars.weightDecay));
    return adamw({
      g: (g, i) => (Math.abs(w.data[i]) > 1 ? f32(g + f32(decay * w.data[i])) : g),
      decayed: (x, lr, direction, d) => f32(x - f32(lr * (Math.abs(x) > 1 ? direction : f32(direction + f32(d * x))))),
    })(inputs, scalars);
  };
}

function noDecayAtTheEnd(): Kernel {
  const [kernel, undecayed] = [adamw(), withScalars({ weightDecay: () => 0 }, adamw())];
  return (inputs, scalars) => {
    const next = kernel(inputs, scalars) as Record<string, { data: Float32Array }>;
    const N = next.w.data.length;
    const free = undecayed(inputs, scalars).w.data;
    if (N >= 16384) next.w.data.set(free.subarray(N - 4096), N - 4096);
    return next as ReturnType<Kernel>;
  };
}
