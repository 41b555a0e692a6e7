// How long a case will take, from what the cases before it took: the candidate in proportion to the multiplications, the judge to its own work.
import { numbersOfCase } from "./case-memory.ts";
import { type Case, formatCase } from "./case.ts";
import type { Chosen } from "./choose.ts";
import { Cost } from "./cost.ts";
import type { Ladder } from "./sizes/ladder.ts";

/** A case of at most so many times the work goes on at the rate of the one before; what a smaller one took is mostly other than its work. */
const ALIKE = 64;

/** A case that takes longer is announced. */
const LONG = 10_000;

/** A case that will take long. */
export interface Coming {
  readonly line: string;
  /** What it will take at the rate so far, candidate and judge. */
  readonly milliseconds: number;
  /** Only much smaller cases have run. */
  readonly isRough: boolean;
  /** What the cases of a model's shapes will take that come after it; 0 where it is none of them. */
  readonly rest: number;
}

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

  /** Recorded inputs are those of a small model, and have no sizes by which to tell. */
  private work({ sizes, profile }: Pick<Case, "sizes" | "profile">): number {
    if (profile === "real") return 0;
    const { operation, spec } = this.chosen;
    return spec.large?.work(sizes) ?? numbersOfCase(operation, sizes);
  }
}

/** Says how long a case will take, where that is long, and a model's shapes after it. */
export function announce(c: Case, pace: Pace, ladder: Ladder, say: ((coming: Coming) => void) | undefined): void {
  const expected = pace.of(c);
  if (say === undefined || expected === undefined) return;
  const { candidate, judge, isRough } = expected;
  if (!(candidate + judge >= LONG)) return;
  const others = ladder.after(c.sizes).map((sizes) => pace.of({ ...c, sizes })!);
  const tried = others.filter((one) => ladder.isWithin(one.candidate));
  const rest = tried.reduce((sum, one) => sum + one.candidate + one.judge, 0);
  say({ line: formatCase(c), milliseconds: candidate + judge, isRough, rest });
}
