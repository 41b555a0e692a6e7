// Correct evaluations of AdamW: moments as products or lerp, bias corrections in four places, decay in three.
import { dtypes } from "../reference/dtype.ts";
import type { AdamWScalars } from "../reference/ops/adamw.ts";
import { type Evaluation, output } from "./evaluation.ts";
import type { Float32Arithmetic as F } from "./arithmetic.ts";

const { minNormal } = dtypes.float32;

/** beta · m + c · x. */
type Moment = (f: F, m: number, beta: number, c: number, x: number) => number;
/** learningRate times the direction, and the direction alone. */
type Step = (f: F, s: AdamWScalars, m: number, v: number) => { step: number; direction: number };
type Update = (f: F, s: AdamWScalars, w: number, direction: number, step: number) => number;

const root = (f: F, x: number): number => (x < minNormal ? 0 : f.sqrt(x));

const moments: Readonly<Record<string, { m: Moment; v: Moment }>> = {
  "two products": {
    m: (f, m, beta, c, x) => f.multiplyAdd(beta, m, f.multiply(c, x)),
    v: (f, v, beta, c, g) => f.multiplyAdd(f.multiply(c, g), g, f.multiply(beta, v)),
  },
  lerp: {
    m: (f, m, _, c, x) => f.multiplyAdd(c, f.subtract(x, m), m),
    v: (f, v, _, c, g) => f.multiplyAdd(c, f.subtract(f.multiply(g, g), v), v),
  },
  "m as lerp": {
    m: (f, m, _, c, x) => f.multiplyAdd(c, f.subtract(x, m), m),
    v: (f, v, beta, c, g) => f.add(f.multiply(beta, v), f.multiply(c, f.multiply(g, g))),
  },
};

const steps: Readonly<Record<string, Step>> = {
  "both moments corrected": (f, s, m, v) => {
    const direction = f.divide(f.divide(m, s.correction1), f.add(root(f, f.divide(v, s.correction2)), s.eps));
    return { direction, step: f.multiply(s.learningRate, direction) };
  },
  // torch.optim.AdamW: step_size = lr / correction1, denominator = √v / √correction2 + eps
  "m's correction in the step size": (f, s, m, v) => {
    const quotient = f.divide(m, f.add(f.divide(root(f, v), f.sqrt(s.correction2)), s.eps));
    return {
      direction: f.divide(quotient, s.correction1),
      step: f.multiply(f.divide(s.learningRate, s.correction1), quotient),
    };
  },
  reciprocals: (f, s, m, v) => {
    const denominator = f.add(f.multiply(root(f, v), f.inverseSqrt(s.correction2)), s.eps);
    const corrected = f.multiply(m, f.divide(1, s.correction1));
    return {
      direction: f.multiply(corrected, f.divide(1, denominator)),
      step: f.multiply(f.multiply(s.learningRate, corrected), f.divide(1, denominator)),
    };
  },
  // Kingma & Ba 2015, end of section 2
  "folded into the step size and eps": (f, s, m, v) => {
    const root2 = f.sqrt(s.correction2);
    const quotient = f.divide(m, f.add(root(f, v), f.multiply(s.eps, root2)));
    const factor = f.divide(root2, s.correction1);
    return {
      direction: f.multiply(factor, quotient),
      step: f.multiply(f.multiply(s.learningRate, factor), quotient),
    };
  },
};

const updates: Readonly<Record<string, Update>> = {
  "decay first": (f, s, w, _, step) =>
    f.subtract(f.multiply(w, f.subtract(1, f.multiply(s.learningRate, s.weightDecay))), step),
  "decay in the sum": (f, s, w, _, step) =>
    f.sum([w, -step, -f.multiply(f.multiply(s.learningRate, s.weightDecay), w)]),
  "decay in the direction": (f, s, w, direction) =>
    f.multiplyAdd(-s.learningRate, f.multiplyAdd(s.weightDecay, w, direction), w),
};

export const adamw: readonly Evaluation[] = Object.entries(moments).flatMap(([how, moment]) =>
  Object.entries(steps).flatMap(([where, stepOf]) =>
    Object.entries(updates).map(([when, update]): Evaluation => ({
      op: "adamw.forward",
      variant: `${how}, ${where}, ${when}`,
      evaluate: (f, { w, g, m, v }, scalars) => {
        const s = scalars as unknown as AdamWScalars;
        const next = { w: output(w.shape), m: output(m.shape), v: output(v.shape) };
        for (let i = 0; i < w.data.length; i++) {
          const first = moment.m(f, m.data[i], s.beta1, s.oneMinusBeta1, g.data[i]);
          const second = moment.v(f, v.data[i], s.beta2, s.oneMinusBeta2, g.data[i]);
          const { step, direction } = stepOf(f, s, first, second);
          next.w.data[i] = update(f, s, w.data[i], direction, step);
          next.m.data[i] = first;
          next.v.data[i] = second;
        }
        return next;
      },
    })),
  ),
);
