// The backward of attention: for each query its D and P from the saved lse, dq in registers, dk and dv by additions.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, dot, empty, exp, f32, floats, fp16, spoiling } from "../kernel.ts";
import { type Sizes, sizesOf } from "./attention.ts";
import { floorTo, leftover, outputs } from "./shared.ts";

interface Steps {
  readonly seen: (t: number, sizes: Sizes) => number;
  /** Keys whose dv takes part, one more or less than those seen. */
  readonly seenByValues: (t: number, sizes: Sizes) => number;
  readonly headOfD: (h: number, sizes: Sizes) => number;
  readonly rowOfD: (t: number, sizes: Sizes) => number;
  readonly d: (d: number) => number;
  readonly row: (b: number, h: number, t: number, sizes: Sizes) => number;
  /** What dS, with the scale, is kept in. */
  readonly slope: (ds: number) => number;
  readonly scaleOfQueries: (sizes: Sizes) => number;
  /** Whether a query adds to dk and dv. */
  readonly adds: (t: number, h: number, sizes: Sizes) => boolean;
  readonly weight: (p: number) => number;
}

const same = (x: number): number => x;
const seen = (t: number, { T, S }: Sizes): number => Math.max(0, t + 1 + S - T);
const right: Steps = {
  seen,
  seenByValues: seen,
  headOfD: (h) => h,
  rowOfD: (t) => t,
  d: same,
  row: (b, h, t, { NH, T }) => (b * NH + h) * T + t,
  slope: same,
  scaleOfQueries: () => 1,
  adds: () => true,
  weight: same,
};

export function backward(change: Partial<Steps> = {}): Kernel {
  const steps = { ...right, ...change };
  const onlyD = change.seenByValues === undefined;
  return (inputs) => {
    const { dy, q, k, v, y, lse } = floats(inputs);
    const sizes = sizesOf(q, k);
    const { B, T, S, NH, NKV, HS } = sizes;
    const scale = f32(1 / f32(Math.sqrt(HS)));
    const [dq, dk, dv] = [empty(q.shape), empty(k.shape), empty(v.shape)];
    const vector = (data: Float32Array, at: number): Float32Array => data.subarray(at, at + HS);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        for (let h = 0; h < NH; h++) {
          const at = ((b * T + t) * NH + h) * HS;
          const atD = ((b * T + steps.rowOfD(t, sizes)) * NH + steps.headOfD(h, sizes)) * HS;
          const D = steps.d(dot(vector(dy.data, atD), vector(y.data, atD)));
          const [query, gradient] = [vector(q.data, at), vector(dy.data, at)];
          const group = Math.floor((h * NKV) / NH);
          const keys = steps.seen(t, sizes);
          const values = onlyD ? keys : Math.min(S, steps.seenByValues(t, sizes));
          for (let j = 0; j < Math.max(keys, values); j++) {
            const atKey = ((b * S + j) * NKV + group) * HS;
            const p = steps.weight(
              exp(f32(f32(dot(query, vector(k.data, atKey)) * scale) - lse.data[steps.row(b, h, t, sizes)])),
            );
            if (j < values && steps.adds(t, h, sizes))
              for (let i = 0; i < HS; i++) dv.data[atKey + i] += f32(p * gradient[i]);
            if (j >= keys) continue;
            const ds = steps.slope(f32(f32(p * f32(dot(gradient, vector(v.data, atKey)) - D)) * scale));
            const ofQuery = f32(ds * steps.scaleOfQueries(sizes));
            for (let i = 0; i < HS; i++) dq.data[at + i] += f32(ofQuery * k.data[atKey + i]);
            if (steps.adds(t, h, sizes)) for (let i = 0; i < HS; i++) dk.data[atKey + i] += f32(ds * query[i]);
          }
        }
      }
    }
    return outputs({ dq, dk, dv });
  };
}

function uncleared(): Kernel {
  const add = leftover();
  return spoiling(backward(), ({ dq }) => {
    if (dq.shape[1] >= 64) add(dq);
  });
}

/** To zero below the least normal number of float16. */
const flushed = (x: number): number => (Math.abs(x) < 0.00006103515625 ? 0 : fp16(x));

export const attentionBackward = faultsOf("attention.backward", [
  [
    "second/d-of-the-group",
    "index",
    "grouped queries: D is that of the first query head of the group",
    () => backward({ headOfD: (h, { NH, NKV }) => h - (h % (NH / NKV)) }),
  ],
  [
    "second/d-of-the-row-before",
    "size",
    "beyond T = 128 the first query of each later block of 128 takes the D of the one before",
    () => backward({ rowOfD: (t) => (t > 0 && t % 128 === 0 ? t - 1 : t) }),
  ],
  [
    "second/four-heads-a-group",
    "size",
    "groups of more than four query heads: the later ones do not reach dk and dv",
    () => backward({ adds: (_, h, { NH, NKV }) => h % (NH / NKV) < 4 }),
  ],
  [
    "second/scaled-twice",
    "size",
    "from head size 192 dq is scaled twice",
    () => backward({ scaleOfQueries: ({ HS }) => (HS >= 192 ? f32(1 / Math.sqrt(HS)) : 1) }),
  ],
  [
    "second/last-tile-of-queries",
    "size",
    "beyond T = 256 the queries of a last, partial tile of 64 do not reach dk and dv",
    () => backward({ adds: (t, _, { T }) => !(T > 256 && t >= floorTo(T, 64)) }),
  ],
  ["second/dq-uncleared", "state", "from T = 64 dq is added to that of the last call of the same shape", uncleared],
  ["second/d-in-bfloat16", "precision", "D is kept in bfloat16", () => backward({ d: bf16 }), bfloat16Cuda],
  [
    "second/slopes-flushed",
    "range",
    "dS times the scale is kept in float16, and what is not normal there becomes 0",
    () => backward({ slope: flushed }),
    { dtype: "float16", target: "cuda", stores: { dS_scaled: "float16" } },
  ],
  [
    "second/lse-without-batch",
    "index",
    "lse is read at head and query alone: every batch element reads that of the first",
    () => backward({ row: (_, h, t, { T }) => h * T + t }),
  ],
  [
    "second/values-one-too-many",
    "mask",
    "dv: the last query of each tile of 128 adds to one key beyond those it sees",
    () => backward({ seenByValues: (t, s) => seen(t, s) + (t % 128 === 127 ? 1 : 0) }),
  ],
  [
    "second/top-left-mask",
    "mask",
    "from S − T = 385 queries align to the first keys",
    () => backward({ seen: (t, s) => (s.S - s.T > 384 ? Math.min(t + 1, s.S) : seen(t, s)) }),
  ],
  [
    "second/weights-truncated",
    "precision",
    "weights below 10⁻⁴ are taken as 0, as in a sparse backward",
    () => backward({ weight: (p) => (p < 1e-4 ? 0 : p) }),
  ],
]);
