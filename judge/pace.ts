// How long a case will take, from what the cases before it took: the candidate in proportion to the multiplications, the judge to its own work.
import { numbersOfCase } from "./case-memory.ts";
import type { Case } from "./case.ts";
import type { Chosen } from "./choose.ts";
import { Cost } from "./cost.ts";

/** A case of at most so many times the work goes on at the rate of the one before; what a smaller one took is mostly other than its work. */
const ALIKE = 64;

/** Milliseconds that a case will take at the rate so far. */
export interface Expected {
  readonly candidate: number;
  readonly judge: number;
  /** Only much smaller cases have run, whose rate is mostly lower. */
  readonly isRough: boolean;
}

export class Pace {
  readonly cost: Cost;
  private readonly chosen: Chosen;
  private largest = { work: 0, milliseconds: 0 };

  constructor(chosen: Chosen) {
    this.chosen = chosen;
    this.cost = new Cost(chosen);
  }

  /** Milliseconds of the candidate, and of the judge. */
  learn(c: Case, milliseconds: number, ofJudge: number): void {
    this.cost.learn(ofJudge, c);
    const work = this.work(c);
    if (work >= this.largest.work) this.largest = { work, milliseconds };
  }

  /** Undefined as long as nothing is known. */
  of(c: Pick<Case, "op" | "sizes" | "profile" | "seed">): Expected | undefined {
    const { work: known, milliseconds } = this.largest;
    if (known === 0) return undefined;
    const times = this.work(c) / known;
    return { candidate: milliseconds * times, judge: this.cost.of(c), isRough: times > ALIKE };
  }

  private work({ sizes }: Pick<Case, "sizes">): number {
    const { operation, spec } = this.chosen;
    return spec.large?.work(sizes) ?? numbersOfCase(operation, sizes);
  }
}
