// How long a long case will take, before it runs, and while it runs how much of that is left.
import type { Coming } from "../judge/pace.ts";
import type { Clock } from "../judge/deadline.ts";
import { note } from "./output.ts";
import type { Progress } from "./progress.ts";

/** A bar is redrawn so often, in milliseconds. */
const EVERY = 1000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What a terminal has, and a test puts something else in place of. */
export interface Surroundings {
  /** Whether there is a bar, which can be redrawn. */
  readonly isTerminal: boolean;
  readonly now: Clock;
  /** Repeats something; what it returns ends that. */
  readonly repeat: (work: () => void) => () => void;
}

const usual: Surroundings = {
  isTerminal: process.stderr.isTTY === true,
  now: () => performance.now(),
  repeat: (work) => {
    const timer = setInterval(work, EVERY);
    return () => clearInterval(timer);
  },
};

/** A line before each long case; on a terminal the bar says how much of it is left. */
export class LongCases {
  private readonly progress: Pick<Progress, "begin">;
  private readonly surroundings: Surroundings;
  private end: () => void = () => {};

  constructor(progress: Pick<Progress, "begin">, surroundings = usual) {
    this.progress = progress;
    this.surroundings = surroundings;
  }

  /** A case begins. */
  begin(coming: Coming): void {
    const { isTerminal, now, repeat } = this.surroundings;
    this.done();
    if (!isTerminal) return note(`  ${beforehand(coming)}`);
    const start = now();
    const show = (): void => this.progress.begin(meanwhile(coming, now() - start));
    show();
    const stop = repeat(show);
    this.end = () => {
      stop();
      this.progress.begin(coming.line.split(" ")[0]);
    };
  }

  /** The case that was begun, if any, has ended. */
  done(): void {
    this.end();
    this.end = () => {};
  }
}

/** Such as "linear.forward R=2048 …: about 4 min at the rate so far; about 9 min for the shapes after it". */
export function beforehand({ line, milliseconds, isRough, rest }: Coming): string {
  const rate = isRough ? "at the rate of much smaller cases" : "at the rate so far";
  const others = rest < SECOND ? "" : `; about ${durationOf(rest)} for the shapes after it`;
  return `${line}: about ${durationOf(milliseconds)} ${rate}${others}`;
}

/** Such as "about 3 min left of linear.forward R=2048 …". */
export function meanwhile({ line, milliseconds }: Coming, elapsed: number): string {
  const left = milliseconds - elapsed;
  return left > 0 ? `about ${durationOf(left)} left of ${line}` : `${durationOf(-left)} longer than expected: ${line}`;
}

/** Such as "40 s", "4 min", "3 h": two digits at most, up to 99 hours. */
export function durationOf(milliseconds: number): string {
  if (milliseconds < 100 * SECOND) return `${Math.max(1, Math.round(milliseconds / SECOND))} s`;
  if (milliseconds < 100 * MINUTE) return `${Math.round(milliseconds / MINUTE)} min`;
  return `${Math.round(milliseconds / HOUR)} h`;
}
