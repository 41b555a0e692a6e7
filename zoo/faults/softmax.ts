// Softmax's faults. Both directions are right until a step is replaced.
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, chunked, empty, exp, f32, floats, fp16, rowsIn, sum } from "./kernel.ts";

type Row = Float32Array;

export const right = {
  max: (row: Row): number => row.reduce((m, x) => Math.max(m, x), -Infinity),
  exp,
  total: (p: Row): number => sum(p.length, (c) => p[c]),
  /** How many of the classes are read. */
  reads: (C: number): number => C,
};

/** y = e^(x − max) ÷ Σ e^(x − max). */
export function forward(replaced: Partial<typeof right> = {}): Kernel {
  const step = { ...right, ...replaced };
  return (inputs) => {
    const { x } = floats(inputs);
    const C = x.shape[1];
    const y = empty(x.shape);
    for (const [r, row] of rowsIn(x).entries()) {
      const read = row.subarray(0, step.reads(C));
      const m = step.max(read);
      const p = row.map((v) => step.exp(f32(v - m)));
      const total = step.total(p.subarray(0, read.length));
      for (let c = 0; c < C; c++) y.data[r * C + c] = p[c] / total;
    }
    return { y };
  };
}

const rightBack = {
  projected: (dy: Row, y: Row): number => sum(y.length, (c) => f32(dy[c] * y[c])),
  dx: (y: number, dy: number, projection: number): number => f32(y * f32(dy - projection)),
  row: (r: number, _R: number): number => r,
};

/** dx = y · (dy − Σ dy · y). */
export function backward(replaced: Partial<typeof rightBack> = {}): Kernel {
  const step = { ...rightBack, ...replaced };
  return (inputs) => {
    const { dy, y } = floats(inputs);
    const [R, C] = y.shape;
    const dx = empty(y.shape);
    const [dys, ys] = [rowsIn(dy), rowsIn(y)];
    for (let r = 0; r < R; r++) {
      const projection = step.projected(dys[step.row(r, R)], ys[r]);
      for (let c = 0; c < C; c++) dx.data[r * C + c] = step.dx(ys[r][c], dys[r][c], projection);
    }
    return { dx };
  };
}

export const softmaxForward = faultsOf("softmax.forward", [
  ["no-max", "range", "no maximum is subtracted", () => forward({ max: () => 0 }), { source: "BUGS 24" }],
  [
    "max-of-first-64",
    "size",
    "the maximum is that of the first 64 columns",
    () => forward({ max: (row) => right.max(row.subarray(0, 64)) }),
  ],
  [
    "sum-of-256",
    "size",
    "of rows wider than 256 the last C % 256 columns are left out of the sum",
    () => forward({ reads: (C) => (C > 256 ? C - (C % 256) : C) }),
  ],
  [
    "sum-fp16",
    "precision",
    "the sum is kept in float16",
    () => forward({ total: (p) => sum(p.length, (c) => p[c], fp16) }),
    { dtype: "float16" },
  ],
  [
    "sum-bf16",
    "precision",
    "the sum is kept in bfloat16 over chunks of 64",
    () => forward({ total: (p) => chunked(p.length, 64, (c) => p[c], bf16) }),
  ],
  ["exp-base2", "formula", "2^x in place of e^x", () => forward({ exp: (x) => f32(2 ** x) })],
  [
    "plus-one",
    "formula",
    "the sum has 1 too much, as of a sink that is not there",
    () => forward({ total: (p) => f32(right.total(p) + 1) }),
  ],
  ["clamped", "range", "x − max is clamped at −20", () => forward({ exp: (x) => exp(Math.max(x, -20)) })],
]);

export const softmaxBackward = faultsOf("softmax.backward", [
  ["no-projection", "formula", "dx = y · dy", () => backward({ dx: (y, dy) => f32(y * dy) })],
  [
    "sum-of-dy",
    "formula",
    "the projection is Σ dy",
    () => backward({ projected: (dy) => sum(dy.length, (c) => dy[c]) }),
  ],
  [
    "first-upstream",
    "index",
    "every row projects the first row's upstream gradient",
    () => backward({ row: () => 0 }),
    {
      source: "linkedin/Liger-Kernel 1298, 968",
    },
  ],
  [
    "last-of-128",
    "size",
    "rows from the 128th on take the projection of the row before",
    () => backward({ row: (r) => (r >= 128 ? r - 1 : r) }),
  ],
  [
    "projection-fp16",
    "precision",
    "the projection is summed in float16",
    () => backward({ projected: (dy, y) => sum(y.length, (c) => fp16(f32(dy[c] * y[c])), fp16) }),
    { dtype: "float16" },
  ],
  [
    "vector-tail",
    "tail",
    "the last C % 8 columns are left out of the projection",
    () => backward({ projected: (dy, y) => sum(y.length - (y.length % 8), (c) => f32(dy[c] * y[c])) }),
  ],
]);
