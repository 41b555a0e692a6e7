// Faults of products and attention that begin at a size, along one axis or two: tiles of 64, 128 and 256. With them those of the same ops
// that have shipped, whatever their size.
import * as attention from "./attention-forward.ts";
import * as attentionBack from "./attention-backward.ts";
import { type Fault, faultsOf } from "./fault.ts";
import { dot, f32, type Floats32, spoiling } from "./kernel.ts";
import * as linear from "./linear.ts";

/** In rows from `row` on and columns from `column` on, `to` replaces the number at a place. */
function beyond({ data, shape }: Floats32, row: number, column: number, to: (i: number, C: number) => number): void {
  const C = shape.at(-1)!;
  for (let i = row * C; i < data.length; i++) if (i % C >= column) data[i] = to(i, C);
}

export const sizesOfProducts: readonly Fault[] = [
  faultsOf("linear.forward", [
    [
      "tile-128",
      "size",
      "tiles of 128 × 128: in those beside and below the first the last 8 of K are dropped",
      () => linear.forward((a, b, i, j) => dot(a, b, 0, i >= 128 && j >= 128 ? Math.max(0, a.length - 8) : a.length)),
    ],
    [
      "tile-256-rows",
      "size",
      "rows from the 256th on are those of 256 rows before",
      () => spoiling(linear.forward(), ({ y }) => beyond(y, 256, 0, (i, O) => y.data[i - 256 * O])),
    ],
    [
      "large-grid-swizzle",
      "size",
      "a grid of at least 4 × 4 tiles of 64 exchanges two tiles of the last row",
      () =>
        spoiling(
          linear.forward(),
          ({
            y: {
              data,
              shape: [R, O],
            },
          }) => {
            if (R < 256 || O < 256) return;
            const before = data.slice();
            for (let r = 192; r < 256; r++) for (let o = 128; o < 256; o++) data[r * O + o] = before[r * O + (o ^ 64)];
          },
        ),
    ],
    [
      "k-beyond-2048",
      "size",
      "K beyond 2,048 is left out for tiles from the second on",
      () => linear.forward((a, b, i) => dot(a, b, 0, i >= 64 ? Math.min(2048, a.length) : a.length)),
    ],
    [
      "strides-ignored",
      "index",
      "w, where wider than high, is read as a dense transposed matrix",
      () => (inputs, scalars) => {
        const {
          data,
          shape: [O, C],
        } = inputs.w as Floats32;
        if (C <= O) return linear.forward()(inputs, scalars);
        const read = data.map((_, i) => data[(i % C) * O + Math.floor(i / C)]);
        return linear.forward()({ ...inputs, w: { data: read, shape: [O, C] } }, scalars);
      },
      { source: "webgpu-torch 0.3.5, mm of a transposed matrix" },
    ],
  ]),
  faultsOf("linear.backward", [
    [
      "dw-tile-64",
      "size",
      "tiles of dw beside and below the first of 64 × 64 lack the last 16 rows",
      () =>
        linear.backward({
          dw: (a, b, i, j) => dot(a, b, 0, i >= 64 && j >= 64 ? Math.max(0, a.length - 16) : a.length),
        }),
    ],
    [
      "dx-tile-128",
      "size",
      "dx from the 128th row and column on misses the first term",
      () => linear.backward({ dx: (a, b, i, j) => dot(a, b, i >= 128 && j >= 128 ? 1 : 0) }),
    ],
  ]),
  faultsOf("attention.forward", [
    [
      "last-of-64-keys",
      "size",
      "with more than 128 keys, the last key of each whole tile of 64 is not seen",
      () => attention.forward({ sees: (s, t, at) => attention.right.sees(s, t, at) && !(at.S > 128 && s % 64 === 63) }),
    ],
    [
      "wide-head-128",
      "size",
      "head sizes above 128: q · k sums the first 128",
      () => (inputs, scalars) => {
        const HS = inputs.q.shape[3];
        const { data, shape } = inputs.q as Floats32;
        if (HS <= 128) return attention.forward()(inputs, scalars);
        return attention.forward()(
          { ...inputs, q: { data: data.map((x, i) => (i % HS < 128 ? x : 0)), shape } },
          scalars,
        );
      },
    ],
    [
      "not-causal",
      "mask",
      "every query sees every key",
      () => attention.forward({ sees: () => true }),
      {
        source: "onnxruntime-web 1.30.0, MultiHeadAttention, unidirectional",
      },
    ],
    [
      "group-is-nkv",
      "index",
      "the head of keys is h mod the group's size: right only where that equals NKV",
      () =>
        attention.forward({
          keyHead: (h, { NH, NKV }) => Math.floor(h / NKV) % Math.max(1, NH / Math.max(1, NH / NKV)),
        }),
      {
        source: "HazyResearch/HipKittens 22",
      },
    ],
    [
      "keys-counted-again",
      "index",
      "from the 32nd key on, of every 8 the sixth reads the key before",
      () => attention.forward({ keyAt: (s) => (s % 8 === 5 && s >= 32 ? s - 1 : s) }),
      {
        source: "onnxruntime 1.30.0, flash attention",
      },
    ],
    [
      "tail-not-masked",
      "tail",
      "keys past the last one of a tile of 64 count with score 0",
      () =>
        attention.forward({}, (seen, HS) => {
          const n = seen.scores.length;
          const { o, lse } = attention.atOnce(attention.right)(seen, HS);
          if (n <= 64 || n % 64 === 0) return { o, lse };
          const extra = f32((64 - (n % 64)) * Math.exp(-lse));
          return { o: o.map((x) => x / f32(1 + extra)), lse: f32(lse + Math.log1p(extra)) };
        }),
      { source: "Dao-AILab/flash-attention 334, 443" },
    ],
  ]),
  faultsOf("attention.backward", [
    [
      "second-batch",
      "size",
      "in the second batch and later the last query is lost to dk",
      () => attentionBack.backward({ countsInDk: (_, { b, t, T }) => !(b > 0 && T > 1 && t === T - 1) }),
      {
        source: "NVIDIA/TransformerEngine 3216",
      },
    ],
    [
      "tiles-of-64",
      "size",
      "queries from the 64th on give nothing to keys before the 64th",
      () => attentionBack.backward({ countsInDv: (s, { t }) => !(t >= 64 && s < 64) }),
    ],
    [
      "no-query-garbage",
      "state",
      "without queries dk and dv are not written: what stood there before remains",
      () => {
        let before = 0;
        return spoiling(attentionBack.backward(), ({ dk, dv }, { q }) => {
          if (q.data.length === 0) for (const t of [dk, dv]) t.data.fill(before + 1);
          else before = dk.data[0] ?? 0;
        });
      },
      { source: "ROCm/flash-attention 179" },
    ],
  ]),
].flat();
