// What becomes of a mutant of a formula or of a bound, by the trials of one op.
//
// By meaning it is killed where a correct evaluation is outside its bound, and where its bounds are looser than the table says: by how much of them the
// worst evaluations use, on average, and by how many elements have none. Bytes of fixtures, and bounds tighter than the table says, only show that
// something has changed.
import { runInThisContext } from "node:vm";
import { boundIn } from "../../../judge/compare.ts";
import { allowancesOf, expectedAround, truth } from "../../../judge/verdict.ts";
import { dtypes } from "../../../reference/dtype.ts";
import type { Operation } from "../../../reference/operation.ts";
import { operations } from "../../../reference/ops/index.ts";
import type { Tensor } from "../../../reference/tensor.ts";
import { type Figures, looserThan, statedTightness, tighterThan, type Tightness } from "./tightness.ts";
import type { Extremes, Trial } from "./extremes.ts";
import { drawnTrials, trialsOf } from "./trials.ts";

/**
 * k: a correct evaluation is accused, or the op throws. w: bounds are wider than the table of tightness says. t: it does not end. b: only what is
 * recorded shows it, bytes of fixtures or a bound tighter than the table says. v: it changes numbers, and nothing notices. n: it changes none.
 */
export type Found = "k" | "w" | "t" | "b" | "v" | "n";

const PATIENCE = 20;
const LEAST_MS = 2000;
/** Cases for an explained mutant. */
const EXPLAINED = 1000;

interface Sum {
  total: number;
  count: number;
  unjudged: number;
}

interface Numbers {
  readonly want: Readonly<Record<string, Tensor<Float64Array>>>;
  readonly allowed: ReturnType<typeof allowancesOf>;
}

export class Bench {
  readonly op: string;
  readonly #trials: readonly Trial[];
  readonly #own: readonly Numbers[];
  readonly #tightness: Figures;
  readonly #stated: Figures;
  readonly #limit: number;
  #drawn: readonly Trial[] | undefined;

  constructor(op: string) {
    this.op = op;
    const operation = operations.get(op)!;
    this.#trials = trialsOf(op);
    const begin = performance.now();
    this.#own = this.#trials.map((trial) => numbersOf(operation, trial));
    this.#limit = Math.ceil(LEAST_MS + PATIENCE * (performance.now() - begin));
    const sums = new Map<string, Sum>();
    for (const [n, trial] of this.#trials.entries()) {
      const isRight = compare(trial, this.#own[n]!, sums);
      if (!isRight) throw new Error(`${trial.line}: the op itself is outside`);
    }
    this.#tightness = averages(sums);
    this.#stated = statedTightness(op);
  }

  /** Groups in which the bounds themselves are looser or tighter than stated. */
  get unstated(): readonly string[] {
    return [looserThan, tighterThan].flatMap((other) => other(this.#stated, this.#tightness));
  }

  /** As the bounds are. */
  get tightness(): Figures {
    return this.#tightness;
  }

  get lines(): readonly string[] {
    return this.#trials.map(({ line }) => line);
  }

  /** `make` gives the op as the mutant has it. */
  fateOf(make: () => Operation): Found {
    let found: Found = "t";
    const all = { run: () => (found = this.#judged(make)) };
    const key = "__touchstoneMutant";
    Object.assign(globalThis, { [key]: all });
    try {
      runInThisContext(`${key}.run()`, { timeout: this.#limit });
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    }
    return found;
  }

  /** Whether some of a thousand cases tell an explained mutant from the op, by any bit. */
  refutes(make: () => Operation): boolean {
    const [operation, mutant] = [operations.get(this.op)!, make()];
    this.#drawn ??= drawnTrials(this.op, EXPLAINED);
    return this.#drawn.some((trial) => !isSame(numbersOf(mutant, trial), numbersOf(operation, trial)));
  }

  #judged(make: () => Operation): Found {
    const sums = new Map<string, Sum>();
    let change: Found = "n";
    try {
      const operation = make();
      for (const [n, trial] of this.#trials.entries()) {
        const numbers = numbersOf(operation, trial);
        if (!compare(trial, numbers, sums)) return "k";
        if (!isSame(numbers, this.#own[n]!) && change !== "b") change = trial.isFixture ? "b" : "v";
      }
    } catch {
      return "k";
    }
    const figures = averages(sums);
    if (looserThan(this.#stated, figures).length > 0) return "w";
    return tighterThan(this.#stated, figures).length > 0 ? "b" : change;
  }
}

function numbersOf(operation: Operation, { problem, target, errors }: Trial): Numbers {
  return { want: truth(operation, problem), allowed: allowancesOf(operation, problem, target, errors) };
}

/** Whether every correct evaluation is within the bound; adds how far each element's worst comes. */
function compare({ group, extremes }: Trial, { want, allowed }: Numbers, sums: Map<string, Sum>): boolean {
  for (const [name, known] of Object.entries(extremes)) {
    const expected = expectedAround(want[name]!, allowed[name]!);
    if (expected.want.data.length !== known.low.length) return false;
    if (expected.allowed.data.length !== known.low.length) return false;
    const key = `${group}: ${name}`;
    let sum = sums.get(key);
    if (sum === undefined) sums.set(key, (sum = { total: 0, count: 0, unjudged: 0 }));
    if (!compareOutput(known, expected.want.data, expected.allowed.data, sum)) return false;
  }
  return true;
}

function compareOutput(
  { low, high, isBroken }: Extremes,
  want: Float64Array,
  allowed: Float64Array,
  sum: Sum,
): boolean {
  for (let i = 0; i < low.length; i++) {
    const w = want[i]!;
    const bound = boundIn(w, allowed[i]!, dtypes.float32);
    // A bound that is no number is none.
    if (!(bound < Infinity) || !Number.isFinite(w)) {
      sum.unjudged++;
      continue;
    }
    if (isBroken[i] === 1) return false;
    if (Number.isNaN(low[i])) continue;
    const error = Math.max(Math.abs(low[i]! - w), Math.abs(high[i]! - w));
    if (!(error <= bound)) return false;
    sum.total += bound === 0 ? 1 : error / bound;
    sum.count++;
  }
  return true;
}

function averages(sums: ReadonlyMap<string, Sum>): Record<string, Tightness> {
  return Object.fromEntries(
    [...sums].map(([key, { total, count, unjudged }]): [string, Tightness] => [
      key,
      [count === 0 ? 0 : total / count, unjudged],
    ]),
  );
}

function isSame(a: Numbers, b: Numbers): boolean {
  return Object.keys(b.want).every(
    (name) =>
      isEqual(a.want[name]!.data, b.want[name]!.data) &&
      isEqual(a.allowed[name]!.data, b.allowed[name]!.data) &&
      isEqual(a.allowed[name]!.centre ?? [], b.allowed[name]!.centre ?? []),
  );
}

function isEqual(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (x: number, i: number) => Object.is(x, b[i]));
}
