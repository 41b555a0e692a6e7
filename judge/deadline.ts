// The time of a run: one budget, which all its parts share, and one signal that ends it.
import { Interrupted } from "../reference/candidate.ts";

/** Milliseconds on a clock that only goes forward. */
export type Clock = () => number;

/** The budget is spent: nothing is known about what comes next. */
export class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}

export interface Limits {
  /** No limit if left out. */
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly now?: Clock;
}

// Taken once: a test's fake timers must not stop the judge.
const { setTimeout: later } = globalThis;
const ownClock: Clock = performance.now.bind(performance);

/** Milliseconds of work after which signals and timers get a turn. */
const STRETCH = 50;

/**
 * A budget of time, from its making on. Whoever is about to start something asks first, with `pause`, so a budget is overrun by no
 * more than what had been started.
 */
export class Deadline {
  readonly now: Clock;
  readonly signal: AbortSignal | undefined;
  private readonly since: number;
  private readonly end: number;
  private paused: number;

  constructor({ seconds = Infinity, signal, now = ownClock }: Limits = {}) {
    this.now = now;
    this.signal = signal;
    this.since = now();
    this.end = this.since + 1000 * seconds;
    this.paused = this.since;
  }

  get isLimited(): boolean {
    return this.end < Infinity;
  }

  get isInterrupted(): boolean {
    return this.signal?.aborted === true;
  }

  /** Milliseconds that are left, at least 0; Infinity without a budget. */
  get left(): number {
    return Math.max(0, this.end - this.now());
  }

  /** The share of the budget that is spent, from 0 to 1; 0 without a budget. */
  get spent(): number {
    return this.isLimited ? Math.min(1, (this.now() - this.since) / (this.end - this.since)) : 0;
  }

  /** The next of `parts` parts that share what is left. One that ends early leaves its time to those after it. */
  share(parts: number): Deadline {
    return new Deadline({ seconds: this.left / parts / 1000, signal: this.signal, now: this.now });
  }

  /** Throws Interrupted after the signal, and OutOfTime where nothing is left. */
  check(): void {
    if (this.isInterrupted) throw new Interrupted();
    if (this.left === 0) throw new OutOfTime();
  }

  /** Checks; after a stretch of work, signals and timers get a turn first, since what computes without a pause keeps them waiting. */
  async pause(): Promise<void> {
    if (this.now() - this.paused >= STRETCH) {
      await new Promise<void>((resolve) => void later(resolve));
      this.paused = this.now();
    }
    this.check();
  }
}

/** Whether an error says that the run ends here, and nothing about the candidate. */
export function isStop(error: unknown): boolean {
  return error instanceof Interrupted || error instanceof OutOfTime;
}
