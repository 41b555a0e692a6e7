// Correct evaluations of RMSNorm: each form of the mean square, of rstd, of the products, and of the gradient.
import type { Tensor } from "../reference/tensor.ts";
import { entriesOf, type EvaluationOf, output, rowsOf } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type Row = readonly number[];

const reciprocal = (f: Float32Arithmetic, n: number): number => f.divide(1, n);

const meanSquares = {
  "mean-as-quotient": (f, x) => f.divide(f.dot(x, x), x.length),
  "mean-by-reciprocal": (f, x) => f.multiply(f.dot(x, x), reciprocal(f, x.length)),
  "mean-of-quotients": (f, x) => f.sum(x.map((v) => f.divide(f.multiply(v, v), x.length))),
  "mean-of-shares": (f, x) => {
    const share = reciprocal(f, x.length);
    return f.dot(
      x,
      x.map((v) => f.multiply(v, share)),
    );
  },
} satisfies Readonly<Record<string, (f: Float32Arithmetic, x: Row) => number>>;

/** From mean square + eps to rstd. */
const roots = {
  "rstd-by-inverse-sqrt": (f, moment) => f.inverseSqrt(moment),
  "rstd-by-root": (f, moment) => f.divide(1, f.sqrt(moment)),
} satisfies Readonly<Record<string, (f: Float32Arithmetic, moment: number) => number>>;

type Product = (f: Float32Arithmetic, x: number, w: number, rstd: number, moment: number) => number;
const products = {
  "rstd-first": (f, x, w, rstd) => f.multiply(f.stored("n", f.multiply(x, rstd)), w),
  "gain-scaled-first": (f, x, w, rstd) => f.multiply(x, f.stored("rstd · w", f.multiply(rstd, w))),
  "gain-first": (f, x, w, rstd) => f.multiply(f.stored("x · w", f.multiply(x, w)), rstd),
  "over-root-first": (f, x, w, _, moment) => f.multiply(f.stored("n", f.divide(x, f.sqrt(moment))), w),
  "over-root-last": (f, x, w, _, moment) => f.divide(f.stored("x · w", f.multiply(x, w)), f.sqrt(moment)),
  "gain-over-root": (f, x, w, _, moment) => f.multiply(x, f.divide(w, f.sqrt(moment))),
} satisfies Readonly<Record<string, Product>>;

// Each product with each root; the forms of the mean square take turns.
export const forward = entriesOf(products).flatMap(([form, product], p) =>
  entriesOf(roots).map(([root, inverseRoot], q): EvaluationOf<"rmsnorm.forward"> => {
    const means = entriesOf(meanSquares);
    const [mean, meanSquare] = means[(p + 2 * q) % means.length];
    return {
      op: "rmsnorm.forward",
      covers: [mean, root, form],
      evaluate: (f, { x, w }, { eps }) => {
        const y = output(x.shape);
        const rstd = output([x.shape[0]]);
        rowsOf(x as Tensor).forEach((row, r) => {
          const moment = f.add(f.stored("mean square", meanSquare(f, row)), Number(eps));
          const scale = f.stored("rstd", inverseRoot(f, moment));
          rstd.data[r] = scale;
          row.forEach((v, c) => (y.data[r * row.length + c] = product(f, v, w.data[c], scale, moment)));
        });
        return { y, rstd };
      },
    };
  }),
);

interface RowOf {
  readonly dy: Row;
  readonly x: Row;
  readonly w: Row;
  readonly rstd: number;
}

const elementwise = (f: Float32Arithmetic, a: Row, b: Row): number[] => a.map((v, i) => f.multiply(v, b[i]));
const gained = (f: Float32Arithmetic, dy: Row, w: Row): number[] => elementwise(f, dy, w).map((v) => f.stored("dn", v));
const normed = (f: Float32Arithmetic, x: Row, rstd: number): number[] =>
  x.map((v) => f.stored("n", f.multiply(v, rstd)));

const gradients = {
  factored: (f, { dy, x, w, rstd }) => {
    const dn = gained(f, dy, w);
    const n = normed(f, x, rstd);
    const mean = f.stored("mean", f.divide(f.dot(dn, n), x.length));
    return dn.map((v, c) => f.multiply(rstd, f.multiplyAdd(-n[c], mean, v)));
  },
  "multiplied-out": (f, { dy, x, w, rstd }) => {
    const n = normed(f, x, rstd);
    const mean = f.multiply(f.dot(elementwise(f, dy, n), w), reciprocal(f, x.length));
    const along = f.multiply(rstd, mean);
    return n.map((v, c) => f.multiplyAdd(-v, along, f.multiply(rstd, f.multiply(dy[c], w[c]))));
  },
  "rstd-squared": (f, { dy, x, w, rstd }) => {
    const dn = gained(f, dy, w);
    const along = f.multiply(f.multiply(rstd, rstd), f.divide(f.dot(dn, x), x.length));
    return dn.map((v, c) => f.multiply(f.multiplyAdd(-x[c], along, v), rstd));
  },
  "rstd-cubed": (f, { dy, x, w, rstd }) => {
    const dn = gained(f, dy, w);
    const cube = f.multiply(f.multiply(rstd, rstd), rstd);
    const along = f.multiply(cube, f.divide(f.dot(dn, x), x.length));
    return dn.map((v, c) => f.subtract(f.multiply(rstd, v), f.multiply(x[c], along)));
  },
  // An autograd's gradient of mean(x²) and its root: −½ · rstd³ is the root's slope, 2x / C that of the mean.
  autograd: (f, { dy, x, w, rstd }) => {
    const dn = gained(f, dy, w);
    const cube = f.multiply(f.multiply(rstd, rstd), rstd);
    const along = f.divide(f.multiply(f.multiply(-0.5, f.dot(dn, x)), cube), x.length);
    return dn.map((v, c) => f.add(f.multiply(rstd, v), f.multiply(along, 2 * x[c])));
  },
  "reciprocal-first": (f, { dy, x, w, rstd }) => {
    const dn = gained(f, dy, w);
    const along = f.multiply(f.multiply(f.multiply(reciprocal(f, x.length), rstd), rstd), f.dot(dn, x));
    return dn.map((v, c) => f.subtract(f.multiply(rstd, v), f.multiply(f.multiply(rstd, along), x[c])));
  },
  "length-outside": (f, { dy, x, w, rstd }) => {
    const [dn, C] = [gained(f, dy, w), x.length];
    const n = normed(f, x, rstd);
    const [projection, share] = [f.dot(dn, n), f.divide(rstd, C)];
    return dn.map((v, c) => f.multiply(share, f.subtract(f.multiply(C, v), f.multiply(n[c], projection))));
  },
} satisfies Readonly<Record<string, (f: Float32Arithmetic, row: RowOf) => Row>>;

/** The source of rstd: saved, or computed again in each form of the forward. */
type Scale = (f: Float32Arithmetic, x: Row, saved: number, eps: number) => number;
type ScaleForms = readonly ("rstd-saved" | keyof typeof roots | keyof typeof meanSquares)[];
const scales: readonly (readonly [ScaleForms, Scale])[] = [
  [["rstd-saved"], (_, __, saved) => saved],
  ...entriesOf(roots).flatMap(([root, inverseRoot]) =>
    entriesOf(meanSquares).map(([mean, meanSquare]): [ScaleForms, Scale] => [
      [root, mean],
      (f, x, _, eps) => inverseRoot(f, f.add(meanSquare(f, x), eps)),
    ]),
  ),
];

/** The terms of dw. */
const gains = {
  "gain-term-of-n": (f, dy, x, rstd) => f.stored("term", f.multiply(dy, f.stored("n", f.multiply(x, rstd)))),
  "gain-term-scaled-last": (f, dy, x, rstd) => f.stored("term", f.multiply(f.multiply(dy, x), rstd)),
} satisfies Readonly<Record<string, (f: Float32Arithmetic, dy: number, x: number, rstd: number) => number>>;

// Each gradient with each form of the terms of dw, and with rstd saved or recomputed; the forms of recomputing take turns.
export const backward = entriesOf(gradients).flatMap(([dxForm, gradient], p) =>
  entriesOf(gains).flatMap(([dwForm, gain], q) =>
    [scales[0], scales[1 + ((2 * p + q) % (scales.length - 1))]].map(
      ([scaleForms, scaleOf]): EvaluationOf<"rmsnorm.backward"> => ({
        op: "rmsnorm.backward",
        covers: [dxForm, dwForm, ...scaleForms],
        evaluate: (f, inputs, { eps }) => {
          const { dy, x, w, rstd } = inputs as Record<string, Tensor>;
          const dx = output(x.shape);
          const dw = output(w.shape);
          const [dyRows, xRows, gainRow] = [rowsOf(dy), rowsOf(x), Array.from(w.data)];
          const C = gainRow.length;
          const scale = xRows.map((row, r) => scaleOf(f, row, rstd.data[r], Number(eps)));
          xRows.forEach((row, r) => {
            dx.data.set(gradient(f, { dy: dyRows[r], x: row, w: gainRow, rstd: scale[r] }), r * C);
          });
          for (let c = 0; c < C; c++) {
            dw.data[c] = f.sum(xRows.map((row, r) => gain(f, dyRows[r][c], row[c], scale[r])));
          }
          return { dx, dw };
        },
      }),
    ),
  ),
);
