// Faults of the matrix product. The kernels are right until an inner product is replaced.
import { bfloat16Cuda, faultsOf, type Kernel } from "./fault.ts";
import {
  bf16,
  chunked,
  columnsIn,
  dot,
  empty,
  f32,
  floats,
  type Floats32,
  fp16,
  keeping,
  reading,
  rowsIn,
  spoiling,
  sum,
  tf32,
} from "./kernel.ts";

type Row = Float32Array;
type Dot = (a: Row, b: Row, i: number, j: number, size: readonly [rows: number, columns: number]) => number;

function product(left: readonly Row[], right: readonly Row[], by: Dot): Floats32 {
  const y = empty([left.length, right.length]);
  const size = [left.length, right.length] as const;
  for (const [i, a] of left.entries())
    for (const [j, b] of right.entries()) y.data[i * right.length + j] = by(a, b, i, j, size);
  return y;
}

const plain: Dot = (a, b) => dot(a, b);

/** y = x wᵀ. */
export function forward(by: Dot = plain): Kernel {
  return (inputs) => {
    const { x, w } = floats(inputs);
    return { y: product(rowsIn(x), rowsIn(w), by) };
  };
}

/** dx = dy w, dw = dyᵀ x. */
export function backward({ dx = plain, dw = plain }: { readonly dx?: Dot; readonly dw?: Dot } = {}): Kernel {
  return (inputs) => {
    const { dy, x, w } = floats(inputs);
    return { dx: product(rowsIn(dy), columnsIn(w), dx), dw: product(columnsIn(dy), columnsIn(x), dw) };
  };
}

/** Products of inputs that are read through a function. */
const through = (read: (x: number) => number): Kernel => reading({ x: read, w: read }, forward());

/** The same numbers as a matrix of another shape. */
const reshaped = ({ data, shape: [rows, columns] }: Floats32): Floats32 => ({ data, shape: [columns, rows] });
const transposedW =
  (where: (R: number, O: number, C: number) => boolean): Kernel =>
  (inputs) => {
    const { x, w } = floats(inputs);
    const isRight = !where(x.shape[0], w.shape[0], w.shape[1]);
    return { y: product(rowsIn(x), isRight ? rowsIn(w) : columnsIn(reshaped(w)), plain) };
  };

const lastRows = (R: number): number => (R > 32 ? R - (R % 32) : R);

/** The sum over so many equal parts, each stored through `by`. */
const inParts =
  (n: number, by: (x: number) => number): Dot =>
  (a, b) => {
    const size = Math.ceil(a.length / n);
    return sum(n, (i) => by(dot(a, b, Math.min(a.length, i * size), Math.min(a.length, i * size + size))));
  };

/** Two halves, split at the floor of the middle. */
const inHalves: Dot = (a, b) => f32(bf16(dot(a, b, 0, a.length >> 1)) + bf16(dot(a, b, a.length >> 1)));

/** bfloat16 in high and low parts, without low · high of the second factor. */
const withoutTerm: Dot = (a, b) => {
  const [high, low] = [a.map(bf16), a.map((x) => bf16(f32(x - bf16(x))))];
  const other = b.map(bf16);
  return f32(dot(high, other) + dot(low, other));
};

export const linearForward = faultsOf("linear.forward", [
  [
    "split-k-floor",
    "tail",
    "split over K in four: C // 4 columns each, the rest dropped",
    () => forward((a, b) => dot(a, b, 0, a.length > 64 ? a.length - (a.length % 4) : a.length)),
  ],
  ["transposed", "index", "where O = C, w is not transposed", () => transposedW((_, O, C) => O === C)],
  [
    "tile-tail",
    "tail",
    "the last O % 32 columns of y are those of the tile before",
    () =>
      spoiling(
        forward(),
        ({
          y: {
            data,
            shape: [, O],
          },
        }) => {
          if (O <= 32) return;
          for (let i = 0; i < data.length; i++) if (i % O >= O - (O % 32)) data[i] = data[i - 32];
        },
      ),
  ],
  [
    "fp16-sum",
    "precision",
    "sums in float16",
    () => forward((a, b) => sum(a.length, (i) => fp16(f32(a[i] * b[i])), fp16)),
  ],
  ["tf32", "precision", "inputs are read as TF32, undeclared", () => through(tf32)],
  [
    "tile-64",
    "size",
    "tiles of 64 × 64 × 16: the tiles beside and below the first read only the first 16 columns",
    () => forward((a, b, i, j) => dot(a, b, 0, i >= 64 && j >= 64 ? Math.min(16, a.length) : a.length)),
  ],
  ["gemv", "index", "for a single row w is read as if it were [C, O]", () => transposedW((R) => R === 1)],
  ["keeps", "state", "y is added to the last call's of the same shape", () => keeping("y", forward())],
  [
    "bf16x3-term-lost",
    "precision",
    "bfloat16 in three products, of which one cross term is lost",
    () => forward(withoutTerm),
  ],
  ["bf16", "precision", "inputs are read as bfloat16, undeclared", () => through(bf16)],
  [
    "split-k-partials-bf16",
    "precision",
    "split over K in 4, whose parts are stored in bfloat16, undeclared",
    () => forward(inParts(4, bf16)),
    { dtype: "bfloat16" },
  ],
]);

export const linearBackward = faultsOf("linear.backward", [
  ["dw-keeps", "state", "dw is added to the last call's of the same shape", () => keeping("dw", backward())],
  [
    "dw-tail",
    "tail",
    "the last R % 32 rows give nothing to dw",
    () => backward({ dw: (a, b) => dot(a, b, 0, lastRows(a.length)) }),
  ],
  ["dy-bf16", "precision", "dw reads dy as bfloat16", () => backward({ dw: (a, b) => dot(a.map(bf16), b) })],
  [
    "bf16-micro",
    "precision",
    "dw is kept in bfloat16 over chunks of 16 rows",
    () => backward({ dw: (a, b) => chunked(a.length, 16, (i) => f32(a[i] * b[i]), bf16) }),
    { dtype: "bfloat16" },
  ],
  [
    "dx-split-bf16",
    "precision",
    "dx is split over O in two, whose parts are stored in bfloat16",
    () => backward({ dx: inHalves }),
    bfloat16Cuda,
  ],
]);
