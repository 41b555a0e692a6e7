// Whether a kernel's bits depend on what surrounds them, as `touchstone invariance` tells it.
import type { Candidate } from "../../reference/candidate.ts";
import { Deadline } from "../deadline.ts";
import { invarianceOf } from "../invariance/invariance.ts";
import type { BitMap } from "../invariance/map.ts";
import { roomsOf } from "../invariance/sizes.ts";
import { outcomeOf } from "./again.ts";
import { candidateOf, positive, readyUnder, termsIn } from "./candidate.ts";
import { checkFields, checkWhole, fieldsOf, shown } from "./input.ts";
import type { JudgeOptions, JudgeResult } from "./judge.ts";
import { chosenOf } from "./ops.ts";
import { type TermsOptions, termsFields, termsOf } from "./terms.ts";
import type { AnyOp, KernelFunction } from "./types.ts";

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
export async function invariance<Op extends AnyOp>(
  op: Op,
  candidate: KernelFunction<Op> | Candidate,
  options: InvarianceOptions = {},
): Promise<InvarianceResult> {
  const chosen = chosenOf(op);
  const { signal, sizes, deadline, ...given } = planOf(options);
  const [room] = roomsOf([chosen], sizes);
  const judged = candidateOf(chosen, candidate);
  const terms = termsOf(chosen.operation, termsIn(options), "options", judged.target);
  const { ready, timeout } = readyUnder(judged, chosen, terms, { signal, timeout: options.timeout });
  const plan = { ...given, room, timeout, deadline };
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

const planFields = ["seed", "seconds", "timeout", "nondeterministic", "bitwise", "sizes", "signal"] as const;

function planOf(options: unknown) {
  const fields = fieldsOf(options, "options", "an object");
  checkFields(fields, "options", [...termsFields, ...planFields]);
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const { seed = 1, nondeterministic = false, bitwise = false, sizes, signal } = given as InvarianceOptions;
  checkWhole(seed, "options.seed", 0, 0x7fffffff);
  for (const [name, value] of Object.entries({ nondeterministic, bitwise })) {
    if (typeof value !== "boolean") throw new TypeError(`options.${name}: got ${shown(value)}, expected a boolean`);
  }
  if (nondeterministic && bitwise) {
    throw new RangeError("options.bitwise: got true with options.nondeterministic, expected only one of them");
  }
  if (sizes !== undefined && typeof sizes !== "string") {
    throw new TypeError(`options.sizes: got ${shown(sizes)}, expected a text such as "C=4096 R<=257"`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`options.signal: got ${shown(signal)}, expected an AbortSignal`);
  }
  positive(given, "timeout");
  const deadline = new Deadline({ seconds: positive(given, "seconds"), signal });
  return { seed, nondeterministic, bitwise, sizes, signal, deadline };
}
