// Cases in hand: while the candidate computes one, workers make the next and judge those before it.
//
// The candidate gets the cases one by one and in their order, and verdicts are taken in that order too, so a run says what it says
// without workers. Only a candidate whose case is wrong may by then have computed a few more, of which nothing is told.
import * as fc from "fast-check";
import type { Answered, CandidateResult } from "../../reference/candidate.ts";
import { bytesOfCase, numbersOfCase } from "../case-memory.ts";
import { type Case, formatCase, type Problem } from "../case.ts";
import { isStop } from "../deadline.ts";
import { answerOf, type Verdict } from "../verdict.ts";
import type { Coming, Hands, Judged, Threads } from "./workers.ts";

/** Bytes of the cases in hand and of the threads together; a case that takes more is the only one in hand. */
const MOST_BYTES = 3 * 2 ** 30;
/** Bytes of a thread itself: the program, and a heap. */
const THREAD = 2 ** 27;

/** So many cases are drawn at first. */
const FIRST_PIECE = 128;

/** A verdict in the order of the cases. */
export interface Taken extends Judged {
  /** The numbers of the case, where it has findings and is not the last that the candidate computed. */
  readonly earlier?: Answered;
  /** Milliseconds that the candidate took. */
  readonly took: number;
}

interface Started {
  readonly line: string;
  readonly bytes: number;
  /** Undefined where time or a signal ended it, or nothing is told of it. */
  readonly judged: Promise<Taken | undefined>;
}

export class Ahead {
  private readonly threads: Threads;
  private readonly hands: Hands;
  private readonly coming: Iterator<Case, undefined>;
  private readonly room: number;
  private readonly started: Started[] = [];
  /** The case that did not fit in. */
  private waiting: Case | undefined;
  private bytes = 0;
  /** Settles when the candidate has computed all that it was given. */
  private turn: Promise<unknown> = Promise.resolve();
  /** How many things the candidate was asked for. */
  private ran = 0;
  /** Whether the candidate gets no more cases from here. */
  isOver = false;

  /** Begins with the first of the cases that are coming. */
  constructor(threads: Threads, hands: Hands, coming: Coming) {
    this.threads = threads;
    this.hands = hands;
    this.coming = upcoming(coming, hands.plan.seed);
    this.room = MOST_BYTES - THREAD * threads.jobs;
    this.fill();
  }

  /** Whether the case is the next one of those that were coming. */
  foresees(c: Case): boolean {
    return this.started[0]?.line === formatCase(c);
  }

  /** The next verdict; undefined where time or a signal ended it. Throws what the judge itself throws. */
  async take(): Promise<Taken | undefined> {
    const { judged, bytes } = this.started[0];
    const taken = await unlessAborted(judged, this.hands.deadline.signal);
    this.started.shift();
    this.bytes -= bytes;
    this.fill();
    return taken;
  }

  /**
   * The verdict on a case that was not coming, whose size is what the others decide on. A thread makes and judges it, however long that takes:
   * undefined as soon as a signal comes.
   */
  alone(c: Case): Promise<Taken | undefined> {
    return unlessAborted(this.start(c), this.hands.deadline.signal);
  }

  /** Does something else on the candidate, after the cases that it was given and before any other. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.queue(() => {
      this.ran++;
      return work();
    });
  }

  private queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {
      this.isOver = true;
    });
    return done;
  }

  /** Gives the candidate no more cases, and waits for the one that it computes. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.turn;
  }

  private fill(): void {
    while (!this.isOver && this.started.length <= this.threads.jobs) {
      const c = this.waiting ?? this.coming.next().value;
      if (c === undefined) return;
      const { operation, spec } = this.hands.chosen;
      const bytes = bytesOfCase(spec, c, numbersOfCase(operation, c.sizes));
      this.waiting = this.started.length > 0 && this.bytes + bytes > this.room ? c : undefined;
      if (this.waiting !== undefined) return;
      this.bytes += bytes;
      const judged = this.start(c);
      judged.catch(() => {}); // whoever takes it hears of it
      this.started.push({ line: formatCase(c), bytes, judged });
    }
  }

  private async start(c: Case): Promise<Taken | undefined> {
    const { chosen, terms, plan, isLarge, deadline } = this.hands;
    const { name, outputs, notOffered } = chosen.operation;
    const offered = notOffered && { outputs: Object.keys(outputs) };
    const order = { op: name, ...offered, case: c, terms, isLarge: isLarge(c) };
    const building = this.threads.build(order, c.profile === "real" ? plan.real?.(c.op, c.seed) : undefined);
    building.catch(() => {}); // heard of below, in its turn
    try {
      const answered = await this.queue(async () => {
        if (this.isOver) return undefined;
        const built = await unlessAborted(building, deadline.signal);
        if (built === undefined) return undefined;
        const { problem, ms } = built;
        await deadline.pause();
        const number = ++this.ran;
        const answer = await this.ask(problem);
        return { problem, ms, number, answer, took: this.hands.candidate.took };
      });
      if (answered === undefined) return undefined;
      const { problem, ms, answer, number, took } = answered;
      if ("findings" in answer) return { verdict: answer, ms, took };
      const judged = await this.threads.judge(order, problem, answer);
      if (judged.verdict.findings.length === 0) return { ...judged, ms: ms + judged.ms, took };
      await this.end();
      const { earlier, ...told } = judged;
      return { ...told, ms: ms + judged.ms, took, ...(number < this.ran && earlier !== undefined && { earlier }) };
    } catch (error) {
      if (isStop(error)) return undefined;
      throw error;
    }
  }

  /** After what is a finding already, the candidate gets no other case. */
  private async ask(problem: Problem): Promise<CandidateResult | Verdict> {
    const answer = await answerOf(this.hands.chosen.operation, this.hands.candidate, problem);
    if ("findings" in answer ? answer.refused === undefined : answer.complaints.length > 0) this.isOver = true;
    return answer;
  }
}

/** The cases in the order in which fast-check tries them until one fails. */
function* upcoming({ examples, drawn, runs }: Coming, seed: number): Generator<Case, undefined> {
  yield* examples;
  // A sample has no beginning but its seed's, so each piece is drawn with those before it; twice as many the next time.
  for (let [from, to] = [0, FIRST_PIECE]; from < runs; [from, to] = [to, 2 * to]) {
    yield* fc.sample(drawn, { seed, numRuns: Math.min(to, runs) }).slice(from);
  }
  return undefined;
}

/** What the promise gives, or undefined as soon as the signal comes. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const settled = (): void => signal.removeEventListener("abort", stop);
    promise.finally(settled).then(resolve, reject);
  });
}
