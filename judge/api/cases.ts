// The cases of an op: drawn at random, or parsed from a printed line.
import * as fc from "fast-check";
import { buildCase } from "../campaign.ts";
import { arbitraryCase, type Case, formatCase } from "../case.ts";
import type { Chosen } from "../choose.ts";
import { parseReplay } from "../replay.ts";
import { shown } from "./input.ts";
import { chosenOf } from "./ops.ts";
import type { AnyOp, InputsOf, ProblemOf, ScalarsOf } from "./types.ts";

/**
 * The cases of an op as a fast-check arbitrary: awkward shapes and harsh numbers, the same ones that `judge` draws. A failure
 * shrinks to small sizes and ordinary numbers, and prints as the line that replays it. Throws TypeError or RangeError if
 * `op` is not an op.
 *
 * @example
 * ```ts
 * import * as fc from "fast-check";
 * import { cases, compare, ops } from "touchstone-llama";
 *
 * const kernel = ops["rmsnorm.forward"].reference;
 * fc.assert(
 *   fc.property(cases("rmsnorm.forward"), (problem) => compare(problem, kernel(problem.inputs, problem.scalars)).passed),
 *   { numRuns: 20 },
 * );
 * // A failure's counterexample reads: rmsnorm.forward R=1 C=8 profile=unit seed=0
 * ```
 */
export function cases<Op extends AnyOp>(op: Op): fc.Arbitrary<ProblemOf<Op>> {
  const chosen = chosenOf(op);
  return arbitraryCase(chosen.spec, false).map((c) => problemOf<Op>(chosen, c));
}

/**
 * The problem of a printed line. Throws TypeError unless it is a string, RangeError that names the word that is wrong, for
 * recorded inputs (profile=real), which need files, and for a relation, which `judge` tries with its option `replay`.
 *
 * @example
 * ```ts
 * import { compare, ops, replay } from "touchstone-llama";
 *
 * const problem = replay("swiglu.forward R=1 F=8 profile=unit seed=0", "swiglu.forward");
 * const { findings } = compare(problem, ops["swiglu.forward"].reference(problem.inputs, problem.scalars));
 * findings; // []
 * ```
 *
 * @param op If given, the line must be of that op, and the problem has its types.
 */
export function replay<Op extends AnyOp = AnyOp>(line: string, op?: Op): ProblemOf<Op> {
  if (typeof line !== "string") throw new TypeError(`replay: got ${shown(line)}, expected a printed line`);
  const { chosen, case: c, relation } = parseReplay(line);
  if (relation !== undefined) {
    throw new RangeError(`replay: "${relation.name}" is a relation, expected a case: judge's option replay tries it`);
  }
  if (c.profile === "real") {
    throw new RangeError("replay: profile is real, expected made-up numbers: recorded ones need touchstone-llama/node");
  }
  if (op !== undefined && op !== chosen.operation.name) {
    throw new RangeError(`replay: the line is of ${chosen.operation.name}, expected ${shown(op)}`);
  }
  return problemOf<Op>(chosen, c);
}

function problemOf<Op extends AnyOp>({ operation, spec }: Chosen, c: Case): ProblemOf<Op> {
  const { inputs, scalars } = buildCase(spec, c);
  const problem: ProblemOf<Op> = {
    op: operation.name as Op,
    inputs: inputs as InputsOf<Op>,
    scalars: scalars as ScalarsOf<Op>,
    profile: c.profile,
    replay: formatCase(c),
  };
  return Object.defineProperty(problem, fc.toStringMethod, { value: () => formatCase(c) });
}
