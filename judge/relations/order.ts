// Calls do not depend on those before them: whatever a kernel keeps between calls (a compiled kernel, a plan, a workspace, an upload),
// each call gives what it gives in another order.
//
// What is kept under too small a key shows when one size changes and the others stay, in one direction or the other, and when the
// same buffers hold new numbers. Each call is held to its bound, since what was compiled for the first size of a process may be wrong for
// all others in any order; unless the candidate is known to be outside its bounds in any order, of which these calls would only say it again.
import { append } from "../../reference/lists.ts";
import { integer, streamOf } from "../../reference/random.ts";
import { comparing } from "../campaign.ts";
import type { Buffers } from "../candidates/run.ts";
import { isUnsupported } from "../candidates/unsupported.ts";
import type { Sizes } from "../case.ts";
import { isTiled, type Large, type Lengths } from "../large.ts";
import type { JudgeRow } from "../row.ts";
import { judgeOutputs } from "../verdict.ts";
import {
  type Bits,
  compareSides,
  type Difference,
  ordinary,
  outcomeOf,
  type Relation,
  Run,
  sideOf,
  type Trial,
} from "./relation.ts";

/** One call of a sequence; calls with the same label get the same inputs. */
interface Call {
  /** What changes from call to call, such as "S=260". */
  readonly label: string;
  readonly sizes: Sizes;
  readonly seed: number;
}

/** Lengths that one axis takes in turn; a kernel made for one tile, for a few, and for many. */
const STEPS = [70, 130, 260, 1030];
/** The same for batches and heads, which are counted, not tiled. */
const COUNTS = [2, 5, 9, 33];
/** The same for an axis with a list of lengths, as places in the list from its start at 0 to its end at 1. */
const PLACES = [0, 0.3, 0.7, 1];
/** The most multiplications of a call. */
const MOST_WORK = 2e5;
/** Calls with new numbers in the same buffers. */
const NEW_NUMBERS = 12;
const NAME = "another order of calls";

export function ordersOf(row: JudgeRow): Relation {
  return {
    name: NAME,
    statement: "No call depends on the sizes or the numbers of the calls before it.",
    run: async (trial) => outcomeOf(NAME, trial, await differencesOf(trial, callsOf(row, trial))),
  };
}

/** All calls, and all of them again in reverse, by a candidate that has been started again where that can be done; ends at what is wrong. */
async function differencesOf(trial: Trial, calls: readonly Call[]): Promise<Difference[]> {
  const sequence = new Sequence(trial);
  await sequence.run(calls);
  if (sequence.isRight) await sequence.restart();
  if (sequence.isRight) await sequence.run(calls.toReversed());
  return sequence.differences;
}

/** Calls one after another, each compared with the first one on the same inputs. */
class Sequence {
  readonly differences: Difference[] = [];
  private readonly trial: Trial;
  private readonly buffers: Buffers = new Map();
  private known = new Map<string, Run>();
  /** The calls before the candidate was started again. */
  private earlier = new Map<string, Run>();

  constructor(trial: Trial) {
    this.trial = trial;
  }

  get isRight(): boolean {
    return this.differences.every(({ state }) => state !== "broken");
  }

  /** Ends after a call that is wrong. Calls that the candidate refuses are left out; throws Unsupported where all are. */
  async run(calls: readonly Call[]): Promise<void> {
    let refusal: unknown;
    let answered = 0;
    for (const [i, call] of calls.entries()) {
      const where = i === 0 ? call.label : `${call.label} after ${calls[i - 1].label}`;
      const found = await this.try(call).catch((error: unknown) => {
        if (!isUnsupported(error)) throw error;
        refusal = error;
      });
      if (found === undefined) continue;
      answered++;
      for (const { message, ...difference } of found) {
        this.differences.push(message === undefined ? difference : { ...difference, message: `${where}: ${message}` });
      }
      if (!this.isRight) return;
    }
    if (answered === 0 && refusal !== undefined) throw refusal;
  }

  async restart(): Promise<void> {
    const { candidate } = this.trial;
    if (candidate.restart === undefined) return;
    await candidate.restart();
    this.earlier = this.known;
    this.known = new Map();
  }

  private async try(call: Call): Promise<Difference[]> {
    const { trial, known } = this;
    const run = await Run.of(trial, ordinary({ ...trial, sizes: call.sizes }, call.seed), this.buffers);
    const before = known.get(call.label);
    if (before !== undefined) return compareRuns(before, run, trial, "kept");
    known.set(call.label, run);
    const earlier = this.earlier.get(call.label);
    // What a process chooses by measuring times may be another choice in the next one, with other bits.
    if (earlier !== undefined) return compareRuns(earlier, run, trial, "reported");
    return trial.isOutside?.() === true ? [] : [withinBounds(run, trial, call)];
  }
}

function compareRuns(want: Run, got: Run, { operation, deterministic }: Trial, bits: Bits): Difference[] {
  return Object.keys(operation.outputs).map((output) =>
    compareSides(output, sideOf(want, output), sideOf(got, output), deterministic ? bits : "free"),
  );
}

function withinBounds({ problem, outputs }: Run, trial: Trial, { sizes, seed }: Call): Difference {
  const { operation, spec } = trial;
  const compare = comparing(spec, { op: spec.op, sizes, profile: "unit", seed });
  const { comparisons, findings } = judgeOutputs(operation, outputs, problem, trial, [], compare);
  const sum = (of: (comparison: (typeof comparisons)[number]) => number): number =>
    comparisons.reduce((n, one) => n + of(one), 0);
  const counts = { compared: sum(({ elements }) => elements), unjudged: sum(({ unjudged }) => unjudged) };
  return findings.length === 0 ? { state: "holds", ...counts } : { state: "broken", ...counts, message: findings[0] };
}

/** Each axis in steps and back to its first length; then new numbers. */
function callsOf({ large }: JudgeRow, { sizes, seed }: Trial): Call[] {
  const numbers = Array.from({ length: NEW_NUMBERS }, (_, i) => {
    return { label: `numbers ${i + 1}`, sizes, seed: seed + 1 + i };
  });
  if (large === undefined) return numbers;
  const short = shortOf(large, sizes, seed);
  const steps = Object.keys(large.axes).flatMap((axis) => stepsOf(large, short, axis, seed, "other axes short"));
  // Batches and heads change where other numbers lie, and not how a tile is computed.
  const tiled = Object.keys(large.axes).filter((axis) => isTiled(large.axes[axis]!));
  append(
    steps,
    tiled.flatMap((axis) => stepsOf(large, sizes, axis, seed, "others ordinary")),
  );
  return [...steps, ...numbers];
}

/** One axis in steps, as far as the work allows, and the first of them again. */
function stepsOf(
  { axes, work, mend = (s) => s }: Large,
  others: Sizes,
  axis: string,
  seed: number,
  among: string,
): Call[] {
  const calls = lengthsOf(axes[axis]!)
    .map((length) => ({
      label: `${axis}=${length}, ${among}`,
      sizes: mend({ ...others, [axis]: length }),
      seed: seed + length,
    }))
    .filter(({ sizes }) => work(sizes) <= MOST_WORK);
  return calls.length < 2 ? [] : [...calls, calls[0]];
}

function lengthsOf(lengths: Lengths): readonly number[] {
  if (typeof lengths === "object") return PLACES.map((place) => lengths[Math.round(place * (lengths.length - 1))]);
  return isTiled(lengths) ? STEPS : COUNTS.filter((n) => n <= lengths);
}

/** Every axis short, as where a model makes one token at a time. */
function shortOf({ axes }: Large, sizes: Sizes, seed: number): Sizes {
  const short = Object.entries(axes).map(([name, lengths]) => {
    const isOne = integer(seed, streamOf(`order ${name}`), 0, 2) === 0;
    return [name, typeof lengths === "object" ? 4 : isOne ? 1 : isTiled(lengths!) ? 3 : 2];
  });
  return { ...sizes, ...Object.fromEntries(short) };
}
