// Cross-entropy over chunks of the vocabulary, the loss in two stages, the gradient in a second kernel.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, exp, f32, floats, fp16, log, scalar } from "../kernel.ts";
import { floorTo, once, outputs, warpSum } from "./shared.ts";

interface Forward {
  readonly ignored: (target: number, ignoreIndex: number, r: number) => boolean;
  readonly columns: (V: number) => number;
  readonly distance: (x: number, max: number) => number;
  readonly picked: (logit: number, target: number) => number;
  readonly rowLoss: (loss: number, lse: number, meanLogit: number) => number;
  readonly count: (n: number) => number;
  readonly add: (sum: number, loss: number) => number;
}

const byChunk: Forward = {
  ignored: (target, ignoreIndex) => target === ignoreIndex,
  columns: (V) => V,
  distance: (x, max) => f32(x - max),
  picked: (logit) => logit,
  rowLoss: (loss) => loss,
  count: (n) => n,
  add: (sum, loss) => f32(sum + loss),
};

export function forward(change: Partial<Forward> = {}): Kernel {
  const { ignored, columns, distance, picked, rowLoss, count, add } = { ...byChunk, ...change };
  const needsMean = change.rowLoss !== undefined;
  return (inputs, { ignoreIndex }) => {
    const { logits, targets } = floats(inputs);
    const [R, V] = logits.shape;
    const lse = empty([R]);
    let [sum, n] = [0, 0];
    for (let r = 0; r < R; r++) {
      const row = logits.data.subarray(r * V, r * V + columns(V));
      let max = -Infinity;
      for (let v = 0; v < row.length; v++) max = Math.max(max, row[v]);
      lse.data[r] = max + log(warpSum(row.length, (v) => exp(distance(row[v], max))));
      const target = targets.data[r];
      if (ignored(target, Number(ignoreIndex), r)) continue;
      n++;
      const logit = logits.data[r * V + Math.min(V - 1, Math.max(0, target))];
      const mean = needsMean ? warpSum(V, (v) => logits.data[r * V + v]) / V : 0;
      sum = add(sum, rowLoss(f32(lse.data[r] - picked(logit, target)), lse.data[r], mean));
    }
    return outputs({ loss: scalar(n > 0 ? sum / count(n) : 0), lse });
  };
}

export const crossEntropyForward = faultsOf("cross-entropy.forward", [
  [
    "second/ignored-in-first-block",
    "size",
    "ignored rows are recognised among the first 512 alone; later ones count, with the first class as their target",
    () => forward({ ignored: (t, ignore, r) => t === ignore && r < 512 }),
  ],
  [
    "second/smoothing-left-on",
    "formula",
    "a label smoothing of 0.001 is left on",
    () => forward({ rowLoss: (loss, lse, mean) => f32(0.999 * loss + 0.001 * (lse - mean)) }),
  ],
  [
    "second/z-loss-left-on",
    "formula",
    "10⁻⁴ · lse² is left in the loss",
    () => forward({ rowLoss: (loss, lse) => f32(loss + f32(1e-4 * f32(lse * lse))) }),
  ],
  [
    "second/vocabulary-by-eight",
    "size",
    "beyond a vocabulary of 3,000 the last V % 8 logits are not read",
    () => forward({ columns: (V) => (V > 3000 ? floorTo(V, 8) : V) }),
  ],
  [
    "second/target-in-first-chunk",
    "size",
    "the target's logit is found in the first 4,096 classes alone, and 0 beyond",
    () => forward({ picked: (logit, target) => (target >= 4096 ? 0 : logit) }),
  ],
  [
    "second/ignore-index-as-constant",
    "formula",
    "the target that is ignored is −100, whichever was given",
    () => forward({ ignored: (t) => t === -100 }),
  ],
  ["second/count-in-8-bits", "size", "the targets are counted in 8 bits", () => forward({ count: (n) => n & 0xff })],
  [
    "second/distance-in-bfloat16",
    "precision",
    "logit − maximum is kept in bfloat16",
    () => forward({ distance: (x, max) => bf16(x - max) }),
    bfloat16Cuda,
  ],
  [
    "second/losses-in-half",
    "precision",
    "the losses of the rows are added in float16",
    () => forward({ add: (sum, loss) => fp16(sum + loss) }),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/largest-left-out",
    "formula",
    "log1p of the other exponentials where they are below 10⁻⁴ of the largest: lse is the maximum alone",
    () => {
      const kernel = forward();
      return (inputs, scalars) => {
        const { logits } = floats(inputs);
        const [R, V] = logits.shape;
        const { loss, lse } = kernel(inputs, scalars);
        for (let r = 0; r < R; r++) {
          const max = logits.data.subarray(r * V, r * V + V).reduce((a, b) => Math.max(a, b), -Infinity);
          if (lse.data[r] - max < 1e-4) lse.data[r] = max;
        }
        return { loss, lse };
      };
    },
    { missed: "the one drawn row that is so confident has an lse of 128, whose rounding is as large; logits 10, 0, 0" },
  ],
]);

interface Backward {
  readonly dloss: (dloss: number) => number;
  readonly count: (n: number, R: number) => number;
  /** Whether an element of an ignored row is cleared. */
  readonly cleared: (v: number, V: number) => boolean;
  readonly hit: (v: number, target: number, V: number) => boolean;
  readonly p: (p: number) => number;
}

const inOnePass: Backward = {
  dloss: (d) => d,
  count: (n) => n,
  cleared: () => true,
  hit: (v, target) => v === target,
  p: (p) => p,
};

export function backward(change: Partial<Backward> = {}): Kernel {
  const { dloss, count, cleared, hit, p } = { ...inOnePass, ...change };
  return (inputs, { ignoreIndex }) => {
    const { dloss: d, logits, targets, lse } = floats(inputs);
    const [R, V] = logits.shape;
    const n = count(targets.data.filter((target) => target !== Number(ignoreIndex)).length, R);
    const factor = f32(dloss(d.data[0]) / n);
    const dlogits = empty([R, V]);
    for (let r = 0; r < R; r++) {
      const target = targets.data[r];
      const ignored = target === Number(ignoreIndex);
      for (let v = 0; v < V; v++) {
        if (ignored && cleared(v, V)) continue;
        dlogits.data[r * V + v] =
          factor * f32(p(exp(f32(logits.data[r * V + v] - lse.data[r]))) - (hit(v, target, V) ? 1 : 0));
      }
    }
    return outputs({ dlogits });
  };
}

function countOfFirstCall(): Kernel {
  const kept = once<number>();
  return backward({ count: (n, R) => kept(`${R}`, () => n) });
}

export const crossEntropyBackward = faultsOf("cross-entropy.backward", [
  [
    "second/dloss-near-one",
    "formula",
    "the gradient of the loss is not multiplied in where it lies within 1 % of 1",
    () => backward({ dloss: (d) => (Math.abs(d - 1) < 0.01 ? 1 : d) }),
    { missed: "no drawn dloss is as near to 1" },
  ],
  [
    "second/count-of-first-call",
    "state",
    "the targets are counted at the first call of a number of rows",
    countOfFirstCall,
  ],
  [
    "second/ignored-row-tail",
    "tail",
    "ignored rows are cleared by 1,024: beyond, the last V % 1,024 classes keep a gradient",
    () => backward({ cleared: (v, V) => V <= 1024 || v < floorTo(V, 1024) }),
  ],
  [
    "second/one-in-every-chunk",
    "size",
    "the one is subtracted at the target's place in every chunk of 4,096 classes",
    () => backward({ hit: (v, target) => v % 4096 === target % 4096 }),
  ],
  [
    "second/small-gradients-dropped",
    "formula",
    "probabilities below 10⁻⁵ have no gradient",
    () => backward({ p: (x) => (x < 1e-5 ? 0 : x) }),
  ],
  [
    "second/probability-in-bfloat16",
    "precision",
    "p is rounded to bfloat16 before the one is subtracted",
    () => backward({ p: bf16 }),
    bfloat16Cuda,
  ],
  [
    "second/probability-capped",
    "range",
    "p is clipped at 1 − 10⁻⁴, so that its logarithm is not 0",
    () => backward({ p: (x) => (x > 0.9999 ? f32(0.9999) : x) }),
  ],
]);
