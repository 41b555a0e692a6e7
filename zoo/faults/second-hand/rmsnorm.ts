// RMSNorm, one warp a row, and a backward in one pass over each row with a second stage for dw.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, fp16, mapped, spoiling } from "../kernel.ts";
import { ceilTo, floorTo, leftover, once, outputs, uint16, warpSum } from "./shared.ts";

interface Forward {
  /** Where row r begins. */
  readonly at: (r: number, C: number) => number;
  readonly squares: (x: Float32Array, at: number, C: number, R: number) => number;
  readonly rstd: (squares: number, C: number, eps: number) => number;
  readonly gain: (w: Float32Array, c: number) => number;
}

const byWarp: Forward = {
  at: (r, C) => r * C,
  squares: (x, at, C) => warpSum(C, (c) => x[at + c] * x[at + c]),
  rstd: (squares, C, eps) => f32(1 / f32(Math.sqrt(f32(f32(squares / C) + eps)))),
  gain: (w, c) => w[c],
};

export function forward(change: Partial<Forward> = {}): Kernel {
  const { at, squares, rstd, gain } = { ...byWarp, ...change };
  return (inputs, { eps }) => {
    const { x, w } = floats(inputs);
    const [R, C] = x.shape;
    const y = empty([R, C]);
    const scales = empty([R]);
    for (let r = 0; r < R; r++) {
      const from = at(r, C);
      const scale = rstd(squares(x.data, from, C, R), C, Number(eps));
      for (let c = 0; c < C; c++) y.data[from + c] = f32(x.data[from + c] * scale) * gain(w.data, c);
      scales.data[r] = scale;
    }
    return outputs({ y, rstd: scales });
  };
}

/** 1 / √x from the bits of x and Newton steps; two leave 5 · 10⁻⁶. */
function seededRoot(x: number, steps: number): number {
  const bits = new Int32Array(Float32Array.of(x).buffer);
  let y = new Float32Array(Int32Array.of(0x5f3759df - (bits[0] >> 1)).buffer)[0];
  for (let i = 0; i < steps; i++) y = f32(y * f32(1.5 - f32(f32(f32(0.5 * x) * y) * y)));
  return y;
}

const inverse = (x: number): number => f32(1 / f32(Math.sqrt(x)));

function gainsOfFirstCall(): Kernel {
  const kept = once<Float32Array>();
  return (inputs, scalars) => {
    const { w } = floats(inputs);
    const data = kept(`${w.shape}`, () => w.data.slice());
    return forward()({ ...inputs, w: { data, shape: w.shape } }, scalars);
  };
}

export const rmsnormForward = faultsOf("rmsnorm.forward", [
  [
    "second/eps-in-the-sum",
    "formula",
    "eps is added to Σ x² before the division by C",
    () => forward({ rstd: (s, C, eps) => inverse(f32(f32(s + eps) / C)) }),
  ],
  [
    "second/eps-in-half",
    "precision",
    "eps passes through float16: 10⁻⁶ becomes 1.013 · 10⁻⁶",
    () => forward({ rstd: (s, C, eps) => inverse(f32(f32(s / C) + fp16(eps))) }),
  ],
  [
    "second/mean-of-padded-row",
    "size",
    "rows beyond 1,024 are padded to whole blocks of 128, and the mean divides by the padded length",
    () => forward({ rstd: (s, C, eps) => inverse(f32(f32(s / (C > 1024 ? ceilTo(C, 128) : C)) + eps)) }),
  ],
  [
    "second/vector-tail",
    "tail",
    "the path by four, from C = 512, leaves out the last C % 4 squares",
    () => forward({ squares: (x, at, C) => warpSum(C >= 512 ? floorTo(C, 4) : C, (c) => x[at + c] * x[at + c]) }),
  ],
  [
    "second/rows-beyond-the-grid",
    "size",
    "a grid of 65,535 rows: later rows are never written",
    () =>
      spoiling(forward(), ({ y, rstd }) => {
        y.data.fill(0, 65535 * y.shape[1]);
        rstd.data.fill(0, 65535);
      }),
  ],
  [
    "second/gain-in-shared-memory",
    "size",
    "the gain is kept in 3,072 floats of shared memory, and wraps around beyond",
    () => forward({ gain: (w, c) => w[c % 3072] }),
  ],
  [
    "second/seeded-root",
    "precision",
    "rstd from the bits of the number and two Newton steps: 5 · 10⁻⁶ off",
    () => forward({ rstd: (s, C, eps) => seededRoot(f32(f32(s / C) + eps), 2) }),
  ],
  [
    "second/odd-last-row",
    "tail",
    "two rows a warp: from 33 rows the odd last one is normalised by the row before it",
    () =>
      forward({
        squares: (x, at, C, R) => {
          const from = R > 32 && R % 2 === 1 && at === (R - 1) * C ? at - C : at;
          return warpSum(C, (c) => x[from + c] * x[from + c]);
        },
      }),
  ],
  [
    "second/row-offset-in-16-bits",
    "size",
    "where a row begins is kept in 16 bits: rows beyond 65,535 numbers land on earlier ones",
    () => forward({ at: (r, C) => uint16(r * C) }),
  ],
  [
    "second/gain-packed-once",
    "state",
    "the gain is packed at the first call of a length, and later gains of that length are not read",
    gainsOfFirstCall,
  ],
  [
    "second/squares-in-bfloat16",
    "precision",
    "each lane adds its squares in bfloat16",
    () =>
      forward({
        squares: (x, at, C) => {
          const lanes = new Float64Array(32);
          for (let c = 0; c < C; c++) lanes[c % 32] = bf16(lanes[c % 32] + x[at + c] * x[at + c]);
          return lanes.reduce((a, b) => f32(a + b), 0);
        },
      }),
    bfloat16Cuda,
  ],
  [
    "second/square-in-half",
    "range",
    "x² is formed in float16 before it is widened: infinite from 256, 0 below 2⁻¹³",
    () => forward({ squares: (x, at, C) => warpSum(C, (c) => fp16(x[at + c] * x[at + c])) }),
    { dtype: "float16", target: "cuda" },
  ],
]);

interface Backward {
  readonly projection: (
    dy: Float32Array,
    w: Float32Array,
    x: Float32Array,
    at: number,
    C: number,
    scale: number,
  ) => number;
  readonly scale: (rstd: Float32Array, r: number) => number;
  readonly gainScale: (rstd: Float32Array, r: number) => number;
  /** The rows whose terms reach dw. */
  readonly rows: (R: number) => number;
  readonly addGain: (sum: number, term: number) => number;
  readonly meanScale: (mean: number, C: number, scale: number) => number;
}

const onePass: Backward = {
  projection: (dy, w, x, at, C, scale) => warpSum(C, (c) => f32(dy[at + c] * w[c]) * f32(x[at + c] * scale)),
  scale: (rstd, r) => rstd[r],
  gainScale: (rstd, r) => rstd[r],
  rows: (R) => R,
  addGain: (sum, term) => f32(sum + term),
  meanScale: (mean) => mean,
};

export function backward(change: Partial<Backward> = {}): Kernel {
  const { projection, scale, gainScale, rows, addGain, meanScale } = { ...onePass, ...change };
  return (inputs) => {
    const { dy, x, w, rstd } = floats(inputs);
    const [R, C] = x.shape;
    const [dx, dw] = [empty([R, C]), empty([C])];
    for (let r = 0; r < R; r++) {
      const at = r * C;
      const s = scale(rstd.data, r);
      const mean = meanScale(f32(projection(dy.data, w.data, x.data, at, C, s) / C), C, s);
      for (let c = 0; c < C; c++) {
        const n = f32(x.data[at + c] * s);
        dx.data[at + c] = s * f32(f32(dy.data[at + c] * w.data[c]) - f32(n * mean));
        if (r >= rows(R)) continue;
        dw.data[c] = addGain(dw.data[c], f32(dy.data[at + c] * f32(x.data[at + c] * gainScale(rstd.data, r))));
      }
    }
    return outputs({ dx, dw });
  };
}

function rstdAnew(): Kernel {
  return (inputs, scalars) => {
    const { x, rstd } = floats(inputs);
    const [, C] = x.shape;
    const anew = mapped(rstd, (_, r) =>
      inverse(f32(f32(warpSum(C, (c) => x.data[r * C + c] * x.data[r * C + c]) / C) + f32(1e-5))),
    );
    return backward()({ ...inputs, rstd: anew }, scalars);
  };
}

function gainOfEarlierCalls(): Kernel {
  const add = leftover();
  return spoiling(backward(), ({ dx, dw }) => {
    if (dx.shape[0] > 64) add(dw);
  });
}

export const rmsnormBackward = faultsOf("rmsnorm.backward", [
  [
    "second/partials-of-512-blocks",
    "size",
    "dw: the second stage adds 512 partial sums of four rows; rows beyond 2,048 are left out",
    () => backward({ rows: (R) => Math.min(R, 2048) }),
  ],
  ["second/gain-workspace", "state", "dw: from 65 rows the sums begin at those of the last call", gainOfEarlierCalls],
  [
    "second/wide-rows-lose-rstd",
    "size",
    "from C = 1,536 the mean over several blocks is divided by rstd once too often",
    () => backward({ meanScale: (mean, C, s) => (C >= 1536 ? f32(mean / s) : mean) }),
  ],
  [
    "second/gain-in-bfloat16",
    "precision",
    "dw is added up in bfloat16",
    () => backward({ addGain: (sum, term) => bf16(sum + term) }),
    bfloat16Cuda,
  ],
  [
    "second/rstd-of-the-row-before",
    "index",
    "dw: the first row of every block of 128 after the first is scaled by the rstd of the row before",
    () => backward({ gainScale: (rstd, r) => rstd[r > 0 && r % 128 === 0 ? r - 1 : r] }),
  ],
  ["second/eps-as-constant", "formula", "rstd is computed anew with an eps of 10⁻⁵, whichever was given", rstdAnew],
  [
    "second/last-warp-twice",
    "tail",
    "from C = 513 the last, partly filled warp of a row enters the mean twice",
    () =>
      backward({
        projection: (dy, w, x, at, C, s) => {
          const term = (c: number): number => f32(dy[at + c] * w[c]) * f32(x[at + c] * s);
          const from = floorTo(C, 32);
          return f32(warpSum(C, term) + (C > 512 ? warpSum(C - from, (c) => term(from + c)) : 0));
        },
      }),
  ],
]);
