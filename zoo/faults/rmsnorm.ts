// RMSNorm's faults. The kernels are right until a step of theirs is replaced.
import { bfloat16Cuda, faultsOf, type Kernel } from "./fault.ts";
import { bf16, chunked, empty, f32, floats, fp16, keeping, rowsIn, sum, tf32, withScalars, writing } from "./kernel.ts";

type Row = Float32Array;

const right = {
  /** The row as it is read. */
  row: (x: Row): Row => x,
  squares: (x: Row, _r: number): number => sum(x.length, (c) => f32(x[c] * x[c])),
  mean: (squares: number, C: number): number => f32(squares / C),
  rstd: (ms: number, eps: number): number => f32(1 / f32(Math.sqrt(f32(ms + eps)))),
  /** The row whose rstd a row is scaled by. */
  scaledBy: (r: number, _R: number): number => r,
  y: (x: number, rstd: number, w: number): number => f32(f32(x * rstd) * w),
};

/** y = x · rstd · w, rstd = 1 ÷ √(mean x² + eps). */
export function forward(replaced: Partial<typeof right> = {}): Kernel {
  const { row, squares, mean, rstd, scaledBy, y } = { ...right, ...replaced };
  return (inputs, scalars) => {
    const { x, w } = floats(inputs);
    const [R, C] = x.shape;
    const rows = rowsIn(x).map(row);
    const scales = Float32Array.from(rows, (one, r) => rstd(mean(squares(one, r), C), f32(Number(scalars.eps))));
    const outputs = { y: empty(x.shape), rstd: { data: scales, shape: [R] } };
    for (const [r, one] of rows.entries()) {
      const scale = scales[scaledBy(r, R)];
      for (let c = 0; c < C; c++) outputs.y.data[r * C + c] = y(one[c], scale, w.data[c]);
    }
    return outputs;
  };
}

const rightBack = {
  rstd: (saved: number, _x: Row): number => saved,
  n: (x: number, rstd: number): number => f32(x * rstd),
  dn: (dy: number, w: number): number => f32(dy * w),
  projected: (dn: Row, n: Row, _dy: Row): number => sum(n.length, (c) => f32(dn[c] * n[c])),
  mean: (projected: number, C: number): number => f32(projected / C),
  dx: (rstd: number, dn: number, n: number, mean: number, _x: number): number => f32(rstd * f32(dn - f32(n * mean))),
  term: (dy: number, n: number, _dn: number): number => f32(dy * n),
  gain: (R: number, term: (r: number) => number): number => sum(R, term),
};

/** dx = rstd · (dn − n · mean(dn · n)) with n = x · rstd, dn = dy · w; dw = Σ dy · n. */
export function backward(replaced: Partial<typeof rightBack> = {}): Kernel {
  const step = { ...rightBack, ...replaced };
  return (inputs) => {
    const { dy, x, w, rstd } = floats(inputs);
    const [R, C] = x.shape;
    const [dx, dw, terms] = [empty(x.shape), empty(w.shape), empty(x.shape)];
    const dys = rowsIn(dy);
    for (const [r, row] of rowsIn(x).entries()) {
      const scale = step.rstd(rstd.data[r], row);
      const n = row.map((v) => step.n(v, scale));
      const dn = dys[r].map((v, c) => step.dn(v, w.data[c]));
      const mean = step.mean(step.projected(dn, n, dys[r]), C);
      for (let c = 0; c < C; c++) {
        dx.data[r * C + c] = step.dx(scale, dn[c], n[c], mean, row[c]);
        terms.data[r * C + c] = step.term(dys[r][c], n[c], dn[c]);
      }
    }
    for (let c = 0; c < C; c++) dw.data[c] = step.gain(R, (r) => terms.data[r * C + c]);
    return { dx, dw };
  };
}

const root = (moment: number): number => f32(1 / f32(Math.sqrt(moment)));

/** 1 ÷ √a by one Newton step from a table of 8 bits. */
function newton(a: number): number {
  const e = Math.floor(Math.log2(a)) + 1;
  const table = Math.round(256 / Math.sqrt(a / 2 ** e)) / 256;
  const guess = f32(e % 2 === 0 ? table * 2 ** (-e / 2) : (table / Math.SQRT2) * 2 ** (-(e - 1) / 2));
  return f32(guess * f32(1.5 - f32(f32(f32(0.5 * a) * guess) * guess)));
}

/** What the formula for variances adds, which is nothing for sums. */
const CORRECTION = 0;

/** Sums of 32 lanes, merged as variances are: with a correction that is 0 unless δ² overflows. */
function lanes(x: Row): number {
  let parts = Array.from({ length: Math.min(32, x.length) }, (_, lane) =>
    sum(Math.ceil((x.length - lane) / 32), (i) => f32(x[lane + 32 * i] ** 2)),
  );
  while (parts.length > 1) {
    const half = Math.ceil(parts.length / 2);
    parts = parts.slice(0, half).map((a, i) => {
      if (i + half >= parts.length) return a;
      const [b, delta] = [parts[i + half], f32(parts[i + half] - a)];
      return f32(a + f32(b + f32(f32(delta * delta) * CORRECTION)));
    });
  }
  return parts[0] ?? 0;
}

const squaresTo = (x: Row, end: number): number => sum(end, (c) => f32(x[c] * x[c]));
/** The mean is taken away. */
function centred(x: Row): Row {
  const mean = f32(sum(x.length, (c) => x[c]) / x.length);
  return x.map((v) => v - mean);
}
const bf16Rows = (R: number, term: (r: number) => number): number => sum(R, term, bf16);

export const rmsnormForward = faultsOf("rmsnorm.forward", [
  [
    "eps-outside",
    "formula",
    "eps is added to the root in place of the mean square",
    () => forward({ rstd: (ms, eps) => f32(1 / f32(f32(Math.sqrt(ms)) + eps)) }),
    { source: "BUGS 20" },
  ],
  [
    "mean-subtracted",
    "formula",
    "LayerNorm: the mean is subtracted",
    () => forward({ row: centred }),
    { source: "BUGS 20" },
  ],
  [
    "unbiased",
    "formula",
    "the sum of squares is divided by C − 1",
    () => forward({ mean: (s, C) => f32(s / Math.max(C - 1, 1)) }),
    { source: "BUGS 20" },
  ],
  [
    "one-plus-gain",
    "formula",
    "the gain is 1 + w",
    () => forward({ y: (x, rstd, w) => f32(f32(x * rstd) * f32(1 + w)) }),
    { source: "linkedin/Liger-Kernel 74" },
  ],
  [
    "bf16-before-gain",
    "precision",
    "x · rstd is rounded to bfloat16 before the gain, undeclared",
    () => forward({ y: (x, rstd, w) => f32(bf16(f32(x * rstd)) * w) }),
    { source: "transformers 30236; google/gemma_pytorch 67" },
  ],
  [
    "newton-from-table",
    "precision",
    "the inverse root by one Newton step from a table of 8 bits",
    () => forward({ rstd: (ms, eps) => newton(f32(ms + eps)) }),
  ],
  [
    "vector-tail",
    "tail",
    "the last C % 4 channels are left out of the sum",
    () => forward({ squares: (x) => squaresTo(x, x.length >= 4 ? x.length - (x.length % 4) : x.length) }),
  ],
  [
    "rows-transposed",
    "index",
    "a [2, R/2, C] input is read with its first two strides exchanged: rstd of another row",
    () => forward({ scaledBy: (r, R) => (R % 2 === 0 ? (r % 2) * (R / 2) + (r >> 1) : r) }),
  ],
  [
    "rows-past-4096",
    "size",
    "rows from the 4,096th on have the rstd of the first 4,096",
    () => forward({ scaledBy: (r) => r % 4096 }),
  ],
  [
    "zero-row",
    "formula",
    "a row of zeros gives rstd 0",
    () => forward({ rstd: (ms, eps) => (ms > 0 ? root(f32(ms + eps)) : 0) }),
  ],
  [
    "square-fp16",
    "range",
    "squares are float16",
    () => forward({ squares: (x) => sum(x.length, (c) => fp16(f32(x[c] * x[c]))) }),
  ],
  ["eps-fp16", "precision", "eps passes through float16", () => withScalars({ eps: fp16 }, forward())],
  [
    "rstd-saved-bf16",
    "precision",
    "the saved rstd is rounded to bfloat16; y is right",
    () => writing({ rstd: bf16 }, forward()),
  ],
  [
    "last-of-four-rows",
    "tail",
    "four rows a block: of a last block of exactly three the third uses the second's rstd",
    () => forward({ scaledBy: (r, R) => (R % 4 === 3 && r === R - 1 ? r - 1 : r) }),
  ],
  [
    "wide-second-row",
    "size",
    "of rows wider than 2,048, the second and later ones sum the first 2,048 channels",
    () => forward({ squares: (x, r) => squaresTo(x, r > 0 ? Math.min(2048, x.length) : x.length) }),
  ],
  ["eps-hardcoded", "formula", "eps is 1e-6, whatever is given", () => withScalars({ eps: () => 1e-6 }, forward())],
  ["rstd-of-c", "formula", "the sum of squares is not divided by C", () => forward({ mean: (s) => s })],
  [
    "sum-bf16",
    "precision",
    "the sum of squares is kept in bfloat16 over chunks of 32",
    () => forward({ squares: (x) => chunked(x.length, 32, (c) => f32(x[c] * x[c]), bf16) }),
  ],
  [
    "squares-bf16",
    "precision",
    "the sum of squares is kept in bfloat16 over chunks of 64",
    () => forward({ squares: (x) => chunked(x.length, 64, (c) => f32(x[c] * x[c]), bf16) }),
    bfloat16Cuda,
  ],
  [
    "huge-rows",
    "range",
    "partial sums are merged with a term inf · 0 where they differ by more than 10¹⁹",
    () => forward({ squares: lanes }),
    { source: "huggingface/candle 3477" },
  ],
]);

export const rmsnormBackward = faultsOf("rmsnorm.backward", [
  ["no-projection", "formula", "dx lacks the projection", () => backward({ dx: (rstd, dn) => f32(rstd * dn) })],
  [
    "mean-c-minus-1",
    "formula",
    "the projection is divided by C − 1",
    () => backward({ mean: (p, C) => f32(p / Math.max(C - 1, 1)) }),
  ],
  ["dw-with-gain", "formula", "dw sums dy · w · n", () => backward({ term: (_, n, dn) => f32(dn * n) })],
  [
    "rstd-once",
    "formula",
    "the projection has x in place of x · rstd",
    () => backward({ dx: (rstd, dn, _, mean, x) => f32(rstd * f32(dn - f32(x * mean))) }),
  ],
  ["dw-bf16", "precision", "dw is accumulated in bfloat16", () => backward({ gain: bf16Rows })],
  [
    "projection-without-gain",
    "formula",
    "the projection's mean is of dy · n",
    () => backward({ projected: (_, n, dy) => sum(n.length, (c) => f32(dy[c] * n[c])) }),
  ],
  ["dw-keeps", "state", "dw is added to the last call's of the same size", () => keeping("dw", backward())],
  [
    "rstd-other-eps",
    "formula",
    "rstd is computed again with eps 1e-6, whatever eps the forward had",
    () => backward({ rstd: (_, x) => root(f32(f32(squaresTo(x, x.length) / x.length) + f32(1e-6))) }),
  ],
  [
    "projection-tf32",
    "precision",
    "the projection sums TF32 products",
    () => backward({ projected: (dn, n) => sum(n.length, (c) => f32(tf32(dn[c]) * tf32(n[c]))) }),
  ],
  [
    "few-partials",
    "size",
    "dw in 128 partial sums, of which the last sum takes the first 64 where R > 8,192",
    () => backward({ gain: (R, term) => sum(R <= 8192 ? R : Math.ceil(R / 128) * 64, term) }),
  ],
  [
    "n-undeclared",
    "precision",
    "x · rstd is rounded to bfloat16, undeclared",
    () => backward({ n: (x, rstd) => bf16(f32(x * rstd)) }),
    bfloat16Cuda,
  ],
  [
    "dn-undeclared",
    "precision",
    "dy · w is rounded to bfloat16, undeclared",
    () => backward({ dn: (dy, w) => bf16(f32(dy * w)) }),
    bfloat16Cuda,
  ],
]);
