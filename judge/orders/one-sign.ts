// The order of a sum whose terms have one sign: none cancel, so a large term cannot be taken back. It swallows small ones all the same.
//
// Let term i be M, term j be e, and all others δ, with Nδ half a unit in the last place of M and more than n of them. Terms of one side of a node meet before they meet the other
// side. Where the partial sum of j meets that of i, k terms δ have been added to e: if e = (N − K + ½)δ, what is added to M is more than half a unit if k ≥ K, and
// the sum goes up by one unit; else it is lost. All other partial sums that M meets are of δ alone, fewer than N of them, and are lost. So
//
//   the sum is M + 1 unit  ⇔  K terms or more are with j before j meets i,
//
// and K by bisection tells how many leaves the side of j has; with i and j exchanged, that of i. Both together are ℓ(i, j), of which tree.ts makes the tree. It needs neither
// the sum itself nor its exact value: only that outputs differ for M and M + 1 unit, which is tried first with a single term of one unit. Units that cut off have one
// unit for a half: that is tried where rounding to nearest gives no tree. A term here is only as exact as its square or exponential is, and the ½ allows for it.
import type { Candidate } from "../../reference/candidate.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";
import { runCandidate } from "../candidates/run.ts";
import type { Problem, Sizes } from "../case.ts";
import { roundProblem } from "../verdict.ts";
import type { Revealed } from "./reveal.ts";
import { pairOf } from "./reveal.ts";
import { NoTree, Subtrees, treeOf } from "./tree.ts";

/** One sum of an op. */
export interface OneSign {
  readonly op: string;
  readonly sum: string;
  readonly output: string;
  readonly sizes: Sizes;
  readonly terms: (sizes: Sizes) => number;
  readonly needs?: (sizes: Sizes) => string | undefined;
  /** How many sums a run has. */
  readonly lanes: (sizes: Sizes) => number;
  /** What M may be, in units of its last place; terms are multiples of δ. */
  readonly large: readonly number[];
  /** Terms of each lane, as shares of M. */
  readonly problem: (terms: readonly Float64Array[], large: number, sizes: Sizes) => Problem;
  /** A number of each lane that depends on its sum alone, given where its M is. */
  readonly read: (outputs: Outputs, places: readonly number[], sizes: Sizes) => number[];
}

/** A sum of a candidate. */
export interface AskedOneSign {
  readonly layout: OneSign;
  readonly operation: Operation;
  readonly candidate: Candidate;
  readonly dtype: DTypeName;
  readonly sizes: Sizes;
  readonly onRun?: (runs: number) => void;
}

/** M at i, a share of one unit of it at j, and δ at the others if there are any. */
interface Trial {
  readonly i: number;
  readonly j: number;
  /** e in units in the last place of M; 0 for none. */
  readonly e: number;
  readonly hasRest: boolean;
}

/** Pairs that are asked once more in every lane. */
const CHECKS = 16;

/** Reveals the order. Throws what the candidate throws. */
export async function revealOneSign(asked: AskedOneSign): Promise<Revealed> {
  const asker = new OneSignAsker(asked);
  const places = asker.lanes;
  const none = { trees: [], others: 0, places, findings: [] };
  let reason = "no output tells one unit in the last place of the sum, at any size that was tried";
  for (const half of [0.5, 1]) {
    for (const large of asked.layout.large) {
      if (!(await asker.calibrate(large, half))) continue;
      try {
        const tree = await treeOf(asker.n, (i, others) => asker.sizesOf(i, others));
        await asker.check(new Subtrees(tree));
        const found = { tree, places, first: [0] };
        return { ...none, trees: [found], runs: asker.runs, ...(places > 1 && { atOnce: places }) };
      } catch (error) {
        if (!(error instanceof NoTree)) throw error;
        reason = error.message;
      }
      break;
    }
  }
  return { ...none, reason, runs: asker.runs };
}

class OneSignAsker {
  readonly n: number;
  readonly lanes: number;
  runs = 0;
  private readonly asked: AskedOneSign;
  /** δ = half ÷ N. */
  private readonly N: number;
  private half = 0.5;
  private large = 0;
  private lost = NaN;
  private counted = NaN;

  constructor(asked: AskedOneSign) {
    const { layout, sizes } = asked;
    this.asked = asked;
    this.n = layout.terms(sizes);
    this.lanes = layout.lanes(sizes);
    let N = 4;
    while (N < 2 * this.n) N *= 4;
    this.N = N;
  }

  /** Whether outputs tell M and M + 1 unit apart, in every lane alike. */
  async calibrate(large: number, half: number): Promise<boolean> {
    this.large = large;
    this.half = half;
    const every = async (trial: Trial): Promise<number> => {
      const [first, ...rest] = await this.run(Array.from({ length: this.lanes }, () => trial));
      return rest.every((x) => Object.is(x, first)) ? first : NaN;
    };
    this.lost = await every({ i: 0, j: 1, e: 0, hasRest: false });
    this.counted = await every({ i: 0, j: 1, e: 1, hasRest: false });
    return Math.abs(this.lost - this.counted) > 0;
  }

  /** ℓ(i, j) for each of the others. */
  async sizesOf(i: number, others: readonly number[]): Promise<number[]> {
    const sides = await this.sides([...others.map((j) => [i, j] as const), ...others.map((j) => [j, i] as const)]);
    return others.map((_, k) => {
      const size = sides[k] + sides[others.length + k] + 2;
      if (size > this.n)
        throw new NoTree(
          `terms ${i} and ${others[k]} meet in a partial sum of ${size}, where a tree has at most ${this.n}`,
        );
      return size;
    });
  }

  /** Throws NoTree where some lane has another tree, as far as a few pairs tell. */
  async check(tree: Subtrees): Promise<void> {
    for (let k = 0; k < (this.n > 2 ? CHECKS : 0); k++) {
      const [i, j] = pairOf(k, this.n);
      const [ofJ, ofI] = [tree.sideOf(i, j), tree.sideOf(j, i)];
      for (const [a, b, side] of [
        [i, j, ofJ],
        [j, i, ofI],
      ] as const) {
        for (const K of [side, side + 1]) {
          const seen = await this.reach(Array.from({ length: this.lanes }, () => [a, b, K] as const));
          if (!seen.every((is) => is === K <= side))
            throw new NoTree(
              `terms ${i} and ${j} meet in another partial sum in one of the lanes, or on another trial`,
            );
        }
      }
    }
  }

  /** How many terms are with j before it meets i, for each pair (i, j). */
  private async sides(pairs: readonly (readonly [i: number, j: number])[]): Promise<number[]> {
    const [low, high] = [pairs.map(() => 0), pairs.map(() => this.n - 2)];
    for (;;) {
      const open = pairs.flatMap((_, k) => (low[k] < high[k] ? [k] : []));
      if (open.length === 0) return low;
      for (let from = 0; from < open.length; from += this.lanes) {
        const chunk = open.slice(from, from + this.lanes);
        const tried = chunk.map((k) => [...pairs[k], Math.ceil((low[k] + high[k]) / 2)] as const);
        const seen = await this.reach(tried);
        for (const [lane, k] of chunk.entries()) {
          if (seen[lane]) low[k] = tried[lane][2];
          else high[k] = tried[lane][2] - 1;
        }
      }
    }
  }

  /** Whether K terms or more are with j before it meets i. */
  private async reach(asks: readonly (readonly [i: number, j: number, K: number])[]): Promise<boolean[]> {
    const { N, half } = this;
    const trials = asks.map(([i, j, K]): Trial => ({ i, j, e: (half * (N - K + 0.5)) / N, hasRest: true }));
    while (trials.length < this.lanes) trials.push(trials[0]);
    const values = await this.run(trials);
    return asks.map(([i, j], lane) => {
      const value = values[lane];
      if (value === this.counted) return true;
      if (value === this.lost) return false;
      throw new NoTree(
        `with M at term ${i} and a part of its last unit at term ${j} the output is ${value}, expected ${this.lost} or ${this.counted}`,
      );
    });
  }

  /** A number of each lane. */
  private async run(trials: readonly Trial[]): Promise<number[]> {
    const { layout, operation, candidate, dtype, sizes, onRun } = this.asked;
    const { n, N, half, large } = this;
    const terms = trials.map(({ i, j, e, hasRest }) => {
      const own = new Float64Array(n).fill(hasRest ? half / N / large : 0);
      own[j] = e / large;
      own[i] = 1;
      return own;
    });
    const problem = roundProblem(operation, layout.problem(terms, large, sizes), dtype);
    const { outputs } = await runCandidate(operation, candidate, problem);
    this.runs++;
    onRun?.(this.runs);
    return layout.read(
      outputs,
      trials.map(({ i }) => i),
      sizes,
    );
  }
}
