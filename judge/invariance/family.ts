// A family: the same outputs, computed in problems of several sizes. Whatever they have in common must be the same numbers.
import { runCandidate } from "../candidates/run.ts";
import type { Problem, Sizes } from "../case.ts";
import type { Trial } from "../relations/relation.ts";
import { type Outputs, outputShapes } from "../../reference/operation.ts";
import { roundScalars } from "../verdict.ts";

/** What was computed at one step. */
export interface Computed {
  /** The numbers, by output: those of the first places along the family's axis. */
  readonly got: Outputs;
  /** What they should be; absent where every step should give the numbers of the others. */
  readonly want?: Outputs;
}

/** How far the numbers of a step may be off, at some elements; an element that is left out was not bounded. */
export type Allowed = (output: string, list: readonly number[]) => ReadonlyMap<number, number>;

export interface Family {
  /** Such as "number of R". */
  readonly name: string;
  /** What a step counts, such as "R". */
  readonly counts: string;
  readonly outputs: readonly string[];
  /** In words, as a sentence about a kernel that keeps its bits. */
  readonly statement: string;
  /** The sizes that all steps share. */
  readonly sizes: Sizes;
  /** kept: a bit is a finding of every kernel that repeats its bits. promised: of one that promises bits. free: of none. */
  readonly bits: "kept" | "promised" | "free";
  /** Whether one step alone says something, since it has a run of its own to equal; left out, where a bit is kept. */
  readonly isPairwise?: boolean;
  /** Ascending. */
  readonly steps: readonly number[];
  /** Whether numbers between two steps are steps as well. */
  readonly isDense: boolean;
  /** The axis along which steps may have fewer places than others; the first ones are compared. */
  readonly along?: string;
  /** Throws what the candidate throws. */
  readonly at: (step: number) => Promise<Computed>;
  /** The sum of both allowances of numbers of a step: `got`, of as many places as are compared. */
  readonly allowed: (step: number, got: Outputs) => Allowed;
}

/** The numbers that a family's axis takes: around the edges of tiles, and far beyond. */
export const LADDER: readonly number[] = [
  1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024,
  1025, 2047, 2048, 2049,
];

/** Runs the candidate, whose complaints are collected; throws where an output is missing. */
export class Caller {
  readonly complaints = new Set<string>();
  runs = 0;
  readonly trial: Trial;

  constructor(trial: Trial) {
    this.trial = trial;
  }

  async run(given: Problem): Promise<Outputs> {
    const { operation, candidate } = this.trial;
    const problem = { inputs: given.inputs, scalars: roundScalars(operation, given.scalars) };
    const { outputs, complaints } = await runCandidate(operation, candidate, problem);
    this.runs++;
    for (const complaint of complaints) this.complaints.add(complaint);
    for (const [name, shape] of Object.entries(outputShapes(operation, problem.inputs, problem.scalars))) {
      const got = outputs[name];
      if (got === undefined) throw new Error(`output ${name} is missing`);
      if (got.shape.join() === shape.join()) continue;
      throw new Error(`output ${name} has shape [${got.shape}], expected [${shape}]`);
    }
    return outputs;
  }
}
