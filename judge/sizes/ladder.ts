// Which shapes of a model are tried whole: those that a candidate is fast enough for, by what smaller cases took.
import type { Sizes } from "../case.ts";
import { type ModelCase, STEP } from "./model.ts";

/** The share of its time that a candidate may be expected to take: other work may slow it down. */
const SHARE = 1 / 2;

/** What becomes of a case: it is tried; or it is not, since the candidate is too slow, or since the next larger one is tried at once. */
export type Rung = "tried" | "slow" | "needless";

/** The cases of a model's shapes, and what the candidate took for those that ran. */
export class Ladder {
  private readonly cases: ReadonlyMap<string, ModelCase>;
  private readonly ran: { readonly work: number; readonly milliseconds: number }[] = [];
  private readonly timeout: number;
  private readonly patience: number;

  /** Milliseconds that the candidate has for one case. */
  constructor(cases: readonly ModelCase[], timeout: number) {
    this.cases = new Map(cases.map((one) => [keyOf(one.sizes), one]));
    this.timeout = timeout;
    this.patience = SHARE * timeout;
  }

  /** Whether a case is one of the model's shapes. */
  has(sizes: Sizes): boolean {
    return this.cases.has(keyOf(sizes));
  }

  /** Notes what the candidate took for a case; it may be one of no model. */
  note(sizes: Sizes, milliseconds: number): void {
    const one = this.cases.get(keyOf(sizes));
    if (one !== undefined) this.ran.push({ work: one.work, milliseconds });
  }

  /** A case of no model, and the first one of a shape, is always tried. */
  of(sizes: Sizes): Rung {
    const one = this.cases.get(keyOf(sizes));
    if (one?.after === undefined) return "tried";
    if (!this.isFastFor(one)) return "slow";
    const next = [...this.cases.values()].find(({ after }) => after !== undefined && keyOf(after) === keyOf(sizes));
    return next !== undefined && this.isFastFor(next) ? "needless" : "tried";
  }

  /** The cases of the model that come after this one; none after a case of no model. */
  after(sizes: Sizes): Sizes[] {
    const all = [...this.cases.values()];
    const place = all.findIndex((one) => keyOf(one.sizes) === keyOf(sizes));
    return place < 0 ? [] : all.slice(place + 1).map((one) => one.sizes);
  }

  /** Whether the candidate may take so many milliseconds. */
  isWithin(milliseconds: number): boolean {
    return milliseconds <= this.patience;
  }

  /** Whether a case is one of the model's shapes for which the candidate was expected to be too slow. */
  isBeyond(sizes: Sizes, milliseconds: number): boolean {
    return this.has(sizes) && !this.isWithin(milliseconds);
  }

  /** Whether its time ended a candidate that gave nothing; a timer may fire a millisecond before its time. */
  isLate(milliseconds: number): boolean {
    return milliseconds >= this.timeout - 1;
  }

  /** By the fastest of the cases that are not too small to tell. */
  private isFastFor({ work }: ModelCase): boolean {
    return this.ran.some((one) => one.work * STEP >= work && this.isWithin(one.milliseconds * (work / one.work)));
  }
}

function keyOf(sizes: Sizes): string {
  return JSON.stringify(sizes);
}
