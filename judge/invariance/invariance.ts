// Whether a kernel's bits depend on what surrounds them, and at which sizes they change. No oracle is needed: runs of the candidate are
// compared with one another, and only where they differ is the bound taken, at the elements that do.
import type { Candidate } from "../../reference/candidate.ts";
import { failureLine } from "../candidates/result.ts";
import { Limited } from "../candidates/limited.ts";
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
import { type BitMap, mapOf } from "./map.ts";
import { paddedLengths, paddedOf, ranksOf } from "./sums.ts";
import { placesOf } from "./places.ts";
import { queriesOf } from "./queries.ts";
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
  /** Called after each family, with the number of families. */
  readonly onMap?: (map: BitMap, families: number) => void;
}

export interface Invariance {
  readonly op: string;
  readonly conclusion: Conclusion;
  readonly maps: readonly BitMap[];
  readonly findings: readonly string[];
  /** Families for which there was no time, and those that the sizes leave no steps. */
  readonly untried: readonly string[];
  readonly isRepeatable?: boolean;
  readonly runs: number;
  readonly ms: number;
  readonly isInterrupted: boolean;
}

/** The families of an op, by name, made when their turn comes: they hold the inputs. */
type Group = { readonly name: string; readonly make: () => readonly Family[] };

/** Tries all families of an op, and closes the candidate. Throws what the judge itself throws. */
export async function invarianceOf(
  chosen: Chosen,
  candidate: Candidate,
  terms: Terms,
  { room, seed, nondeterministic, bitwise, deadline = new Deadline(), timeout, onMap }: Plan,
): Promise<Invariance> {
  const { operation, spec } = chosen;
  const limited = new Limited(candidate, deadline, timeout);
  const grounds = new Grounds(operation, spec, room);
  const trial: Trial = {
    ...terms,
    operation,
    spec,
    candidate: limited,
    sizes: grounds.near(spec.ordinary),
    seed,
    deterministic: !nondeterministic,
  };
  const start = deadline.now();
  const caller = new Caller(trial);
  const groups = groupsOf(caller, grounds);
  const [maps, findings, untried]: [BitMap[], string[], string[]] = [[], [], []];
  let isRepeatable: boolean | undefined;
  try {
    isRepeatable = await repeats(caller);
    if (!isRepeatable && !nondeterministic) {
      findings.push("two runs on the same inputs differ in bits; --nondeterministic declares that they may");
    }
    for (const { make } of isRepeatable || nondeterministic ? groups : []) {
      for (const family of make()) {
        if (family.steps.length < 2 && family.bits !== "kept") {
          untried.push(`${family.name}: ${family.steps.length === 0 ? "no step fits" : `only ${family.counts} ${family.steps[0]} fits`}`);
          continue;
        }
        if (family.steps.length === 0) continue;
        const map = await mapOf(family, caller);
        maps.push(map);
        findings.push(...findingsIn(map, bitwise));
        onMap?.(map, groups.length);
        deadline.check();
      }
    }
  } catch (error) {
    if (!isStop(error)) {
      if (isJudges(error)) {
        await closing(limited); // the judge's own error is the one to report
        throw error;
      }
      findings.push(failureLine(limited, error));
    } else untried.push(...groups.map(({ name }) => name).filter((name) => !maps.some((map) => map.relation === name)));
  }
  findings.push(...caller.complaints);
  const complaint = await closing(limited);
  if (complaint !== undefined) findings.push(complaint);
  const parts = maps.map(({ relation, compared, unjudged }) => ({
    name: relation,
    offered: compared,
    judged: compared - unjudged,
  }));
  const { isInterrupted } = deadline;
  const conclusion = conclude({
    hasFindings: findings.length > 0,
    parts: partsUnder(operation.name, parts),
    interrupted: isInterrupted,
    allowUnjudged: terms.allowUnjudged,
  });
  const ms = deadline.now() - start;
  return {
    op: operation.name,
    conclusion,
    maps,
    findings,
    untried,
    ...(isRepeatable === undefined ? {} : { isRepeatable }),
    runs: caller.runs,
    ms,
    isInterrupted,
  };
}

/** What no correct kernel does, and what one that promises bits does not. */
export function findingsIn(map: BitMap, bitwise: boolean): string[] {
  const { relation, sizes, worst, isBroken, isPromised, same, statement } = map;
  const isFinding = isBroken || (bitwise && isPromised && same === false);
  return isFinding ? [`${[relation, inWords(sizes)].filter(Boolean).join(", ")}: ${worst}. ${statement}`] : [];
}

/** "O=16 C=4096". */
export function inWords(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** Whether two runs on the same inputs, one after the other, give the same bits. */
async function repeats(caller: Caller): Promise<boolean> {
  const problem = ordinary(caller.trial);
  const first = await caller.run(problem);
  return areSame(caller.trial.operation, first, await caller.run(problem));
}

function groupsOf(caller: Caller, grounds: Grounds): Group[] {
  const { independence, padding } = caller.trial.spec;
  return [
    ...independence.flatMap((one): Group[] => {
      const { axes, outputs, whole = [], signed = [], masked } = one;
      // A count of places, or a sum over them, is part of these formulas.
      if (whole.length + signed.length > 0) return [];
      if (masked === true) return queryGroups(caller, grounds, outputs);
      const [axis] = axes;
      return grounds.around(axis).map((ground) => ({
        name: `number of ${axis}`,
        make: () => {
          const numbers = grounds.steps(axis, ground);
          const among = grounds.steps(axis, ground, AMONG).at(-1);
          return placesOf(caller, one, ground.sizes, { numbers, among });
        },
      }));
    }),
    ...padding.flatMap((one): Group[] => {
      const { axis } = one;
      return grounds
        .around(axis)
        .slice(0, 1)
        .map((given) => {
          const ground = grounds.lengthened(given, axis, LONG_SUM);
          const { sizes } = ground;
          const length = Number(sizes[axis]);
          const lengths = grounds.steps(axis, ground, paddedLengths(length));
          return {
            name: `${axis} padded from ${length}`,
            make: () => [
              paddedOf(caller, one, sizes, lengths),
              ...(one.isSum === true ? [ranksOf(caller, one, sizes)] : []),
            ],
          };
        });
    }),
  ];
}

/** Among so many places each one is tried. */
const AMONG: readonly number[] = [2, 9, 33, 65, 129, 257];
/** A sum to be padded and split: no tile divides it. */
const LONG_SUM = 4000;
/** Queries of a prefill. */
const PREFILL = 513;

/** As many keys as queries, as where a sequence begins; and with a cache. */
function queryGroups(caller: Caller, grounds: Grounds, outputs: readonly string[]): Group[] {
  return grounds.around("T").flatMap((ground) => {
    const { sizes, limit } = ground;
    const square = grounds.lengthened({ sizes: { ...sizes, S: 1 }, limit }, "T", Math.max(PREFILL, Number(sizes.T)));
    const cached = grounds.lengthened(ground, "T", Math.floor(Number(sizes.S) / 4));
    return [square, cached].flatMap((one) => {
      const steps = grounds.steps("T", one);
      return [{ name: "number of queries", make: () => queriesOf(caller, outputs, one.sizes, steps) }];
    });
  });
}
