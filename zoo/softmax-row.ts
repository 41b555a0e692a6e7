// The maximum of a row and the sum of its exponentials, in each covered way: cross-entropy and softmax begin with them.
import type { Float32Arithmetic } from "./arithmetic.ts";
import { largest } from "../reference/lists.ts";

const { LOG2E } = Math;
const LANES = 4;

export interface State {
  readonly max: number;
  /** Σ e^(logit − max). */
  readonly sum: number;
}

export type Exponential = (f: Float32Arithmetic, x: number) => number;
export type Statistics = (f: Float32Arithmetic, e: Exponential, row: readonly number[]) => State;

export const natural: Exponential = (f, x) => f.exp(x);
export const binary: Exponential = (f, x) => f.exp2(f.multiply(x, f.constant(LOG2E)));

export const maximumFirst: Statistics = (f, e, row) => {
  const max = largest(row);
  return {
    max,
    sum: f.sum(row.map((logit) => f.stored("summand", e(f, f.stored("x − max", f.subtract(logit, max)))))),
  };
};

/** The sum relative to another maximum; if that is the same, nothing is rounded. */
function rescaled(f: Float32Arithmetic, e: Exponential, { max, sum }: State, to: number): number {
  return max === to || sum === 0 ? sum : f.multiply(sum, e(f, f.subtract(max, to)));
}

export const running: Statistics = (f, e, row) => {
  let state: State = { max: -Infinity, sum: 0 };
  for (const logit of row) {
    if (logit === -Infinity) continue; // a masked class: (−∞) − (−∞) would be NaN
    const max = Math.max(state.max, logit);
    state = { max, sum: f.add(rescaled(f, e, state, max), f.stored("summand", e(f, f.subtract(logit, max)))) };
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
  const max = largest(states.map((state) => state.max));
  return { max, sum: f.sum(states.map((state) => rescaled(f, e, state, max))) };
};
