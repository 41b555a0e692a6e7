// The maximum of a row and the sum of its exponentials, in each covered way: cross-entropy and softmax begin with them.
import type { Float32Arithmetic } from "./arithmetic.ts";
import { largest } from "../reference/lists.ts";

const { LOG2E } = Math;
const LANES = 8;
const BLOCK = 16;

export interface State {
  readonly max: number;
  /** Σ e^(logit − max). */
  readonly sum: number;
}

/** e^(x − m). */
export type Exponential = (f: Float32Arithmetic, x: number, m: number) => number;
export type Statistics = (f: Float32Arithmetic, e: Exponential, row: readonly number[]) => State;

export const natural: Exponential = (f, x, m) => f.exp(f.stored("x − max", f.subtract(x, m)));
export const binary: Exponential = (f, x, m) =>
  f.exp2(f.multiply(f.stored("x − max", f.subtract(x, m)), f.constant(LOG2E)));
/** Both numbers times log2 e before they are subtracted, as FlashAttention does. */
export const fused: Exponential = (f, x, m) =>
  f.exp2(f.multiplyAdd(x, f.constant(LOG2E), -f.multiply(m, f.constant(LOG2E))));

/** e^(logit − max) as a term of the sum. */
const term = (f: Float32Arithmetic, e: Exponential, logit: number, max: number): number =>
  f.stored("exp", f.stored("exp in the sum", e(f, logit, max)));

export const maximumFirst: Statistics = (f, e, row) => {
  const max = largest(row);
  return { max, sum: f.sum(row.map((logit) => term(f, e, logit, max))) };
};

/** The sum relative to another maximum; if that is the same, nothing is rounded. */
function rescaled(f: Float32Arithmetic, e: Exponential, state: State, to: number): number {
  return state.max === to ? state.sum : merged(f, e, state, to);
}

/** The same by a product with e^(max − to), whatever that is. The difference of maxima is rounded, not their products. */
function merged(f: Float32Arithmetic, e: Exponential, { max, sum }: State, to: number): number {
  return sum === 0 ? sum : f.multiply(sum, (e === fused ? binary : e)(f, max, to));
}

export const running: Statistics = (f, e, row) => {
  let state: State = { max: -Infinity, sum: 0 };
  for (const logit of row) {
    if (logit === -Infinity) continue; // a masked class: (−∞) − (−∞) would be NaN
    const max = Math.max(state.max, logit);
    state = { max, sum: f.add(rescaled(f, e, state, max), term(f, e, logit, max)) };
  }
  return state;
};

export const runningInBlocks: Statistics = (f, e, row) => {
  let state: State = { max: -Infinity, sum: 0 };
  for (let from = 0; from < row.length; from += BLOCK) {
    const block = row.slice(from, from + BLOCK);
    const max = Math.max(state.max, largest(block));
    if (max === -Infinity) continue;
    state = {
      max,
      sum: f.add(merged(f, e, state, max), f.sum(block.map((logit) => term(f, e, logit, max)))),
    };
  }
  return state;
};

export const runningInLanes: Statistics = (f, e, row) => {
  const states = Array.from({ length: Math.min(LANES, row.length) }, (_, lane) =>
    running(
      f,
      e,
      row.filter((_logit, v) => v % LANES === lane),
    ),
  );
  return mergedInTree(f, e, states);
};

function mergedInTree(f: Float32Arithmetic, e: Exponential, states: readonly State[]): State {
  if (states.length < 2) return states[0] ?? { max: -Infinity, sum: 0 };
  const middle = states.length >> 1;
  const halves = [states.slice(0, middle), states.slice(middle)].map((half) => mergedInTree(f, e, half));
  const max = largest(halves.map((half) => half.max));
  return { max, sum: f.sum(halves.map((half) => merged(f, e, half, max))) };
}
