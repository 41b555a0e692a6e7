// Whether a kernel's bits depend on what surrounds them, and at which sizes they change. No oracle is needed: runs of the candidate are
// compared with one another, and only where they differ is the bound taken, at the elements that do.
import { append } from "../../reference/lists.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { failureLine } from "../candidates/result.ts";
import { Limited } from "../candidates/limited.ts";
import { isUnsupported, refusalOf } from "../candidates/unsupported.ts";
import type { Sizes } from "../case.ts";
import { closing } from "../check.ts";
import type { Chosen } from "../choose.ts";
import { conclude, type Conclusion, partsUnder } from "../conclusion.ts";
import { Deadline, isStop } from "../deadline.ts";
import { ordinary, type Trial } from "../relations/relation.ts";
import type { Terms } from "../terms.ts";
import { isJudges } from "../verdict.ts";
import { areSame } from "./distance.ts";
import { Caller, type Family } from "./family.ts";
import { type Group, groupsOf } from "./groups.ts";
import { type BitMap, mapOf, stepsInWords } from "./map.ts";
import { Grounds, type Room } from "./room.ts";

export interface Plan {
  readonly seed: number;
  /** Two runs may differ in bits: runs are held to their bounds, and no bits are mapped. */
  readonly nondeterministic: boolean;
  /** A bit that changes where a kernel could keep it is a finding. */
  readonly bitwise: boolean;
  readonly room: Room;
  /** Milliseconds for a run. */
  readonly timeout?: number;
  readonly deadline?: Deadline;
  /** Called after each map, with how many there are, and about how many there will be. */
  readonly onMap?: (maps: number, families: number) => void;
}

export interface Invariance {
  readonly op: string;
  readonly conclusion: Conclusion;
  readonly maps: readonly BitMap[];
  readonly findings: readonly string[];
  /** Where the files are of the run that failed. */
  readonly evidence?: string;
  /** Families for which there was no time, and those that the sizes leave no steps. */
  readonly untried: readonly string[];
  /** Whether anything of the op can be compared. */
  readonly hasFamilies: boolean;
  readonly isRepeatable?: boolean;
  readonly runs: number;
  readonly ms: number;
  readonly isInterrupted: boolean;
}

/** Runs of many workgroups: those that add up as they end agree by chance now and then. */
const REPEATS = 4;
/** Families in a group, about. */
const FAMILIES = 4;

/** Tries all families of an op, and closes the candidate. Throws what the judge itself throws. */
export async function invarianceOf(
  { operation, spec }: Chosen,
  candidate: Candidate,
  terms: Terms,
  plan: Plan,
): Promise<Invariance> {
  const { room, seed, nondeterministic, deadline = new Deadline(), timeout } = plan;
  const limited = new Limited(candidate, deadline, timeout);
  const grounds = new Grounds(operation, spec, room);
  const sizes = grounds.ordinary();
  const deterministic = !nondeterministic;
  const trial: Trial = { ...terms, operation, spec, candidate: limited, sizes, seed, deterministic };
  const start = deadline.now();
  const survey = new Survey(new Caller(trial), grounds, plan);
  try {
    await survey.run(deadline);
  } catch (error) {
    if (isJudges(error) && !isStop(error)) {
      await closing(limited); // the judge's own error is the one to report
      throw error;
    }
    if (isUnsupported(error)) survey.refused(inWords(sizes), error);
    else if (!isStop(error)) {
      survey.findings.push(`${inWords(sizes)}: ${failureLine(limited, error)}; ${STATES}`);
      survey.keep();
    }
  }
  const complaint = await closing(limited);
  const findings = [...survey.findings, ...survey.caller.complaints, ...(complaint === undefined ? [] : [complaint])];
  const { maps, groups, isRepeatable, caller } = survey;
  const { isInterrupted } = deadline;
  const parts = maps.map(({ relation, compared, unjudged }) => {
    return { name: relation, offered: compared, judged: compared - unjudged };
  });
  return {
    op: operation.name,
    conclusion: conclude({
      hasFindings: findings.length > 0,
      parts: partsUnder(operation.name, parts),
      interrupted: isInterrupted,
      allowUnjudged: terms.allowUnjudged,
    }),
    maps,
    findings,
    ...(survey.evidence === undefined ? {} : { evidence: survey.evidence }),
    untried: survey.untried(),
    hasFamilies: groups.length > 0,
    ...(isRepeatable === undefined ? {} : { isRepeatable }),
    runs: caller.runs,
    ms: deadline.now() - start,
    isInterrupted,
  };
}

/** The families of an op, one after another. */
class Survey {
  readonly caller: Caller;
  readonly groups: readonly Group[];
  readonly maps: BitMap[] = [];
  readonly findings: string[] = [];
  isRepeatable: boolean | undefined;
  evidence: string | undefined;
  private readonly plan: Plan;
  private readonly grounds: Grounds;
  private readonly left: string[] = [];
  /** Groups of which no family has been tried. */
  private waiting: readonly Group[];

  constructor(caller: Caller, grounds: Grounds, plan: Plan) {
    this.caller = caller;
    this.plan = plan;
    this.grounds = grounds;
    this.groups = groupsOf(caller, grounds);
    this.waiting = this.groups;
  }

  /** Throws what the candidate throws where it cannot even do the ordinary case, and Interrupted and OutOfTime. */
  async run(deadline: Deadline): Promise<void> {
    if (this.groups.length === 0) return;
    this.isRepeatable = (await repeats(this.caller, this.caller.trial.sizes, 2)) && (await this.repeatsBroadly());
    if (!this.isRepeatable && !this.plan.nondeterministic) {
      this.findings.push("two runs on the same inputs differ in bits; --nondeterministic declares that they may");
      return;
    }
    for (const group of this.waiting) {
      deadline.check();
      this.waiting = this.waiting.slice(1);
      for (const family of group.make()) await this.try(family);
    }
  }

  /** The same with many workgroups, whose sums may be added as they end. A kernel that cannot do such sizes is a finding, and is tried on. */
  private async repeatsBroadly(): Promise<boolean> {
    const sizes = this.grounds.broad();
    try {
      return await repeats(this.caller, sizes, REPEATS);
    } catch (error) {
      if (isJudges(error)) throw error;
      if (isUnsupported(error)) return this.refused(`repeatability with ${inWords(sizes)}`, error);
      this.findings.push(`${inWords(sizes)}: ${failureLine(this.caller.trial.candidate, error)}; ${STATES}`);
      this.keep();
      return true;
    }
  }

  /** Notes what the candidate does not support. */
  refused(what: string, refusal: unknown): true {
    this.left.push(`${what}, refused: ${refusalOf(refusal).message}; ${STATES}`);
    return true;
  }

  /** Keeps the files of the last run, which failed. */
  keep(): void {
    this.evidence = this.caller.trial.candidate.keep?.();
  }

  /** What was left out, a line each. */
  untried(): string[] {
    return [...this.left, ...this.waiting.map(({ name }) => name)];
  }

  private async try(family: Family): Promise<void> {
    const { name, steps, counts, bits, isPairwise = bits === "kept" } = family;
    if (steps.length < (isPairwise ? 1 : 2)) {
      if (bits !== "kept")
        this.left.push(`${name}: ${steps.length === 0 ? "nothing" : `only ${counts} ${steps[0]}`} fits`);
      return;
    }
    const map = await mapOf(family, this.caller);
    if (map.failure !== undefined) this.keep();
    if (map.compared > 0) this.maps.push(map);
    const refused = map.refused === undefined ? "" : `, refused: ${map.refused}`;
    if (map.untried.length > 0) this.left.push(`${name}: ${counts} ${stepsInWords(map.untried)}${refused}`);
    append(this.findings, findingsIn(map, this.plan.bitwise));
    this.plan.onMap?.(this.maps.length, FAMILIES * this.groups.length);
  }
}

/** What to do where a kernel cannot do a size. */
const STATES = "--sizes states the sizes that a kernel supports";

/** What no correct kernel does, and what one that promises bits does not. */
export function findingsIn(map: BitMap, bitwise: boolean): string[] {
  const { relation, sizes, worst, isBroken, isPromised, same, statement, failure } = map;
  const where = [relation, inWords(sizes)].filter(Boolean).join(", ");
  const isFinding = isBroken || (bitwise && isPromised && same === false);
  return [
    ...(isFinding ? [`${where}: ${worst}. ${statement}`] : []),
    ...(failure === undefined ? [] : [`${where}: ${failure}; ${STATES}`]),
  ];
}

/** "O=16 C=4096". */
export function inWords(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** Whether runs on the same inputs, with one on others after the first, give the same bits. */
async function repeats(caller: Caller, sizes: Sizes, runs: number): Promise<boolean> {
  const trial = { ...caller.trial, sizes };
  const problem = ordinary(trial);
  const first = await caller.run(problem);
  await caller.run(ordinary(trial, trial.seed + 1));
  for (let n = 1; n < runs; n++) if (!areSame(trial.operation, first, await caller.run(problem))) return false;
  return true;
}
