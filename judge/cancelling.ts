// Inputs at which a sum of 16-bit numbers reveals the format it was accumulated in.
//
// An output that is rounded to 8 or 11 bits hides the errors of its sum, unless the sum is 0: then the output is the error
// itself, with 8 or 11 bits of its own. So half of the terms cancel the other half, at places drawn at random: in any order
// of summation the partial sums are as large as those of random terms, and every rounding of one remains.
//
// bfloat16 and float16 sums err alike where one is in pairs and the other is not. On whole numbers that add up to at most
// 2^11 a sum in float16 is exact in any order; one in bfloat16 has 2^8.
import { powerOfTwo } from "../reference/elementary.ts";
import { axesOf, type Inputs, type Operation } from "../reference/operation.ts";
import { forward as attention } from "../reference/ops/attention.ts";
import { bits } from "../reference/random.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";

/** Makes other inputs of the same shapes. `seed` decides the random numbers. */
export type Change = (operation: Operation, problem: Problem, seed: number) => Problem;

/** Errors of float32 are lifted above the least float16, whose grid would swallow them. */
const LIFT = powerOfTwo(6);

/**
 * Pairs the places of an axis: the second of each pair gets the numbers of the first, in the inputs that are `odd` with the
 * other sign. A sum over the axis of terms with one odd factor is then 0. An unpaired place is 0 in the odd inputs.
 */
export function mirroredAlong(axis: string, odd: readonly string[]): Change {
  return (operation, { inputs, scalars }, seed) => {
    const changed = Object.entries(inputs).map(([name, t]): [string, Tensor<Floats | Ints>] => {
      const at = axesOf(operation.inputs[name]).indexOf(axis);
      if (at < 0) return [name, t];
      const isOdd = odd.includes(name);
      const [length, inner] = [t.shape[at], sizeOf(t.shape.slice(at + 1))];
      const { source, sign } = pairs(length, seed);
      const data = t.data.slice();
      for (let i = 0; i < data.length; i++) {
        const place = Math.floor(i / inner) % length;
        const x = t.data[i + (source[place] - place) * inner];
        data[i] = isOdd ? LIFT * sign[place] * x : x;
      }
      return [name, { data, shape: t.shape }];
    });
    return { inputs: Object.fromEntries(changed) as Inputs, scalars };
  };
}

/** For each place, the place whose numbers it gets, and their sign. */
function pairs(n: number, seed: number): { source: number[]; sign: number[] } {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = bits(seed, 25, i) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const [source, sign] = [Array.from(order), Array.from<number>({ length: n }).fill(0)];
  for (let i = 0; i + 1 < n; i += 2) {
    source[order[i]] = source[order[i + 1]] = order[i];
    [sign[order[i]], sign[order[i + 1]]] = [1, -1];
  }
  return { source, sign };
}

/** One change after another. */
export function both(first: Change, second: Change): Change {
  return (operation, problem, seed) => second(operation, first(operation, problem, seed), seed);
}

/** Attention's backward with the y and lse that the forward leaves for these inputs. */
export const savedAgain: Change = (_, { inputs, scalars }) => {
  const { q, k, v } = inputs as Record<string, Tensor>;
  return { inputs: { ...inputs, ...attention(q, k, v) }, scalars };
};

/** dy along x, and gains of 1: dn = x, so that rstd · (dn − n · mean(dn · n)) is rstd · eps · rstd² · x and nearly 0. */
export const alongTheNorm: Change = (_, { inputs, scalars }) => {
  const { x, w } = inputs as Record<string, Tensor>;
  return { inputs: { ...inputs, dy: x, w: { data: w.data.map(() => 1) as Floats, shape: w.shape } }, scalars };
};

/** The sizes of the lattice's numbers, from 0 to 4: products up to 16 of one sign. */
export const counted: Change = (_, { inputs, scalars }) => ({
  inputs: Object.fromEntries(
    Object.entries(inputs).map(([name, t]): [string, Tensor<Floats | Ints>] => [
      name,
      t.data instanceof Int32Array ? t : { data: (t.data as Floats).map((x) => Math.abs(x)) as Floats, shape: t.shape },
    ]),
  ),
  scalars,
});

/** Keys of 0 weigh all values alike: if their number is a power of two, y is the sum of the values times an exact factor. */
export const alikeKeys: Change = (_, { inputs, scalars }) => {
  const { k } = inputs as Record<string, Tensor>;
  return { inputs: { ...inputs, k: { data: k.data.map(() => 0) as Floats, shape: k.shape } }, scalars };
};
