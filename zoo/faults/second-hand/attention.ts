// Attention as kernels that read keys in tiles of 64 with a running maximum, and split long ones over workers.
import { largest } from "../../../reference/lists.ts";
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, dot, empty, exp, f32, floats, fp16, log, spoiling } from "../kernel.ts";
import { floorTo, outputs } from "./shared.ts";

export interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly S: number;
  readonly NH: number;
  readonly NKV: number;
  readonly HS: number;
}

interface Steps {
  readonly scale: (sizes: Sizes) => number;
  readonly score: (s: number) => number;
  readonly head: (h: number, sizes: Sizes) => number;
  /** The first and the last key that a query sees. */
  readonly from: (t: number, sizes: Sizes) => number;
  readonly to: (t: number, sizes: Sizes) => number;
  readonly weight: (p: number, t: number, j: number, sizes: Sizes) => number;
  /** Where the keys of batch element b begin, in numbers. */
  readonly batch: (b: number, sizes: Sizes) => number;
  /** The running output and the running sum, as they are kept. */
  readonly keep: (x: number) => number;
  readonly keepSum: (x: number) => number;
  /** Whether a tile is left out, given its maximum and the running one. */
  readonly skip: (tileMax: number, max: number) => boolean;
  /** The factor that merges the second half of the keys with the first, from both log-sum-exps; undefined where one worker does all. */
  readonly merge: ((first: number, second: number) => readonly [number, number, number]) | undefined;
  readonly splits: (sizes: Sizes) => boolean;
}

const same = (x: number): number => x;
const seen = (t: number, { T, S }: Sizes): number => Math.max(0, t + 1 + S - T);
const right: Steps = {
  scale: ({ HS }) => f32(1 / f32(Math.sqrt(HS))),
  score: same,
  head: (h, { NH, NKV }) => Math.floor((h * NKV) / NH),
  from: () => 0,
  to: seen,
  weight: same,
  batch: (b, { S, NKV, HS }) => b * S * NKV * HS,
  keep: same,
  keepSum: f32,
  skip: () => false,
  merge: undefined,
  splits: () => false,
};

const TILE = 64;

export function sizesOf(q: { readonly shape: readonly number[] }, k: { readonly shape: readonly number[] }): Sizes {
  const [[B, T, NH, HS], [, S, NKV]] = [q.shape, k.shape];
  return { B, T, S, NH, NKV, HS };
}

export function forward(change: Partial<Steps> = {}): Kernel {
  const steps = { ...right, ...change };
  return (inputs) => {
    const { q, k, v } = floats(inputs);
    const sizes = sizesOf(q, k);
    const { B, T, NH, NKV, HS } = sizes;
    const [y, lse] = [empty(q.shape), empty([B, NH, T])];
    const scale = steps.scale(sizes);
    const scores = new Float32Array(TILE);
    /** One worker: keys [from, to) of a query → the log-sum-exp; out is the normalised output. */
    const work = (query: Float32Array, at: number, t: number, from: number, to: number, out: Float32Array): number => {
      let [max, sum] = [-Infinity, 0];
      out.fill(0);
      for (let tile = from; tile < to; tile += TILE) {
        const n = Math.min(TILE, to - tile);
        let tileMax = -Infinity;
        for (let j = 0; j < n; j++) {
          const key = at + (tile + j) * NKV * HS;
          scores[j] = steps.score(f32(dot(query, k.data.subarray(key, key + HS)) * scale));
          tileMax = Math.max(tileMax, scores[j]);
        }
        if (steps.skip(tileMax, max)) continue;
        const top = Math.max(max, tileMax);
        const factor = max === -Infinity ? 0 : exp(f32(max - top));
        sum = steps.keepSum(sum * factor);
        for (let i = 0; i < HS; i++) out[i] = steps.keep(f32(out[i] * factor));
        for (let j = 0; j < n; j++) {
          const p = steps.weight(exp(f32(scores[j] - top)), t, tile + j, sizes);
          const value = at + (tile + j) * NKV * HS;
          sum = steps.keepSum(sum + p);
          for (let i = 0; i < HS; i++) out[i] += f32(p * v.data[value + i]);
        }
        max = top;
      }
      for (let i = 0; i < HS; i++) out[i] = sum === 0 ? 0 : f32(out[i] / sum);
      return sum === 0 ? -Infinity : f32(max + log(sum));
    };
    const [first, second] = [new Float32Array(HS), new Float32Array(HS)];
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        for (let h = 0; h < NH; h++) {
          const atQuery = ((b * T + t) * NH + h) * HS;
          const query = q.data.subarray(atQuery, atQuery + HS);
          const at = steps.batch(b, sizes) + steps.head(h, sizes) * HS;
          const [from, to] = [steps.from(t, sizes), steps.to(t, sizes)];
          const half = floorTo((from + to) >> 1, TILE);
          const row = (b * NH + h) * T + t;
          if (steps.merge === undefined || !steps.splits(sizes) || half <= from) {
            lse.data[row] = work(query, at, t, from, to, first);
            y.data.set(first, atQuery);
            continue;
          }
          const parts = [work(query, at, t, from, half, first), work(query, at, t, half, to, second)];
          const [a, c, whole] = steps.merge(parts[0], parts[1]);
          for (let i = 0; i < HS; i++) y.data[atQuery + i] = f32(a * first[i]) + f32(c * second[i]);
          lse.data[row] = whole;
        }
      }
    }
    return outputs({ y, lse });
  };
}

/** The weights of two parts by their log-sum-exps, and the whole's. */
export function merged(a: number, b: number): readonly [number, number, number] {
  const top = Math.max(a, b);
  const [left, rightPart] = [exp(f32(a - top)), exp(f32(b - top))];
  const sum = f32(left + rightPart);
  return [f32(left / sum), f32(rightPart / sum), f32(top + log(sum))];
}

function planOfFirstCall(): Kernel {
  const plans = new Map<string, number>();
  return (inputs, scalars) => {
    const { T, S, HS } = sizesOf(inputs.q, inputs.k);
    const key = `${T} ${HS}`;
    const tiles = plans.get(key) ?? Math.ceil(S / TILE);
    plans.set(key, tiles);
    return forward({ from: (t, sizes) => Math.max(0, seen(t, sizes) - tiles * TILE) })(inputs, scalars);
  };
}

function headsIn8Bits(): Kernel {
  return spoiling(forward(), ({ y }) => {
    const [B, T, NH, HS] = y.shape;
    for (let i = 0; i < B * T * NH; i++) {
      const [h, b] = [i % NH, Math.floor(i / NH / T)];
      if (b * NH + h >= 256) y.data.fill(0, i * HS, i * HS + HS);
    }
  });
}

const paddedTo32 = (HS: number): number => (HS > 64 && HS % 64 !== 0 ? Math.ceil(HS / 64) * 64 : HS);

/** A number in [0, 1) from a counter, as a dropout kernel draws it. */
const drawn = (n: number): number => ((Math.imul((n + 977) ^ (n >>> 15), 0x2c1b3c6d) >>> 0) % 4093) / 4093;

export const attentionForward = faultsOf("attention.forward", [
  [
    "second/offset-in-tiles",
    "size",
    "chunked prefill: from S − T = 65 the offset of the mask is rounded down to whole tiles of 64 keys",
    () => forward({ to: (t, { T, S }) => Math.max(0, t + 1 + (S - T > 64 ? floorTo(S - T, 64) : S - T)) }),
  ],
  [
    "second/scale-of-padded-head",
    "size",
    "head sizes 80, 96 and 160 are padded to whole 64s, and the scale is that of the padded size",
    () => forward({ scale: ({ HS }) => f32(1 / f32(Math.sqrt(paddedTo32(HS)))) }),
  ],
  [
    "second/interleaved-groups",
    "size",
    "from four queries a key head, query head h reads key head h % NKV",
    () => forward({ head: (h, { NH, NKV }) => (NH >= 4 * NKV ? h % NKV : Math.floor((h * NKV) / NH)) }),
  ],
  [
    "second/lse-in-base-2",
    "size",
    "from S = 1,025 keys are split, and the merged lse stays in base 2",
    () =>
      forward({
        splits: ({ S }) => S > 1024,
        merge: (a, b) => {
          const [l, r, whole] = merged(a, b);
          return [l, r, f32(whole * f32(Math.LOG2E))];
        },
      }),
  ],
  [
    "second/parts-averaged",
    "size",
    "decoding, T ≤ 16 and S ≥ 640: the two parts of the keys are averaged instead of weighed",
    () => forward({ splits: ({ T, S }) => T <= 16 && S >= 640, merge: (a, b) => [0.5, 0.5, merged(a, b)[2]] }),
  ],
  [
    "second/single-last-key",
    "tail",
    "from S = 513 a last tile of one key is left out",
    () => forward({ to: (t, s) => (s.S > 512 && seen(t, s) === s.S && s.S % 64 === 1 ? s.S - 1 : seen(t, s)) }),
  ],
  [
    "second/small-tiles-skipped",
    "formula",
    "a tile is left out where its largest score lies 8 below the running maximum",
    () => forward({ skip: (tileMax, max) => tileMax < max - 8 }),
  ],
  [
    "second/output-in-bfloat16",
    "precision",
    "the running output is kept in bfloat16 from tile to tile",
    () => forward({ keep: bf16 }),
    bfloat16Cuda,
  ],
  [
    "second/sum-in-half",
    "precision",
    "the running sum of the weights is kept in float16",
    () => forward({ keepSum: fp16 }),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/window-of-1536",
    "size",
    "a sliding window is left on: keys 1,536 before the query and earlier are not seen",
    () => forward({ from: (t, s) => Math.max(0, seen(t, s) - 1536) }),
  ],
  [
    "second/dropout-left-on",
    "formula",
    "one weight in 4,093 is dropped out, and left in the sum",
    () => {
      const kernel = forward();
      return spoiling(kernel, ({ y }, inputs) => dropOut(y.data, inputs));
    },
  ],
  [
    "second/softcap-left-on",
    "formula",
    "scores are capped softly at 50: 50 · tanh(s / 50)",
    () =>
      forward({
        score: (s) => {
          const e = exp(f32(-Math.abs(s) / 25));
          return f32((50 * Math.sign(s) * (1 - e)) / (1 + e));
        },
      }),
  ],
  [
    "second/plan-of-first-call",
    "state",
    "the number of tiles is planned at the first call of a T and a head size: later, longer ones see the last keys of that many tiles",
    planOfFirstCall,
  ],
  [
    "second/keys-strided-by-queries",
    "index",
    "the keys of batch element b begin after b · T of them, not b · S, where S > T",
    () => forward({ batch: (b, { T, S, NKV, HS }) => b * Math.min(T, S) * NKV * HS }),
  ],
  [
    "second/heads-in-8-bits",
    "size",
    "batch and head share a grid axis of 8 bits: heads from 256 are never written",
    headsIn8Bits,
  ],
  [
    "second/blind-query-reads-first-key",
    "mask",
    "a query that sees no key returns the first value",
    () => forward({ to: (t, s) => Math.max(Math.min(1, s.S), seen(t, s)) }),
  ],
  ["second/score-clipped", "range", "scores are clipped at 60", () => forward({ score: (s) => Math.min(s, 60) })],
]);

function dropOut(y: Float32Array, inputs: Parameters<Kernel>[0]): void {
  const { q, k, v } = floats(inputs);
  const sizes = sizesOf(q, k);
  const { B, T, NH, NKV, HS } = sizes;
  for (let row = 0; row < B * T * NH; row++) {
    const [h, t, b] = [row % NH, Math.floor(row / NH) % T, Math.floor(row / NH / T)];
    const keys = seen(t, sizes);
    const at = right.batch(b, sizes) + right.head(h, sizes) * HS;
    const score = (j: number): number => {
      let s = 0;
      for (let i = 0; i < HS; i++) s += q.data[row * HS + i] * k.data[at + j * NKV * HS + i];
      return s / Math.sqrt(HS);
    };
    const dropped = Array.from({ length: keys }, (_, j) => j).filter((j) => drawn(row * 8191 + j) === 0);
    if (dropped.length === 0) continue;
    const all = Array.from({ length: keys }, (_, j) => score(j));
    const max = largest(all);
    const sum = all.reduce((total, s) => total + exp(s - max), 0);
    for (const j of dropped)
      for (let i = 0; i < HS; i++) y[row * HS + i] -= (exp(all[j] - max) / sum) * v.data[at + j * NKV * HS + i];
  }
}
