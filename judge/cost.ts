// What a case will cost the judge itself, from what the largest one so far cost.
import { numbersOfCase } from "./case-memory.ts";
import type { Case } from "./case.ts";
import type { Chosen } from "./choose.ts";
import { isSampled, MOST_TRUTH } from "./sampled.ts";

/** What it takes to make a number and to look at it, in products. */
const PER_NUMBER = 4;

export class Cost {
  private readonly chosen: Chosen;
  private largest = { ms: 0, work: 0 };

  constructor(chosen: Chosen) {
    this.chosen = chosen;
  }

  learn(ms: number, c: Case): void {
    const work = this.work(c);
    if (work >= this.largest.work) this.largest = { ms, work };
  }

  /** Milliseconds; 0 as long as nothing is known. */
  of(c: Case): number {
    const { ms, work } = this.largest;
    return work === 0 ? 0 : (ms / work) * this.work(c);
  }

  /** The product of the axes' lengths: what most formulas take, to within a factor. A sample takes what a truth of all may take, and its numbers are made. */
  private work(c: Case): number {
    const { operation, spec } = this.chosen;
    if (isSampled(spec, c)) return MOST_TRUTH + PER_NUMBER * numbersOfCase(operation, c.sizes);
    return Object.entries(c.sizes).reduce((product, [name, value]) => {
      const { scalars } = operation;
      const isLength = typeof value === "number" && (scalars[name] === undefined || scalars[name] === "axis");
      return isLength ? product * Math.max(1, value) : product;
    }, 1);
  }
}
