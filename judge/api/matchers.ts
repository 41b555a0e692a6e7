// Matchers for vitest, and for any runner whose `expect.extend` takes the same form.
import type { Candidate } from "../../reference/candidate.ts";
import { invariance, type InvarianceOptions } from "./invariance.ts";
import { judge, type JudgeOptions, type JudgeResult } from "./judge.ts";
import { compare } from "./oracle.ts";
import type { TermsOptions } from "./terms.ts";
import type { AnyOp, KernelFunction, OutputsOf, ProblemOf } from "./types.ts";
import { refusalsInWords } from "../refusals.ts";
import { counted } from "../../reference/words.ts";

/**
 * The result of a matcher.
 *
 * @example
 * ```ts
 * import { ops, tensor } from "touchstone-llama";
 * import { type MatcherResult, matchers } from "touchstone-llama/vitest";
 *
 * const inputs = { x: tensor(new Float32Array([1]), [1]) };
 * const outputs = ops["cast.forward"].reference(inputs, {});
 * const result: MatcherResult = matchers.toBeWithinBound(outputs, { op: "cast.forward", inputs, scalars: {} });
 * result.pass; // true
 * ```
 */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/**
 * The matchers, for `expect.extend`.
 *
 * - `expect(outputs).toBeWithinBound(problem, terms?)`: outputs that exist already, against the oracle. Takes the arguments
 *   of `compare` and throws the same errors.
 * - `await expect(kernel).toPassTouchstone(op, options?)`: everything that `judge` does. Takes the arguments of `judge`.
 * - `await expect(kernel).toBeInvariant(op, options?)`: no bit depends on the number of rows, a row's place, zeros around it or pieces of
 *   a prefill. Takes the arguments of `invariance`, whose `bitwise` is true unless it is given.
 *
 * All fail where the verdict is inconclusive, and their `.not` does too. A failure's message ends with the line that shows it again.
 *
 * @example
 * ```ts
 * import { ops, tensor } from "touchstone-llama";
 * import { matchers } from "touchstone-llama/vitest";
 * import { expect } from "vitest";
 *
 * expect.extend(matchers);
 * const a = tensor(new Float32Array([1, 2]), [2]);
 * const kernel = ops["add.forward"].reference;
 * expect(kernel({ a, b: a }, {})).toBeWithinBound({ op: "add.forward", inputs: { a, b: a }, scalars: {} });
 * await expect(kernel).toPassTouchstone("add.forward", { runs: 20 });
 * await expect(kernel).toBeInvariant("add.forward", { sizes: "N<=65" });
 * ```
 */
export const matchers = {
  toBeWithinBound<Op extends AnyOp>(
    this: unknown,
    outputs: OutputsOf<Op>,
    problem: ProblemOf<Op>,
    terms?: TermsOptions,
  ): MatcherResult {
    const { passed, verdict, findings, reasons, elements, worst } = compare(problem, outputs, terms);
    const { op, replay } = problem;
    const again = replay === undefined ? "" : `\nreplay(${JSON.stringify(replay)}) makes this problem again`;
    return {
      pass: passes(verdict, this),
      message: () =>
        passed
          ? `${op}: ${elements} elements are within their bounds, the worst at ${worst.toPrecision(2)} of its own${again}`
          : `${op}: ${linesOf(findings, reasons)}${again}`,
    };
  },

  async toPassTouchstone<Op extends AnyOp>(
    this: unknown,
    candidate: KernelFunction<Op> | Candidate,
    op: Op,
    options?: JudgeOptions,
  ): Promise<MatcherResult> {
    const result = await judge(op, candidate, options);
    const { passed, verdict, findings, reasons, replays, cases, elements, order, refusals } = result;
    const refused = refusals === undefined ? "" : ` and ${refusalsInWords(refusals)}`;
    const under = order === undefined ? "" : ` under ${order}`;
    const again = replays.map((line) => `\njudge(${JSON.stringify(op)}, …, { replay: ${JSON.stringify(line)} })`);
    return {
      pass: passes(verdict, this),
      message: () =>
        passed
          ? `${op}: passed ${counted(cases, "case")}, ${counted(elements, "element")}${under}${refused}, and everything else that Touchstone tries`
          : `${op}: ${linesOf(findings, reasons)}${again.length === 0 ? "" : `\nshown again by:${again.join("")}`}`,
    };
  },

  async toBeInvariant<Op extends AnyOp>(
    this: unknown,
    candidate: KernelFunction<Op> | Candidate,
    op: Op,
    options?: InvarianceOptions,
  ): Promise<MatcherResult> {
    const bitwise = options?.nondeterministic !== true;
    const { passed, verdict, findings, reasons, maps } = await invariance(op, candidate, { bitwise, ...options });
    return {
      pass: passes(verdict, this),
      message: () =>
        passed
          ? `${op}: ${counted(maps.length, "map")} of bits without a change`
          : `${op}: ${linesOf(findings, reasons)}`,
    };
  },
};

/** What a matcher answers: an inconclusive verdict fails with `.not` as well, since nothing is known either way. */
function passes(verdict: JudgeResult["verdict"], context: unknown): boolean {
  const { isNot } = (context ?? {}) as { readonly isNot?: unknown };
  return verdict === "inconclusive" ? isNot === true : verdict === "pass";
}

function linesOf(findings: readonly string[], reasons: readonly string[]): string {
  return [...findings, ...reasons.map((reason) => `inconclusive: ${reason}`)].join("\n");
}
