// Attention's faults, forward.
import { forward, right } from "./attention-forward.ts";
import { cachedSplits, padded, splitRows } from "./attention-shapes.ts";
import { merged, online } from "./attention-tiles.ts";
import { bfloat16Cuda, faultsOf, type Kernel } from "./fault.ts";
import { bf16, exp, f32, fp16, LOG2E, reading, spoiling, tf32, writing } from "./kernel.ts";

const exp2 = (x: number): number => f32(2 ** x);

/** 2^x by a polynomial of degree 3, with a relative error of 10⁻⁴. */
function polynomial(x: number): number {
  if (x === -Infinity) return 0;
  const t = Math.max(f32(x * LOG2E), -126);
  const i = Math.floor(t);
  const part = f32(t - i);
  const p = [0.077119089663028717, 0.227564394474029541, 0.695146143436431885, 1].reduce(
    (sum, c) => f32(f32(sum * part) + f32(c)),
    0,
  );
  return f32(p * 2 ** i);
}

/** 50 · tanh(s ÷ 50). */
const capped = (s: number): number => f32(50 * f32(Math.tanh(f32(s / 50))));

const lseOf = (change: (x: number) => number): Kernel => writing({ lse: change }, forward());

export const attentionForward = faultsOf("attention.forward", [
  [
    "mask-top-left",
    "mask",
    "the causal mask is aligned at the top left although there are more keys than queries",
    () => forward({ sees: (s, t) => s <= t }),
    { source: "Dao-AILab/flash-attention 282, 402; NVIDIA/cutlass 2336" },
  ],
  [
    "gqa-modulo",
    "index",
    "query head h reads key head h mod NKV",
    () => forward({ keyHead: (h, { NKV }) => h % NKV }),
    {
      source: "ekzhang/jax-js 180; onnx/onnx 7274; apple/axlearn 842",
    },
  ],
  [
    "no-rescale-last-tile",
    "formula",
    "online softmax: the accumulator is not rescaled when the last tile of 32 raises the maximum",
    () =>
      forward(
        {},
        online(32, (factor, isLast) => (isLast ? 1 : factor)),
      ),
    { source: "BUGS 11" },
  ],
  ["lse-base2", "formula", "the saved log-sum-exp is in base 2", () => lseOf((x) => f32(x * LOG2E))],
  [
    "one-key-too-many",
    "mask",
    "with a cache (T < S) each query sees one key too many",
    () => forward({ sees: (s, t, { T, S }) => s <= t + S - T + Number(T < S) }),
  ],
  [
    "masked-row-nan",
    "mask",
    "a query that sees no key gives 0 ÷ 0",
    () =>
      spoiling(forward(), ({ y }, { q, k }) => {
        const [, T, NH, HS] = q.shape;
        const blind = Math.max(0, T - k.shape[1]);
        for (let i = 0; i < y.data.length; i++) if (Math.floor(i / (NH * HS)) % T < blind) y.data[i] = NaN;
      }),
    { source: "tracel-ai/burn 4697; iree-org/iree 24175", convention: true },
  ],
  [
    "scores-fp16",
    "range",
    "scores in float16, which overflow",
    () => forward({ score: (x, scale) => f32(fp16(x) * scale) }),
  ],
  [
    "p-bf16",
    "precision",
    "the weights are rounded to bfloat16 before the product with v, undeclared",
    () => forward({ weight: bf16 }),
  ],
  [
    "softcap",
    "formula",
    "scores are capped: 50 tanh(s / 50)",
    () => forward({ score: (x, scale) => capped(f32(x * scale)) }),
  ],
  [
    "head-padding",
    "tail",
    "a head size that is no multiple of 8 is padded, and the padding of k holds the next numbers in memory",
    () => padded,
  ],
  [
    "scale-of-padded-head",
    "formula",
    "the scale is that of the head size rounded up to a multiple of 8",
    () => forward({ scale: (HS) => right.scale(Math.ceil(HS / 8) * 8) }),
  ],
  [
    "ragged-tile-short",
    "tail",
    "in a last tile of 32 that is not full, its last key is masked",
    () =>
      forward({
        sees: (s, t, place) => right.sees(s, t, place) && !(s === place.S - 1 && place.S % 32 !== 0 && place.S > 32),
      }),
  ],
  [
    "second-query-tile-head",
    "size",
    "queries of the second tile of 64 and later are read from head 0",
    () => forward({ queryHead: (h, t) => (t >= 64 ? 0 : h) }),
  ],
  [
    "max-from-zero",
    "range",
    "the running maximum starts at 0 in place of −∞",
    () => forward({ max: (m) => Math.max(m, 0) }),
  ],
  ["no-max", "range", "no maximum is subtracted", () => forward({ max: (m) => (m === -Infinity ? m : 0) })],
  [
    "exp-bf16",
    "precision",
    "the exponential is good to 8 bits only",
    () => forward({ exp: (x) => bf16(exp(bf16(x))) }),
  ],
  [
    "exp2-degree-3",
    "precision",
    "2^x by a polynomial of degree 3 whose relative error is 10⁻⁴",
    () => forward({ exp: polynomial }),
  ],
  [
    "lse-transposed",
    "index",
    "lse is written as [B, T, NH]",
    () =>
      spoiling(forward(), ({ lse }) => {
        const [, NH, T] = lse.shape;
        const before = lse.data.slice();
        for (let i = 0; i < before.length; i++) {
          const [block, t, h] = [i - (i % (NH * T)), Math.floor((i % (NH * T)) / NH), i % NH];
          lse.data[i] = before[block + h * T + t];
        }
      }),
  ],
  [
    "cache-wraps-2048",
    "size",
    "keys from the 2,048th on are read from the start of the cache",
    () => forward({ keyAt: (s) => s % 2048 }),
  ],
  ["tf32", "precision", "q and k are read as TF32, undeclared", () => reading({ q: tf32, k: tf32 }, forward())],
  [
    "scale-fp16",
    "precision",
    "the scale is a float16 constant",
    () => forward({ scale: (HS) => fp16(1 / Math.sqrt(HS)) }),
  ],
  [
    "mask-within-tile",
    "mask",
    "the diagonal tile is masked by places within tiles of 16, though T and S differ",
    () =>
      forward({
        sees: (s, t, place) => {
          const last = t + place.S - place.T;
          if (last < 0) return false;
          return Math.floor(s / 16) === Math.floor(last / 16) ? s % 16 <= t % 16 : right.sees(s, t, place);
        },
      }),
  ],
  [
    "accumulator-bf16",
    "precision",
    "the output is accumulated over tiles of 16 keys in bfloat16",
    () =>
      forward({
        weigh: (p, value, HS) => {
          let o = new Float32Array(HS);
          for (let at = 0; at < p.length; at += 16) {
            const added = right.weigh(p.subarray(at, at + 16), (i) => value(at + i), HS);
            o = o.map((x, d) => bf16(f32(x + added[d])));
          }
          return o;
        },
      }),
  ],
  [
    "split-combine-base2",
    "formula",
    "parts of 32 keys are merged with 2^(lse − max) in place of e^(lse − max)",
    () => forward({}, merged(32, exp2)),
  ],
  [
    "split-rows",
    "index",
    "keys split over blocks: rows of a tile are written a token's stride apart, wrong with several heads",
    splitRows,
    {
      source: "flagos-ai/FlagGems 5235",
    },
  ],
  [
    "cached-splits",
    "state",
    "the key of a compiled kernel lacks the number of key blocks: a later call leaves keys out",
    cachedSplits,
    {
      source: "NVIDIA/recsys-examples 379; microsoft/onnxruntime 32048; tensorflow/tfjs 2669, 6478",
    },
  ],
  [
    "p-undeclared",
    "precision",
    "bfloat16 tensors; P is rounded to bfloat16, undeclared",
    () => forward({ weight: bf16 }),
    bfloat16Cuda,
  ],
  [
    "scores-bf16",
    "precision",
    "P declared; the scores are rounded to bfloat16 as well",
    () => forward({ score: (x, scale) => bf16(f32(x * scale)) }),
    { ...bfloat16Cuda, stores: { P: "bfloat16" } },
  ],
  [
    "lse-bf16",
    "precision",
    "P and S declared; lse is rounded to bfloat16 as well",
    () => lseOf(bf16),
    {
      ...bfloat16Cuda,
      stores: { P: "bfloat16", S: "bfloat16" },
    },
  ],
]);
