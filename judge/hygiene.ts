// A candidate's behaviour apart from ordinary numbers: whether equal runs agree, and whether NaN and infinity are passed on.
//
// Changed inputs, unwritten outputs and writes out of bounds are checked in every case, by the device's guards and the judge,
// not here.
import type { Inputs, Operation, Outputs } from "../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import { formatCase, type Problem } from "./case.ts";
import { indexOf } from "./compare.ts";
import { Grounds } from "./invariance/room.ts";
import { roomOf } from "./relations/batches.ts";
import { poisonElsewhere } from "./relations/independence.ts";
import { ordinary, Run, type Trial } from "./relations/relation.ts";
import { truth } from "./verdict.ts";
import { append } from "../reference/lists.ts";

export interface Hygiene {
  /** Whether runs on the same inputs, with another between them, gave the same bits. */
  readonly repeatable: boolean;
  /** Inputs whose NaN (or infinity) some output should show and does not, each with where: "x → y[0,3]". */
  readonly swallowed: readonly string[];
  /** Where NaN in other rows, heads or batches came through: "the rest of R → y[0,3]". */
  readonly spread: readonly string[];
  /** The same for masked keys and ignored rows: 0 · NaN is NaN, so this is not a fault. */
  readonly leaked: readonly string[];
  readonly findings: readonly string[];
  readonly notes: readonly string[];
}

/** Both parts. Throws what the candidate throws. */
export async function inspectHygiene(trial: Trial): Promise<Hygiene> {
  return together(await inspectBits(trial), await inspectNonFinite(trial));
}

/** The part about equal runs. */
export type Bits = Pick<Hygiene, "repeatable" | "findings" | "notes">;
/** The part about NaN and infinity. */
export type NonFinite = Omit<Hygiene, "repeatable">;

export function together(bits: Bits, nonFinite: NonFinite): Hygiene {
  return {
    repeatable: bits.repeatable,
    ...nonFinite,
    findings: [...bits.findings, ...nonFinite.findings],
    notes: [...bits.notes, ...nonFinite.notes],
  };
}

/** Runs of many workgroups on the same inputs: sums that are added as threads come agree by chance now and then. */
const REPEATS = 3;

/** Whether runs on the same inputs, with another after the first, agree: two of ordinary sizes, and some with many workgroups. */
export async function inspectBits(trial: Trial): Promise<Bits> {
  const { operation, spec } = trial;
  const broad = new Grounds(operation, spec, roomOf(trial)).broad();
  const line = (await differing(trial, 2)) ?? (await differing({ ...trial, sizes: broad }, REPEATS));
  if (line === undefined) return { repeatable: true, findings: [], notes: [] };
  return {
    repeatable: false,
    ...(trial.deterministic ? { findings: [line], notes: [] } : { findings: [], notes: [line] }),
  };
}

/** What a later one of so many runs gave in place of what the first did; undefined where all agree. */
async function differing(trial: Trial, runs: number): Promise<string | undefined> {
  const problem = ordinary(trial);
  const first = await Run.of(trial, problem);
  await Run.of(trial, ordinary(trial, trial.seed + 1));
  for (let n = 2; n <= runs; n++) {
    const later = await Run.of(trial, problem);
    const changed = firstDifference(trial.operation, first.outputs, later.outputs);
    const which = n === 2 ? "a second run" : `run ${n}`;
    if (changed !== undefined) return `${lineOf(trial)}: ${which} on the same inputs gave another ${changed}`;
  }
  return undefined;
}

/** What becomes of NaN and infinity. */
export async function inspectNonFinite(trial: Trial): Promise<NonFinite> {
  const problem = ordinary(trial);
  const findings: string[] = [];
  const notes: string[] = [];
  const line = lineOf(trial);
  const swallowed = await swallowedNumbers(trial, problem);
  const poisonings = await poisonElsewhere(trial);
  const through = (masked: boolean): string[] =>
    poisonings.flatMap((p) => (p.masked === masked && p.reached !== undefined ? [`${p.name} → ${p.reached}`] : []));
  const spread = through(false);
  const leaked = [...through(true), ...(await unreadNumbers(trial, problem))];
  const judged = trial.target.promisesNonFinite ? findings : notes;
  append(
    judged,
    swallowed.map((where) => `${line}: not passed on: ${where}`),
  );
  append(
    judged,
    spread.map((where) => `${line}: NaN comes through from ${where}`),
  );
  append(
    notes,
    leaked.map((where) => `${line}: NaN comes through from ${where}`),
  );
  return { swallowed, spread, leaked, findings, notes };
}

function lineOf({ spec, sizes, seed }: Trial): string {
  return formatCase({ op: spec.op, sizes, profile: "unit", seed });
}

/** Inputs whose NaN or infinity some output should show and does not. */
async function swallowedNumbers(trial: Trial, problem: Problem): Promise<string[]> {
  const { operation } = trial;
  const swallowed: string[] = [];
  for (const [poison, value] of [
    ["NaN", NaN],
    ["infinity", Infinity],
  ] as const) {
    for (const input of poisoned(trial)) {
      const place = visiblePlace(trial, input, problem);
      if (place === undefined) continue;
      const given = withNumbers(problem, input, [place], value);
      const want = truth(operation, given);
      const { outputs } = await Run.of(trial, given);
      const lost = firstWhere(operation, want, outputs, (w, g) => !Number.isFinite(w) && Number.isFinite(g));
      if (lost !== undefined) swallowed.push(`${poison} in ${input} → ${lost}`);
    }
  }
  return swallowed;
}

function poisoned({ operation, spec }: Trial): string[] {
  const { inputs, integers } = operation;
  return Object.keys(inputs).filter((input) => !integers.includes(input) && !spec.overlooked.includes(input));
}

/** The flat index of a number on which some output depends. */
function visiblePlace({ spec }: Trial, input: string, problem: Problem): number | undefined {
  return problem.inputs[input].data.length === 0 ? undefined : spec.shown(input, problem);
}

/** Where numbers that the formula does not contain come through all the same. */
async function unreadNumbers(trial: Trial, problem: Problem): Promise<string[]> {
  const { operation, spec } = trial;
  const unread = spec.unread(problem);
  if (unread === undefined) return [];
  const given = withNumbers(problem, unread.input, unread.places, NaN);
  const { outputs } = await Run.of(trial, given);
  const hides = (w: number, g: number): boolean => Number.isFinite(w) && !Number.isFinite(g);
  const reached = firstWhere(operation, truth(operation, given), outputs, hides);
  return reached === undefined ? [] : [`${unread.name} → ${reached}`];
}

function withNumbers({ inputs, scalars }: Problem, input: string, places: readonly number[], value: number): Problem {
  const t: Tensor<Floats | Ints> = inputs[input];
  const data = t.data.slice();
  for (const place of places) data[place] = value;
  return { inputs: { ...inputs, [input]: { data, shape: t.shape } } as Inputs, scalars };
}

/** Such as "y[0,3]: 1 and then 2". −0 equals +0, and any NaN any other. */
function firstDifference(operation: Operation, a: Outputs, b: Outputs): string | undefined {
  for (const output of Object.keys(operation.outputs)) {
    const [left, right] = [a[output].data, b[output].data];
    for (let i = 0; i < left.length; i++) {
      if (left[i] === right[i] || (Number.isNaN(left[i]) && Number.isNaN(right[i]))) continue;
      return `${output}[${indexOf(i, a[output].shape).join(",")}]: ${left[i]} and then ${right[i]}`;
    }
  }
  return undefined;
}

function firstWhere(
  operation: Operation,
  want: Outputs,
  got: Outputs,
  holds: (want: number, got: number) => boolean,
): string | undefined {
  for (const output of Object.keys(operation.outputs)) {
    const [w, g] = [want[output].data, got[output].data];
    for (let i = 0; i < w.length; i++) {
      if (holds(w[i], g[i])) return `${output}[${indexOf(i, want[output].shape).join(",")}] is ${g[i]}`;
    }
  }
  return undefined;
}
