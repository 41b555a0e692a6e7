// A candidate with limits: no run begins when the time is up, and none takes longer than its timeout.
import {
  type Answered,
  type Candidate,
  type CandidateResult,
  Interrupted,
  Unsupported,
} from "../../reference/candidate.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { printable } from "../../formats/printable.ts";
import { startTimer } from "../../reference/timer.ts";
import type { Deadline } from "../deadline.ts";
import { isUnsupported, refusalOf, Refusing } from "./unsupported.ts";

/** Milliseconds that a candidate of this process may take for one case, unless the caller says otherwise. */
export const DEFAULT_TIMEOUT = 30_000;

/** The limit of a candidate that keeps to one by itself: its own or the one that the judge's caller asked for, whichever is shorter. */
export function ownTimeout(own: number | undefined, asked: number | undefined): number {
  return Math.min(own ?? Infinity, asked ?? own ?? DEFAULT_TIMEOUT);
}

/** The most milliseconds for closing a candidate. */
const CLOSING = 5_000;

/**
 * Every run of a check goes through here, whichever part asks for it. A run that has begun has its timeout, however little of the
 * budget is left. The timer cannot stop a function that computes without a pause, only one that waits.
 */
export class Limited implements Candidate {
  readonly name: string;
  readonly isIsolated: boolean;
  /** Milliseconds that the candidate has taken so far, with what the judge did for it. */
  busy = 0;
  /** Milliseconds that it took for its last answer, without that where it says so. */
  took = 0;
  /** Absent where the candidate cannot be started again. */
  readonly restart?: () => Promise<void>;
  /** Absent where the candidate shows nothing of its workgroups. */
  readonly races?: NonNullable<Candidate["races"]>;
  /** What the candidate refused of what it was asked for. */
  readonly refusing = new Refusing();
  private readonly candidate: Candidate;
  private readonly deadline: Deadline;
  private readonly timeout: number;

  /** No timeout but the candidate's own if it is left out. */
  constructor(candidate: Candidate, deadline: Deadline, timeout = Infinity) {
    this.name = candidate.name;
    this.isIsolated = candidate.isIsolated === true;
    this.candidate = candidate;
    this.deadline = deadline;
    this.timeout = timeout;
    const { races } = candidate;
    if (races !== undefined) {
      this.races = async (inputs, scalars) => {
        await deadline.pause();
        return within(timeout, "look for races", () => races(inputs, scalars), deadline.signal);
      };
    }
    if (candidate.restart !== undefined) {
      this.restart = async () => {
        await deadline.pause();
        await within(Math.min(timeout, CLOSING), "end", async () => candidate.restart?.(), deadline.signal);
      };
    }
  }

  /**
   * Throws what the candidate throws, Interrupted and OutOfTime. What is refused is asked for once more: Unsupported is thrown where it is refused
   * again, and an Error where it is not.
   */
  async run(inputs: Inputs, scalars: Scalars): Promise<CandidateResult> {
    const key = this.refusing.keyOf(inputs, scalars);
    const first = await this.attempt(inputs, scalars);
    if (!(first instanceof Unsupported)) {
      this.refusing.answered(key);
      return first;
    }
    const again = await this.attempt(inputs, scalars);
    if (!(again instanceof Unsupported))
      throw new Error(
        `refused a case (${first.message}) and answered it when asked again, expected the same for the same inputs`,
      );
    this.refusing.refused(key, first.message);
    throw first;
  }

  /** A result, or the refusal in the judge's own class. */
  private async attempt(inputs: Inputs, scalars: Scalars): Promise<CandidateResult | Unsupported> {
    try {
      return await this.once(inputs, scalars);
    } catch (error) {
      if (isUnsupported(error)) return refusalOf(error);
      throw error;
    }
  }

  private async once(inputs: Inputs, scalars: Scalars): Promise<CandidateResult> {
    await this.deadline.pause();
    const since = this.deadline.now();
    let own: number | undefined;
    try {
      const { signal } = this.deadline;
      const result = await within(this.timeout, "answer", () => this.candidate.run(inputs, scalars), signal);
      own = millisecondsOf(result);
      return result;
    } finally {
      const elapsed = this.deadline.now() - since;
      this.busy += elapsed;
      this.took = own ?? elapsed;
    }
  }

  /** In one line without control characters; undefined where the candidate's own `keep` throws or gives something else. */
  keep(earlier?: Answered): string | undefined {
    try {
      const kept: unknown = this.candidate.keep?.(earlier);
      return typeof kept === "string" ? printable(kept) : undefined;
    } catch {
      return undefined; // evidence is a help, and its absence no finding
    }
  }

  async close(): Promise<void> {
    await within(Math.min(this.timeout, CLOSING), "close", async () => this.candidate.close?.());
  }
}

/** A candidate's result may be anything. */
function millisecondsOf(result: unknown): number | undefined {
  const { milliseconds } = (result ?? {}) as Partial<CandidateResult>;
  return typeof milliseconds === "number" ? milliseconds : undefined;
}

/** What `work` gives, unless it takes longer or a signal comes. */
function within<T>(milliseconds: number, what: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = (): void => reject(new Error(`did not ${what} within ${milliseconds / 1000} s`));
    const stop = (): void => reject(new Interrupted());
    const stopTimer = startTimer(milliseconds, late);
    signal?.addEventListener("abort", stop);
    const settled = (): void => {
      stopTimer();
      signal?.removeEventListener("abort", stop);
    };
    (async () => work())().finally(settled).then(resolve, reject);
  });
}
