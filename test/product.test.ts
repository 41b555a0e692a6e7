import fc from "fast-check";
import { expect, test } from "vitest";
import { bits } from "../reference/random.ts";
import { type Operand, plainProduct, product } from "../reference/product.ts";
import type { Floats } from "../reference/tensor.ts";

const SPECIAL = [0, -0, NaN, Infinity, -Infinity, 1e300, -1e300, Number.MIN_VALUE, 1e-45, 3.4028234663852886e38];

/** Row-major or transposed, with or without numbers before the matrix and a gap after each vector. */
interface Layout {
  readonly transposed: boolean;
  readonly start: number;
  readonly gap: number;
}

/** An [n, K] matrix in that layout; one element in `every` is special, the others span many magnitudes. */
function operand(
  Storage: new (n: number) => Floats,
  n: number,
  K: number,
  layout: Layout,
  seed: number,
  every: number,
) {
  const [outer, inner] = layout.transposed ? [1, n + layout.gap] : [K + layout.gap, 1];
  const { start } = layout;
  const data = new Storage(start + (layout.transposed ? K * inner : n * outer));
  for (let i = 0; i < data.length; i++) {
    const word = bits(seed, 1, i);
    const ordinary = (word / 2147483648 - 1) * 2 ** ((word % 41) - 20);
    data[i] = bits(seed, 2, i) % every === 0 ? SPECIAL[word % SPECIAL.length] : ordinary;
  }
  return (start > 0 ? { data, start, outer, inner } : { data, outer, inner }) satisfies Operand;
}

const storage = fc.constantFrom<new (n: number) => Floats>(Float32Array, Float64Array);
const layout = fc.record({ transposed: fc.boolean(), start: fc.nat(2), gap: fc.nat(3) });
const length = fc.oneof(fc.nat(9), fc.nat(40));

test("the fast product has the bits of the plain loops: any shape, layout and storage, -0, NaN and infinity included", () => {
  const problem = fc.record({
    I: fc.oneof(fc.constant(1), length),
    J: length,
    K: length,
    A: storage,
    B: storage,
    Out: storage,
    a: layout,
    b: layout,
    seed: fc.nat(),
    every: fc.constantFrom(2, 10, 1000),
  });
  let fast = 0;
  let single = 0;
  fc.assert(
    fc.property(problem, ({ I, J, K, A, B, Out, a, b, seed, every }) => {
      const left = operand(A, I, K, a, seed, every);
      const right = operand(B, J, K, b, seed + 1, every);
      // An element that is not written keeps its mark; a write beyond the end shows.
      const want = new Out(I * J + 3).fill(7);
      const got = new Out(I * J + 3).fill(7);
      plainProduct(want, I, J, K, left, right);
      product(got, I, J, K, left, right);
      for (let i = 0; i < want.length; i++) if (!Object.is(got[i], want[i])) return false;
      if (I > 1 && I * J * K >= 512) fast++;
      if (I === 1 && J > 8 && K > 0) single++;
      return true;
    }),
    { numRuns: 1000, seed: 1 },
  );
  expect(fast).toBeGreaterThan(100); // the small ones are plain loops themselves
  expect(single).toBeGreaterThan(100);
});

test("the product of a hand-computed example", () => {
  const a = { data: Float64Array.of(1, 2, 3, 4, 5, 6), outer: 3, inner: 1 }; // [[1, 2, 3], [4, 5, 6]]
  const b = { data: Float64Array.of(1, 0, -1, 2, 1, 0), outer: 3, inner: 1 }; // [[1, 0, −1], [2, 1, 0]]
  const out = new Float64Array(4);
  plainProduct(out, 2, 2, 3, a, b);
  expect([...out]).toEqual([-2, 4, -2, 13]);
});

test("each sum is rounded once: in float32 storage it is the double sum", () => {
  // 2²⁴ + 1 is no float32, so float32 additions would lose every 1.
  const K = 600;
  const a = { data: new Float32Array(K).fill(1), outer: K, inner: 1 };
  const b = { data: new Float32Array(K).fill(1), outer: K, inner: 1 };
  a.data[0] = 16777216;
  for (const multiply of [plainProduct, product]) {
    const out = new Float32Array(1);
    multiply(out, 1, 1, K, a, b);
    expect(out[0]).toBe(16777216 + 600);
  }
});
