// Correct evaluations of AdamW: moments as products or lerp, bias corrections in five places, decay in three; coefficients as
// given, or computed from the betas.
import { dtypes } from "../reference/dtype.ts";
import { power } from "../reference/elementary.ts";
import type { AdamWScalars } from "../reference/ops/adamw.ts";
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic as F } from "./arithmetic.ts";

const { minNormal } = dtypes.float32;

/** beta · m + c · x. */
type Moment = (f: F, m: number, beta: number, c: number, x: number) => number;
/** learningRate times the direction, and the direction itself. */
type Step = (f: F, s: AdamWScalars, m: number, v: number) => { step: number; direction: number };
type Update = (f: F, s: AdamWScalars, w: number, direction: number, step: number) => number;

const root = (f: F, x: number): number => (x < minNormal ? 0 : f.sqrt(x));

const moments = {
  "two-products": {
    m: (f, m, beta, c, x) => f.multiplyAdd(beta, m, f.multiply(c, x)),
    v: (f, v, beta, c, g) => f.multiplyAdd(f.multiply(c, g), g, f.multiply(beta, v)),
  },
  lerp: {
    m: (f, m, _, c, x) => f.multiplyAdd(c, f.subtract(x, m), m),
    v: (f, v, _, c, g) => f.multiplyAdd(c, f.subtract(f.multiply(g, g), v), v),
  },
  "m-as-lerp": {
    m: (f, m, _, c, x) => f.multiplyAdd(c, f.subtract(x, m), m),
    v: (f, v, beta, c, g) => f.add(f.multiply(beta, v), f.multiply(c, f.multiply(g, g))),
  },
} satisfies Readonly<Record<string, { m: Moment; v: Moment }>>;

const steps = {
  "both-corrected": (f, s, m, v) => {
    const direction = f.divide(f.divide(m, s.correction1), f.add(root(f, f.divide(v, s.correction2)), s.eps));
    return { direction, step: f.multiply(s.learningRate, direction) };
  },
  // torch.optim.AdamW: step_size = lr / correction1, denominator = √v / √correction2 + eps
  "correction-in-step-size": (f, s, m, v) => {
    const quotient = f.divide(m, f.add(f.divide(root(f, v), f.sqrt(s.correction2)), s.eps));
    return {
      direction: f.divide(quotient, s.correction1),
      step: f.multiply(f.divide(s.learningRate, s.correction1), quotient),
    };
  },
  "by-reciprocals": (f, s, m, v) => {
    const denominator = f.add(f.multiply(root(f, v), f.inverseSqrt(s.correction2)), s.eps);
    const corrected = f.multiply(m, f.divide(1, s.correction1));
    return {
      direction: f.multiply(corrected, f.divide(1, denominator)),
      step: f.multiply(f.multiply(s.learningRate, corrected), f.divide(1, denominator)),
    };
  },
  // ggml: reciprocals of the corrections, one of them under the root
  "reciprocal-under-root": (f, s, m, v) => {
    const denominator = f.add(root(f, f.multiply(v, f.divide(1, s.correction2))), s.eps);
    const corrected = f.multiply(m, f.divide(1, s.correction1));
    return {
      direction: f.divide(corrected, denominator),
      step: f.divide(f.multiply(s.learningRate, corrected), denominator),
    };
  },
  // Kingma & Ba 2015, end of section 2
  folded: (f, s, m, v) => {
    const root2 = f.sqrt(s.correction2);
    const quotient = f.divide(m, f.add(root(f, v), f.multiply(s.eps, root2)));
    const factor = f.divide(root2, s.correction1);
    return {
      direction: f.multiply(factor, quotient),
      step: f.multiply(f.multiply(s.learningRate, factor), quotient),
    };
  },
} satisfies Readonly<Record<string, Step>>;

const updates = {
  "decay-first": (f, s, w, _, step) =>
    f.subtract(f.multiply(w, f.subtract(1, f.multiply(s.learningRate, s.weightDecay))), step),
  "decay-in-sum": (f, s, w, _, step) => f.sum([w, -step, -f.multiply(f.multiply(s.learningRate, s.weightDecay), w)]),
  "decay-in-direction": (f, s, w, direction) =>
    f.multiplyAdd(-s.learningRate, f.multiplyAdd(s.weightDecay, w, direction), w),
} satisfies Readonly<Record<string, Update>>;

type Coefficients = Pick<AdamWScalars, "beta1" | "beta2" | "oneMinusBeta1" | "oneMinusBeta2">;
type Corrections = Pick<AdamWScalars, "correction1" | "correction2">;

const rounded = ({ beta1, beta2 }: AdamWScalars) => ({ beta1: Math.fround(beta1), beta2: Math.fround(beta2) });

/** The factors of the moments. */
const coefficients = {
  "complement-given": (_, s) => ({ ...rounded(s), oneMinusBeta1: s.oneMinusBeta1, oneMinusBeta2: s.oneMinusBeta2 }),
  "complement-of-rounded": (f, s) => {
    const { beta1, beta2 } = rounded(s);
    return { beta1, beta2, oneMinusBeta1: f.subtract(1, beta1), oneMinusBeta2: f.subtract(1, beta2) };
  },
  // torch.optim.AdamW(fused=True): doubles, whose products are rounded
  "betas-in-double": (_, { beta1, beta2 }) => ({
    beta1,
    beta2,
    oneMinusBeta1: 1 - beta1,
    oneMinusBeta2: 1 - beta2,
  }),
} satisfies Readonly<Record<string, (f: F, s: AdamWScalars) => Coefficients>>;

/** Without a moving average, beta = 0, nothing is to be corrected. */
function forBoth(s: AdamWScalars, correctionOf: (beta: number, step: number) => number): Corrections {
  const of = (beta: number): number => (beta === 0 ? 1 : correctionOf(beta, s.step));
  return { correction1: of(s.beta1), correction2: of(s.beta2) };
}

const corrections = {
  "corrections-given": (_, s) => s,
  "corrections-in-double": (_, s) => forBoth(s, (beta, step) => 1 - power(beta, step)),
  // ggml: 1 − powf(beta, step)
  "corrections-by-pow": (f, s) => forBoth(s, (beta, step) => f.subtract(1, f.pow(Math.fround(beta), step))),
  "corrections-by-exp2": (f, s) =>
    forBoth(s, (beta, step) => f.subtract(1, f.exp2(f.multiply(step, f.log2(Math.fround(beta)))))),
  // TensorFlow: a variable that is multiplied by beta in every step
  "corrections-by-product": (f, s) =>
    forBoth(s, (beta, step) => f.subtract(1, runningProduct(f, Math.fround(beta), step))),
} satisfies Readonly<Record<string, (f: F, s: AdamWScalars) => Corrections>>;

/** betaᵗ, multiplied step by step until it is as good as 0. */
function runningProduct(f: F, beta: number, count: number): number {
  let product = beta;
  for (let t = 1; t < count && product >= minNormal; t++) product = f.multiply(product, beta);
  return product;
}

// Each combination of moments, steps and updates; the ways to the coefficients and corrections take turns. There are 15 of
// them, and 15 steps and updates, so each form of the moments meets them all.
const ways = entriesOf(corrections).flatMap(([correctionForm, correctionsOf]) =>
  entriesOf(coefficients).map(([form, coefficientsOf]) => ({
    covers: [form, correctionForm] as const,
    scalarsOf: (f: F, s: AdamWScalars): AdamWScalars => ({ ...s, ...coefficientsOf(f, s), ...correctionsOf(f, s) }),
  })),
);

export const forward = entriesOf(moments)
  .flatMap(([how, moment]) =>
    entriesOf(steps).flatMap(([where, stepOf]) =>
      entriesOf(updates).map(([when, update]) => ({ covers: [how, where, when] as const, moment, stepOf, update })),
    ),
  )
  .map(({ covers, moment, stepOf, update }, n): EvaluationOf<"adamw.forward"> => {
    // 4 and 15 have no common factor; the forms of the moments begin with different ways.
    const way = ways[(4 * n + 7 * Math.floor(n / ways.length)) % ways.length];
    return {
      op: "adamw.forward",
      covers: [...covers, ...way.covers],
      evaluate: (f, { w, g, m, v }, scalars) => {
        const given = scalars as unknown as AdamWScalars;
        const s = way.scalarsOf(f, given);
        const next = { w: output(w.shape), m: output(m.shape), v: output(v.shape) };
        for (let i = 0; i < w.data.length; i++) {
          const first = f.stored("m", moment.m(f, m.data[i], s.beta1, s.oneMinusBeta1, g.data[i]));
          const second = f.stored("v", moment.v(f, v.data[i], s.beta2, s.oneMinusBeta2, g.data[i]));
          const { step, direction } = stepOf(f, s, first, second);
          next.w.data[i] = update(f, s, w.data[i], f.stored("step", direction), f.stored("step", step));
          next.m.data[i] = first;
          next.v.data[i] = second;
        }
        return next;
      },
    };
  });
