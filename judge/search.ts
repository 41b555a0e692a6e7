// The search for a case at which a candidate fails: fast-check draws cases, the judge decides, a failure is shrunk to one line.
//
// With workers the same cases are drawn ahead of fast-check, from the same seed, and judged while the candidate computes the next ones.
import * as fc from "fast-check";
import { DEFAULT_TIMEOUT, Limited } from "./candidates/limited.ts";
import { buildCase, type CampaignPlan, comparing, type Failure, failureOf, type Report, Tally } from "./campaign.ts";
import { arbitraryCase, type Case, formatCase } from "./case.ts";
import type { Chosen } from "./choose.ts";
import { Deadline, isStop } from "./deadline.ts";
import type { Ahead, Taken } from "./jobs/ahead.ts";
import { largeCases, MOST_WORK } from "./large.ts";
import { announce, Pace } from "./pace.ts";
import type { Suspicion } from "./second-look.ts";
import { Ladder } from "./sizes/ladder.ts";
import { tellingSizes, SizesDone } from "./sizes/supported.ts";
import type { RefusedCases } from "./refusals.ts";
import type { Terms } from "./terms.ts";
import type { Untried } from "./untried.ts";
import { improbableInWords, suspicionsIn } from "./improbable/suspicion.ts";
import { judgeProblem, type Verdict } from "./verdict.ts";

/** Shrinking ends after this many tries or milliseconds, whichever comes first. */
const MOST_SHRINKS = 300;
const SHRINK_MS = 15_000;

/** How often a suspicion is tried again. */
const FRESH = 2;
const LARGEST_SEED = 0x7fffffff;

/** What is tried: first the examples, and then this many drawn cases. */
export interface Round {
  readonly examples: readonly Case[];
  readonly runs: number;
  /** Called before each case but the first: what is done before it, if anything is. */
  readonly between?: () => (() => Promise<void>) | undefined;
}

/** A failure that is being shrunk. */
interface Shrinking {
  readonly first: Failure;
  /** Whether the candidate gave nothing in its time. */
  readonly isLate: boolean;
  readonly since: number;
  tries: number;
  smallest: Failure;
  /** Whether time or a signal ended it. */
  isCut: boolean;
}

/** Rounds of cases on one candidate, until one fails. */
export class Search {
  readonly untried: Untried[] = [];
  /** Outputs that looked coarser than float32, and where. */
  readonly low: Suspicion[] = [];
  private readonly chosen: Chosen;
  private readonly candidate: Limited;
  private readonly terms: Terms;
  private readonly plan: CampaignPlan;
  private readonly deadline: Deadline;
  private readonly tally: Tally;
  private readonly large: ReadonlySet<string>;
  private readonly ladder: Ladder;
  private failure: Failure | undefined;
  private ms = 0;
  private readonly done = new SizesDone();
  private readonly pace: Pace;

  constructor(chosen: Chosen, candidate: Limited, terms: Terms, plan: CampaignPlan, deadline: Deadline) {
    this.chosen = chosen;
    this.candidate = candidate;
    this.terms = terms;
    this.plan = plan;
    this.deadline = deadline;
    this.pace = new Pace(chosen);
    this.tally = new Tally(chosen.operation, chosen.spec);
    this.ladder = new Ladder(chosen.model ?? [], plan.patience ?? plan.timeout ?? DEFAULT_TIMEOUT);
    this.large = new Set(largeCases(chosen.spec, plan.seed).map(formatCase));
  }

  /** The cases that the candidate refused. */
  get refused(): RefusedCases {
    return this.tally.refused;
  }

  get hasFailed(): boolean {
    return this.failure !== undefined;
  }

  /** A crash or a hang leaves no numbers to examine. */
  get hasNumbers(): boolean {
    return this.failure === undefined || this.failure.worst !== undefined;
  }

  report(): Report {
    const { chosen, deadline, plan } = this;
    const all = largeCases(chosen.spec, plan.seed).length;
    const planned = deadline.isLimited ? all : largeCases(chosen.spec, plan.seed, plan.runs).length;
    const largeCounts = { planned, all };
    return { ...this.tally.report(this.ms, this.failure === undefined ? [] : [this.failure]), largeCases: largeCounts };
  }

  /** Tries a round; what time or a signal left out becomes untried. Throws what the judge itself throws. */
  async try(round: Round): Promise<void> {
    const { examples, runs } = round;
    const { seed } = this.plan;
    const start = this.deadline.now();
    let [tried, elsewhere] = [0, 0];
    let shrinking: Shrinking | undefined;
    let fault: { readonly error: unknown } | undefined;
    const drawn = arbitraryCase(this.chosen.spec, this.hasReal);
    const ahead = this.ahead(drawn, round);
    const property = fc.asyncProperty(drawn, async (c) => {
      if (shrinking === undefined && tried > 0) {
        const since = this.deadline.now();
        const due = round.between?.();
        if (due !== undefined) await (ahead?.inTurn(due) ?? due());
        elsewhere += this.deadline.now() - since;
        if (this.hasFailed) throw new fc.PreconditionFailure(true);
      }
      if (shrinking !== undefined && this.isShrunk(shrinking)) throw new fc.PreconditionFailure(true);
      const rung = shrinking === undefined ? this.ladder.of(c.sizes) : "tried";
      if (rung !== "tried") {
        tried++;
        return rung === "slow" ? this.leaveSlow(c) : true;
      }
      if (shrinking === undefined) announce(c, this.pace, this.ladder, this.plan.onLong);
      const expected = this.pace.of(c)?.candidate ?? 0;
      const taken = await this.take(c, shrinking === undefined ? ahead : undefined).catch((error: unknown) => {
        fault = { error };
      });
      if (taken === undefined) {
        if (shrinking !== undefined) shrinking.isCut = true;
        throw new fc.PreconditionFailure(true);
      }
      const { verdict, earlier } = taken;
      const isLate = verdict.gaveNothing === true && this.ladder.isLate(taken.took);
      if (shrinking === undefined && isLate && this.ladder.isBeyond(c.sizes, expected)) {
        tried++;
        return this.leaveSlow(c); // as was to be expected: no fault
      }
      if (verdict.refused === undefined) this.done.add(c.sizes, verdict.gaveNothing !== true);
      if (shrinking === undefined) {
        tried++;
        this.tally.add(c, verdict, this.large.has(formatCase(c)));
        for (const { output, looksLow } of verdict.comparisons) if (looksLow) this.low.push({ case: c, output });
        this.plan.onCase?.(this.tally.offered, this.share(examples.length + runs));
      }
      if (verdict.findings.length === 0) {
        if (shrinking === undefined) await this.suspect(c, verdict);
        if (this.hasFailed) throw new fc.PreconditionFailure(true);
        return true;
      }
      if (shrinking === undefined) {
        await ahead?.end();
        const first = failureOf(c, verdict, this.candidate.keep(earlier));
        shrinking = { first, isLate, since: this.deadline.now(), tries: 0, smallest: first, isCut: false };
      } else shrinking.smallest = failureOf(c, verdict);
      return false;
    });
    const parameters = { seed, examples: examples.map((c): [Case] => [c]), numRuns: examples.length + runs };
    const found = await fc.check(property, parameters);
    await ahead?.end();
    const failing = shrinking as Shrinking | undefined;
    if (failing === undefined) {
      if (fault !== undefined) throw fault.error; // the judge itself failed
      if (found.errorInstance instanceof Error && found.counterexample !== null) throw found.errorInstance; // what was done between cases
      if (!this.hasFailed) this.leave(examples.slice(tried), runs === 0 || tried > examples.length);
    } else {
      this.failure = failing.first; // it stays, should the judge itself fail now or have failed
      if (fault !== undefined) throw fault.error;
      this.failure = await this.confirmed(failing, found.counterexample!);
      if (!this.hasNumbers) this.failure = await this.ofSizes(this.failure, found.counterexample![0]);
    }
    this.ms += this.deadline.now() - start - elsewhere;
  }

  /** Milliseconds that the judge itself will take for a case, from what the largest so far took; a large case is judged in one stretch. */
  estimate(c: Case): number {
    return this.pace.cost.of(c);
  }

  /** Recorded inputs have the sizes of their model, whatever a kernel supports. */
  private get hasReal(): boolean {
    return this.chosen.excluded === undefined && this.plan.real?.(this.chosen.spec.op, 0) !== undefined;
  }

  private share(all: number): number {
    return this.deadline.isLimited ? this.deadline.spent : Math.min(1, this.tally.offered / all);
  }

  /** A case that is not tried counts for nothing, so shrinking ends with the smallest failure seen so far. */
  private isShrunk(shrinking: Shrinking): boolean {
    return ++shrinking.tries > MOST_SHRINKS || this.deadline.now() - shrinking.since > SHRINK_MS;
  }

  /** The cases of a round in the hands of workers, if there are any. */
  private ahead(drawn: fc.Arbitrary<Case>, round: Round): Ahead | undefined {
    const { chosen, candidate, deadline, terms, plan } = this;
    const isLarge = (c: Case): boolean => this.large.has(formatCase(c));
    const examples = round.examples.filter(({ sizes }) => !this.ladder.has(sizes)); // what the others take decides on those
    return plan.workers?.ahead({ chosen, candidate, deadline, terms, plan, isLarge }, { ...round, examples, drawn });
  }

  /** A verdict from workers where they have the case in hand. Undefined where time or a signal ended it. */
  private async take(c: Case, ahead: Ahead | undefined): Promise<Taken | undefined> {
    if (ahead?.isOver === false && this.ladder.has(c.sizes)) return this.note(await ahead.alone(c), c);
    if (ahead?.foresees(c) !== true) {
      await ahead?.end();
      return this.judge(c);
    }
    return this.note(await ahead.take(), c);
  }

  /** What a case took says what the next ones will take. */
  private note(taken: Taken | undefined, c: Case): Taken | undefined {
    if (taken?.verdict.refused !== undefined) return taken; // a refusal says nothing of times
    if (taken === undefined) return undefined;
    this.ladder.note(c.sizes, taken.took);
    this.pace.learn(c, taken.took, taken.ms);
    return taken;
  }

  /** A verdict in this thread. Undefined where time or a signal ended it. */
  private async judge(c: Case): Promise<Taken | undefined> {
    const { operation, spec } = this.chosen;
    const { now } = this.deadline;
    const [start, busy] = [now(), this.candidate.busy];
    const cost = (): number => now() - start - (this.candidate.busy - busy);
    try {
      await this.deadline.pause();
      const problem = buildCase(spec, c, this.terms.dtype, this.plan.real);
      const compare = comparing(spec, c, this.large.has(formatCase(c)));
      const verdict = await judgeProblem(operation, this.candidate, problem, this.terms, compare);
      return this.note({ verdict, ms: cost(), took: this.candidate.took }, c);
    } catch (error) {
      if (isStop(error)) return undefined;
      throw error;
    }
  }

  /** What is implausible is tried again on fresh numbers, of the same sizes, and counts only if it comes again; or outside a bound, which is a failure. */
  private async suspect(c: Case, verdict: Verdict): Promise<void> {
    const [first] = suspicionsIn(verdict);
    if (first === undefined || this.tally.isSuspected(first.output)) return;
    for (let k = 1; k <= FRESH; k++) {
      const fresh = { ...c, seed: (c.seed + k) % LARGEST_SEED };
      const again = await this.judge(fresh);
      if (again !== undefined && again.verdict.findings.length > 0) {
        this.failure = failureOf(fresh, again.verdict);
        return;
      }
      const same = again && suspicionsIn(again.verdict).some(({ output }) => output === first.output);
      if (same === true) return this.tally.suspect(c, first);
    }
    this.tally.note(c, `${first.output}: ${improbableInWords(first)}; but not again on fresh numbers`);
  }

  /** The failure to report. A crash or a race may not come back: then the first failure is the evidence. */
  private async confirmed({ first, isLate, smallest, isCut }: Shrinking, [c]: readonly [Case]): Promise<Failure> {
    const again = await this.judge(c);
    if (isCut || again === undefined) this.untried.push({ part: "shrinking", line: first.replay });
    if (again === undefined) return first.evidence === undefined ? smallest : first;
    if (again.verdict.findings.length > 0) return failureOf(c, again.verdict, this.candidate.keep());
    const what = again.verdict.refused === undefined ? "passed" : "was refused";
    const why = isLate ? "near its time limit, which --timeout sets, or on a busy machine" : "not deterministic";
    return { ...first, message: `${first.message} (and ${what} when run again: ${why})` };
  }

  /** A failure without numbers, with what it has to do with sizes: some more are tried, as long as shrinking may take. */
  private async ofSizes(failure: Failure, c: Case): Promise<Failure> {
    const { spec, excluded } = this.chosen;
    const since = this.deadline.now();
    for (const sizes of tellingSizes(c.sizes, spec.large)) {
      if (this.deadline.now() - since > SHRINK_MS || (spec.large?.work(sizes) ?? 0) > MOST_WORK) continue;
      const taken = await this.judge({ ...c, sizes });
      if (taken !== undefined && taken.verdict.refused === undefined)
        this.done.add(sizes, taken.verdict.gaveNothing !== true);
    }
    return { ...failure, message: failure.message + this.done.inWords(excluded?.(this.terms.dtype).sizes) };
  }

  private leaveSlow(c: Case): true {
    this.untried.push({ part: "large case", line: formatCase(c), cause: "slow" });
    return true;
  }

  private leave(examples: readonly Case[], hasDrawn: boolean): void {
    for (const line of examples.map(formatCase)) {
      this.untried.push({ part: this.large.has(line) ? "large case" : "example", line });
    }
    if (!hasDrawn) this.untried.push({ part: "drawn cases", line: this.chosen.operation.name });
  }
}
