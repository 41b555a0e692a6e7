// Whether a kernel's bits depend on what surrounds them, as `touchstone invariance` tells it.
import type { Candidate } from "../../reference/candidate.ts";
import { invarianceOf } from "../invariance/invariance.ts";
import type { BitMap } from "../invariance/map.ts";
import { roomsOf } from "../invariance/sizes.ts";
import { outcomeOf } from "./again.ts";
import { candidateOf, readyUnder, termsIn } from "./candidate.ts";
import type { JudgeOptions, JudgeResult } from "./judge.ts";
import { chosenOf } from "./ops.ts";
import { promisesOf, sizesIn } from "./promises.ts";
import { offeredBy, type TermsOptions, termsOf } from "./terms.ts";
import type { AnyOp, KernelFunction, PartialKernel } from "./types.ts";

/**
 * How a kernel's bits are mapped, and under which terms. `sizes` are the sizes to be tried, such as "C=4096 O=11008 R<=257", or a
 * model's name; without it they are small enough for a slow kernel.
 *
 * @example
 * ```ts
 * import { invariance, type InvarianceOptions, ops } from "touchstone-llama";
 *
 * const options: InvarianceOptions = { sizes: "C=64 R<=64", bitwise: true, seconds: 20 };
 * const { passed } = await invariance("rmsnorm.forward", ops["rmsnorm.forward"].reference, options);
 * ```
 */
export type InvarianceOptions = Pick<
  JudgeOptions,
  keyof TermsOptions | "seed" | "seconds" | "timeout" | "nondeterministic" | "bitwise" | "sizes" | "signal"
>;

/**
 * What depends on what surrounds it.
 *
 * @example
 * ```ts
 * import { invariance, type InvarianceResult, ops } from "touchstone-llama";
 *
 * const result: InvarianceResult = await invariance("add.forward", ops["add.forward"].reference, { sizes: "N<=65" });
 * result.maps.map(({ relation, same }) => `${relation}: ${same}`); // ["number of N: true", …]
 * ```
 */
export interface InvarianceResult extends Pick<JudgeResult, "passed" | "verdict" | "reasons"> {
  /** Which sizes give the same bits, a map for each thing that should not matter. */
  readonly maps: readonly BitMap[];
  /** Differences beyond both bounds, and with `bitwise` every bit that changes where a kernel could keep it; one line each. */
  readonly findings: readonly string[];
  /** What `seconds` left no time for, and `sizes` no room. */
  readonly untried: readonly string[];
  /** Whether two runs on the same inputs gave the same bits; absent where the kernel failed before that was tried. */
  readonly repeatable?: boolean;
}

/**
 * The same for a kernel that gives some of the op's outputs, which the option `outputs` names.
 *
 * @example
 * ```ts
 * import { invariance, ops } from "touchstone-llama";
 *
 * const { passed } = await invariance(
 *   "rmsnorm.forward",
 *   ({ x, w }, { eps }) => ({ y: ops["rmsnorm.forward"].reference({ x, w }, { eps }).y }),
 *   { outputs: ["y"], sizes: "C=64 R<=33" },
 * );
 * ```
 */
export function invariance<Op extends AnyOp>(
  op: Op,
  candidate: PartialKernel<Op> | Candidate,
  options: InvarianceOptions & Required<Pick<InvarianceOptions, "outputs">>,
): Promise<InvarianceResult>;
/**
 * Maps which bits of a kernel depend on what surrounds them: the number of rows, a row's place, zeros around it, queries at once or in
 * pieces, sums padded or split over ranks; and says at which sizes they change. It needs no oracle: where bits differ, both runs'
 * bounds say whether that is an order of summation or a fault. Throws TypeError or RangeError for a bad op, candidate or option; rejects
 * with the signal's reason when it is aborted.
 *
 * @example
 * ```ts
 * import { invariance, ops } from "touchstone-llama";
 *
 * const { maps } = await invariance("linear.forward", ops["linear.forward"].reference, { sizes: "O=8 C=64 R<=33" });
 * const rows = maps.find(({ relation }) => relation === "number of R");
 * rows?.ranges; // [{ from: 1, to: 33, bits: 0, tried: 13 }]: any number of rows gives the same bits
 * ```
 */
export function invariance<Op extends AnyOp>(
  op: Op,
  candidate: KernelFunction<Op> | Candidate,
  options?: InvarianceOptions,
): Promise<InvarianceResult>;
export async function invariance<Op extends AnyOp>(
  op: Op,
  candidate: PartialKernel<Op> | Candidate,
  options: InvarianceOptions = {},
): Promise<InvarianceResult> {
  const chosen = offeredBy(chosenOf(op), options, "options");
  const { given, signal, deadline, ...promises } = promisesOf(options);
  const [room] = roomsOf([chosen], sizesIn(given, "C=4096 R<=257"));
  const judged = candidateOf(chosen, candidate);
  const terms = termsOf(chosen.operation, termsIn(options), "options", judged.target);
  const { ready, timeout } = readyUnder(judged, chosen, terms, { signal, timeout: options.timeout });
  const plan = { ...promises, room, timeout, deadline };
  const found = await invarianceOf(chosen, ready, terms, plan).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
  signal?.throwIfAborted();
  const { conclusion, maps, evidence, untried, isRepeatable: repeatable } = found;
  const kept = evidence === undefined ? "" : ` (files kept in ${evidence})`;
  const findings = found.findings.map((finding, i, all) => (i === all.length - 1 ? `${finding}${kept}` : finding));
  return { ...outcomeOf(conclusion), maps, findings, untried, ...(repeatable === undefined ? {} : { repeatable }) };
}
