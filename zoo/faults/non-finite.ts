// Faults that show where numbers are NaN or infinite, or where a query sees nothing.
import * as attention from "./attention-forward.ts";
import { type Fault, faultsOf } from "./fault.ts";
import { f32, type Floats32, spoiling, sum } from "./kernel.ts";
import * as linear from "./linear.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as swiglu from "./swiglu.ts";

const ieee = { target: "ieee" } as const;
const passedOn = { ...ieee, source: "tinygrad/tinygrad 7063" } as const;
const numberOr0 = (x: number): number => (Number.isNaN(x) ? 0 : x);

export const nonFinite: readonly Fault[] = [
  faultsOf("linear.forward", [
    [
      "zeros-skipped",
      "range",
      "terms with a zero are skipped, as reference BLAS does: 0 · ∞ is not NaN",
      () => linear.forward((a, b) => sum(a.length, (i) => (a[i] === 0 || b[i] === 0 ? 0 : f32(a[i] * b[i])))),
      { ...ieee, source: "reference BLAS, dgemm", convention: true },
    ],
  ]),
  faultsOf("rmsnorm.forward", [
    ["nan-is-0", "range", "NaN counts as 0", () => rmsnorm.forward({ row: (x) => x.map(numberOr0) }), passedOn],
  ]),
  faultsOf("swiglu.forward", [
    [
      "nan-is-0",
      "range",
      "a NaN result is written as 0",
      () => spoiling(swiglu.forward(), ({ y }) => y.data.set(y.data.map(numberOr0))),
      passedOn,
    ],
  ]),
  faultsOf("attention.forward", [
    [
      "masked-value-leaks",
      "mask",
      "values of masked keys count with weight 0, and 0 · NaN is NaN",
      () =>
        spoiling(attention.forward(), ({ y }, { v }) => {
          if (v.data.every((x) => Number.isFinite(x))) return;
          each(y, v as Floats32, (i, { first, S, value }) => {
            for (let s = Math.max(0, first); s < S; s++) if (!Number.isFinite(value(s))) y.data[i] = NaN;
          });
        }),
      { ...ieee, source: "facebookresearch/xformers, its NaN-in-padding test", convention: true },
    ],
    [
      "mask-of-65504",
      "mask",
      "masked scores are −65,504: a query that sees nothing gets the mean of all values",
      () =>
        spoiling(attention.forward(), ({ y }, { v }) => {
          each(y, v as Floats32, (i, { first, S, value }) => {
            if (first <= 0 && S > 0) y.data[i] = sum(S, value) / S;
          });
        }),
      { dtype: "float16", source: "ahrefs/ocannl 548", convention: true },
    ],
  ]),
].flat();

/** What an element of y is made of: the first key that its query does not see, and each key's number of v. */
interface Made {
  readonly first: number;
  readonly S: number;
  readonly value: (s: number) => number;
}

function each(y: Floats32, v: Floats32, of: (i: number, made: Made) => void): void {
  const [, T, NH, HS] = y.shape;
  const [, S, NKV] = v.shape;
  for (let i = 0; i < y.data.length; i++) {
    const row = Math.floor(i / HS);
    const [h, t, b] = [row % NH, Math.floor(row / NH) % T, Math.floor(row / (NH * T))];
    const value = (s: number): number => v.data[((b * S + s) * NKV + Math.floor((h * NKV) / NH)) * HS + (i % HS)];
    of(i, { first: t + S - T + 1, S, value });
  }
}
