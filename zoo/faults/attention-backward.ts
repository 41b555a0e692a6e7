// Attention's backward, right until a step is replaced, and its faults.
import type { Place } from "./attention-forward.ts";
import { bfloat16Cuda, faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, exp, f32, floats, type Floats32, fp16, keeping, LOG2E, sum, tf32, writing } from "./kernel.ts";

/** What a mask multiplies by. */
const NOTHING = 0;

/** Where a head's row of a query lies. */
interface At extends Place {
  readonly b: number;
  readonly t: number;
  readonly h: number;
  readonly group: number;
}

const right = {
  weight: (s: number, lse: number): number => exp(f32(s - lse)),
  /** The weight where a query sees nothing of a key. */
  unseen: (_s: number, _lse: number): number => 0,
  /** Numbers of dy as dv reads them. */
  dy: (dy: Floats32, { b, t, h, T, NH, HS }: At, d: number): number => dy.data[((b * T + t) * NH + h) * HS + d],
  product: (dy: number, v: number): number => f32(dy * v),
  dp: (x: number): number => x,
  y: (y: number): number => y,
  /** The query whose D is read. */
  rowOfD: ({ b, t, h, T, NH }: At): number => (b * T + t) * NH + h,
  ds: (p: number, dp: number, D: number): number => f32(p * f32(dp - D)),
  dq: (x: number): number => x,
  dk: (x: number, _at: At): number => x,
  /** Whether a query and a key count in dk, in dv. */
  countsInDk: (_s: number, _at: At): boolean => true,
  countsInDv: (_s: number, _at: At): boolean => true,
  weightInDv: (p: number): number => p,
  /** Whether dv adds what the earlier heads of the group gave. */
  adds: true as boolean,
};

/** dv = Pᵀ dy, dS = P ∘ (dy vᵀ − D), dq = dS k · scale, dk = dSᵀ q · scale. */
export function backward(replaced: Partial<typeof right> = {}): Kernel {
  const step = { ...right, ...replaced };
  return (inputs) => {
    const { dy, q, k, v, y, lse } = floats(inputs);
    const [B, T, NH, HS] = q.shape;
    const [, S, NKV] = k.shape;
    const [dq, dk, dv] = [empty(q.shape), empty(k.shape), empty(k.shape)];
    const scale = f32(1 / Math.sqrt(HS));
    const D = Float32Array.from({ length: B * T * NH }, (_, row) =>
      sum(HS, (d) => f32(dy.data[row * HS + d] * step.y(y.data[row * HS + d]))),
    );
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < NH; h++) {
        const g = Math.floor((h * NKV) / NH);
        const [sumK, sumV] = [new Float32Array(S * HS), new Float32Array(S * HS)];
        let at: At | undefined;
        for (let t = 0; t < T; t++) {
          at = { b, t, h, T, S, NH, NKV, HS, group: NH / NKV };
          const here = ((b * T + t) * NH + h) * HS;
          const d = D[step.rowOfD(at)];
          const L = lse.data[(b * NH + h) * T + t];
          const own = new Float32Array(HS);
          for (let s = 0; s < S; s++) {
            const there = ((b * S + s) * NKV + g) * HS;
            const isSeen = s <= t + S - T;
            const score = f32(scale * sum(HS, (i) => f32(q.data[here + i] * k.data[there + i])));
            const p = isSeen ? step.weight(score, L) : step.unseen(score, L);
            if (p === 0) continue;
            const dp = step.dp(sum(HS, (i) => step.product(dy.data[here + i], v.data[there + i])));
            const ds = isSeen ? step.ds(p, dp, d) : f32(p * NOTHING);
            const share = step.weightInDv(p);
            const [inDk, inDv] = [step.countsInDk(s, at), step.countsInDv(s, at)];
            for (let i = 0; i < HS; i++) {
              own[i] += f32(ds * k.data[there + i]);
              if (inDk) sumK[s * HS + i] += f32(ds * q.data[here + i]);
              if (inDv) sumV[s * HS + i] += f32(share * step.dy(dy, at, i));
            }
          }
          for (let i = 0; i < HS; i++) dq.data[here + i] = step.dq(f32(own[i] * scale));
        }
        if (at === undefined) continue;
        for (let s = 0; s < S; s++) {
          for (let i = 0; i < HS; i++) {
            const there = ((b * S + s) * NKV + g) * HS + i;
            dk.data[there] += step.dk(f32(sumK[s * HS + i] * scale), at);
            dv.data[there] = f32((step.adds ? dv.data[there] : 0) + sumV[s * HS + i]);
          }
        }
      }
    }
    return { dq, dk, dv };
  };
}

export const attentionBackward = faultsOf("attention.backward", [
  [
    "dv-strided-dy",
    "index",
    "dv reads dy as if it were [B, NH, T, HS] in memory",
    () => backward({ dy: (dy, { b, t, h, T, NH, HS }, d) => dy.data[((b * NH + h) * T + t) * HS + d] }),
  ],
  [
    "group-overwrites",
    "formula",
    "dv of a key head is that of the last query head of its group",
    () => backward({ adds: false }),
    {
      source: "marin-community/levanter 449",
    },
  ],
  [
    "lse-base2",
    "formula",
    "the weights are 2^(s − lse)",
    () => backward({ weight: (s, lse) => f32(2 ** f32(s - lse)) }),
  ],
  [
    "dk-without-scale",
    "formula",
    "the scale is missing in dk alone",
    () => backward({ dk: (x, { HS }) => f32(x / f32(1 / Math.sqrt(HS))) }),
    { source: "BUGS 12" },
  ],
  ["no-d", "formula", "D is left out", () => backward({ ds: (p, dp) => f32(p * dp) })],
  ["d-from-bf16", "precision", "D is summed from y rounded to bfloat16", () => backward({ y: bf16 })],
  [
    "p-bf16-in-dv",
    "precision",
    "the weights are rounded to bfloat16 for dv alone, undeclared",
    () => backward({ weightInDv: bf16 }),
  ],
  [
    "query-65",
    "tail",
    "the last query is lost to dk when T % 64 = 1",
    () => backward({ countsInDk: (_, { t, T }) => !(T % 64 === 1 && T > 1 && t === T - 1) }),
  ],
  [
    "dv-keeps",
    "state",
    "dv is never cleared: a call adds to the last one's of the same shape",
    () => keeping("dv", backward()),
  ],
  ["ds-fp16", "precision", "dS passes through float16", () => backward({ ds: (p, dp, D) => fp16(right.ds(p, dp, D)) })],
  [
    "prefix-gets-nothing",
    "mask",
    "keys before the first query's position get no dk",
    () => backward({ countsInDk: (s, { T, S }) => s >= S - T }),
  ],
  [
    "causal-skip-square",
    "mask",
    "a tile of 16 keys begins with the query of its own number, as if T were S",
    () => backward({ countsInDv: (s, { t }) => t >= s - (s % 16) }),
  ],
  [
    "masked-row-nan",
    "mask",
    "a query that sees no key gives NaN, from e^(s + ∞) times 0",
    () => backward({ unseen: (s, lse) => f32(exp(f32(s - lse)) * NOTHING) }),
    { source: "tracel-ai/burn 4697; iree-org/iree 24175", convention: true },
  ],
  [
    "group-mean",
    "formula",
    "dk is the mean over the group's heads",
    () => backward({ dk: (x, { group }) => f32(x / group) }),
  ],
  [
    "log2e-left-in-dq",
    "formula",
    "log₂ e, folded into the scale, is not taken back in dq",
    () => writing({ dq: (x) => x * LOG2E }, backward()),
  ],
  [
    "d-transposed",
    "index",
    "D is stored as [T, NH] and read as [NH, T]",
    () => backward({ rowOfD: ({ b, t, h, T, NH }) => b * T * NH + h * T + t }),
  ],
  [
    "dp-tf32",
    "precision",
    "dP is a product of TF32 numbers, undeclared",
    () => backward({ product: (dy, v) => f32(tf32(dy) * tf32(v)) }),
  ],
  [
    "dk-scale-last-bits",
    "precision",
    "dk is 0.01 % too large",
    () => writing({ dk: (x) => x * f32(1.0001) }, backward()),
  ],
  [
    "p-and-ds-undeclared",
    "precision",
    "P and dS are rounded to bfloat16, undeclared",
    () => backward({ weightInDv: bf16, ds: (p, dp, D) => bf16(right.ds(p, dp, D)) }),
    bfloat16Cuda,
  ],
  ["dp-undeclared", "precision", "dP is rounded to bfloat16, undeclared", () => backward({ dp: bf16 }), bfloat16Cuda],
  [
    "dq-factor",
    "precision",
    "dq is 3 % too large",
    () => writing({ dq: (x) => x * f32(1.03) }, backward()),
    bfloat16Cuda,
  ],
]);
