// Races: a candidate that shows how its workgroups meet in memory is looked at with ordinary sizes, then with each axis short in turn.
//
// Ordinary sizes are a few tiles and a rest along each axis, so every loop over tiles runs again. Where following all of that takes too
// long, one short axis leaves the loops over the others as they are.
import type { Candidate } from "../reference/candidate.ts";
import { append } from "../reference/lists.ts";
import { buildCase } from "./campaign.ts";
import { type Case, formatCase, type Sizes } from "./case.ts";
import type { Trial } from "./relations/relation.ts";
import type { JudgeRow } from "./row.ts";

/** How much of a candidate was looked at for races. */
export interface Races {
  /** Workgroups that were followed to their ends, over all cases. */
  readonly workgroups: number;
  /** The cases, as lines that replay them. */
  readonly cases: readonly string[];
  /** Why some workgroups were not followed. */
  readonly stopped?: string;
  /** How many races were seen, or barriers that not all invocations reach. */
  readonly found: number;
  readonly findings: readonly string[];
  readonly replays: readonly string[];
  readonly notes: readonly string[];
}

/** Milliseconds after which no further case begins. */
const MOST = 2000;

/** Looks at cases until the time is up. Throws what the candidate throws. */
export async function lookForRaces(
  look: NonNullable<Candidate["races"]>,
  { spec, seed, dtype, deterministic }: Pick<Trial, "spec" | "seed" | "dtype" | "deterministic">,
  now: () => number,
): Promise<Races> {
  const start = now();
  const [findings, replays, notes, cases]: [string[], string[], string[], string[]] = [[], [], [], []];
  let workgroups = 0;
  let found = 0;
  let stopped: string | undefined;
  for (const sizes of raceSizes(spec)) {
    if (cases.length > 0 && now() - start > MOST) break;
    const c: Case = { op: spec.op, sizes, profile: "unit", seed };
    const line = formatCase(c);
    const { inputs, scalars } = buildCase(spec, c, dtype);
    const report = await look(inputs, scalars);
    workgroups += report.workgroups;
    stopped ??= report.stopped;
    if (report.workgroups > 0) cases.push(line);
    const faults = [...report.races, ...(deterministic ? report.unordered : [])];
    if (!deterministic) append(notes, report.unordered);
    if (faults.length === 0) continue;
    found += report.races.length;
    append(
      findings,
      faults.map((fault) => `${line}: ${fault}`),
    );
    replays.push(line);
    break; // other sizes would show the same lines
  }
  return { workgroups, cases, found, ...(stopped === undefined ? {} : { stopped }), findings, replays, notes };
}

/** Ordinary sizes, and those with one axis as short as fits. */
function raceSizes({ ordinary, fits }: Pick<JudgeRow, "ordinary" | "fits">): Sizes[] {
  const short = Object.entries(ordinary).flatMap(([name, value]) => {
    if (typeof value !== "number" || name !== name.toUpperCase()) return [];
    const sizes = { ...ordinary, [name]: 1 };
    return fits(sizes) ? [sizes] : [];
  });
  return [ordinary, ...short];
}
