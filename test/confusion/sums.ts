// Sums of products in several orders, written on their own: none of these goes through the zoo's arithmetic.
import { cutOff, nearest, type Reading } from "./line.ts";

/** Σ a[k] · b[k] for k from 0 to before n. */
export type Dot = (a: Float64Array, b: Float64Array, n: number) => number;

const { fround } = Math;
/** Partial sums of a tensor core are as long as its k. */
const CORE = 8;
const BLOCK = 32;
const LANES = 64;

const sequential: Dot = (a, b, n) => {
  let total = 0;
  for (let k = 0; k < n; k++) total = fround(total + a[k] * b[k]); // a fused multiply-add but for a double rounding
  return total;
};

const unfused: Dot = (a, b, n) => {
  let total = 0;
  for (let k = n - 1; k >= 0; k--) total = fround(total + fround(a[k] * b[k]));
  return total;
};

const blocked: Dot = (a, b, n) => {
  let total = 0;
  for (let from = 0; from < n; from += BLOCK) {
    let block = 0;
    for (let k = from; k < Math.min(n, from + BLOCK); k++) block = fround(block + a[k] * b[k]);
    total = fround(total + block);
  }
  return total;
};

const lanes: Dot = (a, b, n) => {
  const sums = new Float32Array(LANES);
  for (let k = 0; k < n; k++) sums[k % LANES] += a[k] * b[k];
  for (let width = LANES / 2; width >= 1; width /= 2) for (let i = 0; i < width; i++) sums[i] += sums[i + width];
  return sums[0];
};

/** Products of a step are added exactly, and the sum to it is cut off to float32: what is known of NVIDIA's matrix units. */
const core: Dot = (a, b, n) => {
  let total = 0;
  for (let from = 0; from < n; from += CORE) {
    let step = total;
    for (let k = from; k < Math.min(n, from + CORE); k++) step += a[k] * b[k];
    total = towardsZero(step);
  }
  return total;
};

/** Each addition cut off to float32, one after another. */
const truncating: Dot = (a, b, n) => {
  let total = 0;
  for (let k = 0; k < n; k++) total = towardsZero(total + a[k] * b[k]);
  return total;
};

const truncatingLanes: Dot = (a, b, n) => {
  const sums = new Float64Array(LANES);
  for (let k = 0; k < n; k++) sums[k % LANES] = towardsZero(sums[k % LANES] + towardsZero(a[k] * b[k]));
  return sums.reduce((total, x) => towardsZero(total + x), 0);
};

function towardsZero(x: number): number {
  const near = fround(x);
  return Math.abs(near) > Math.abs(x) ? cutOff("float32")(x) : near;
}

export const exactOrders = { sequential, unfused, blocked, lanes } as const satisfies Readonly<Record<string, Dot>>;
export const cores = { core } as const;
export const truncatingOrders = { truncating, truncatingLanes } as const;

/** Long blocks in float32, their sums added up in a low format: the first block is whole, so short sums never are low. */
export function lowBlocks(format: "bfloat16" | "float16", block: number): Dot {
  const keep: Reading = nearest(format);
  return (a, b, n) => {
    let total = 0;
    for (let from = 0; from < n; from += block) {
      let sum = 0;
      for (let k = from; k < Math.min(n, from + block); k++) sum = fround(sum + a[k] * b[k]);
      total = from === 0 ? sum : fround(total + keep(sum));
    }
    return total;
  };
}

/** The same orders with every partial sum kept in a low format. */
export function lowOrders(format: "bfloat16" | "float16"): Readonly<Record<string, Dot>> {
  const keep: Reading = nearest(format);
  return {
    sequential: (a, b, n) => {
      let total = 0;
      for (let k = 0; k < n; k++) total = keep(total + a[k] * b[k]);
      return total;
    },
    blocked: (a, b, n) => {
      let total = 0;
      for (let from = 0; from < n; from += BLOCK) {
        let block = 0;
        for (let k = from; k < Math.min(n, from + BLOCK); k++) block = keep(block + a[k] * b[k]);
        total = keep(total + block);
      }
      return total;
    },
    pairwise: (a, b, n) => {
      const sums = Float64Array.from({ length: n }, (_, k) => keep(a[k] * b[k]));
      for (let left = n; left > 1; left = Math.ceil(left / 2)) {
        const half = Math.ceil(left / 2);
        for (let i = 0; i + half < left; i++) sums[i] = keep(sums[i] + sums[i + half]);
      }
      return sums[0] ?? 0;
    },
  };
}
