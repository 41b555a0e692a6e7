// The orders of all sums of one op.
import type { Candidate } from "../../reference/candidate.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import type { Operation } from "../../reference/operation.ts";
import { failureLine } from "../candidates/result.ts";
import { Limited } from "../candidates/limited.ts";
import { isUnsupported, refusalOf } from "../candidates/unsupported.ts";
import { numbersOfCase } from "../case-memory.ts";
import type { Sizes } from "../case.ts";
import { closing } from "../check.ts";
import type { Chosen } from "../choose.ts";
import type { Word } from "../conclusion.ts";
import { type Deadline, isStop } from "../deadline.ts";
import { parseSizes } from "../sizes/language.ts";
import { models } from "../sizes/model.ts";
import { SizeRule } from "../sizes/rule.ts";
import { isJudges } from "../verdict.ts";
import { type Revealed, reveal } from "./reveal.ts";
import type { Layout } from "./layout.ts";
import { layouts, notRevealed } from "./layouts.ts";
import { type OneSign, revealOneSign } from "./one-sign.ts";
import { oneSignLayouts } from "./one-sign-layouts.ts";

/** One sum. */
export interface SumOfOp extends Revealed {
  readonly sum: string;
  readonly output: string;
  readonly sizes: Sizes;
  readonly terms: number;
}

export interface Orders {
  readonly op: string;
  readonly verdict: Word;
  /** What keeps the verdict from being conclusive. */
  readonly reasons: readonly string[];
  readonly sums: readonly SumOfOp[];
  /** Sums that were not tried, with the reason. */
  readonly untried: Readonly<Record<string, string>>;
  /** What is found of the candidate apart from its sums. */
  readonly findings: readonly string[];
  /** Where the files are of the run that failed. */
  readonly evidence?: string;
  readonly runs: number;
  readonly ms: number;
}

export interface Plan {
  readonly dtype: DTypeName;
  /** The sizes that the kernel supports. */
  readonly rule: SizeRule;
  readonly deadline: Deadline;
  /** Called after each run of the candidate, with the share of the sums that are done. */
  readonly onRun?: (share: number) => void;
}

/** Every sum whose order is revealed. */
export const allLayouts: readonly (Layout | OneSign)[] = [...layouts, ...oneSignLayouts];

/** More terms take too many runs, and more numbers too much memory. */
const MOST_TERMS = 1 << 16;
const MOST_NUMBERS = 2 ** 27;
const INTERRUPTED = "interrupted";
const OUT_OF_TIME = "the budget ran out before its order was known";

/** Reveals the order of each sum of an op, and closes the candidate. Throws what the judge itself throws. */
export async function ordersOf({ operation }: Chosen, candidate: Candidate, plan: Plan): Promise<Orders> {
  const { dtype, rule, deadline, onRun } = plan;
  const all = allLayouts.filter(({ op }) => op === operation.name);
  const own = all.filter(({ output }) => Object.hasOwn(operation.outputs, output));
  const limited = new Limited(candidate, deadline);
  const start = deadline.now();
  const untried: Record<string, string> = {};
  let [runs, evidence]: [number, string | undefined] = [0, undefined];
  const [sums, findings]: [SumOfOp[], string[]] = [[], []];
  for (const name of Object.keys(operation.sums)) {
    const why = notRevealed[`${operation.name} ${name}`];
    if (why !== undefined) untried[name] = why;
  }
  for (const { sum, output } of all) if (!own.some((one) => one.sum === sum)) untried[sum] = `${output} is not offered`;
  try {
    for (const [k, layout] of own.entries()) {
      const sizes = rule.nearest(layout.sizes);
      const terms = layout.terms(sizes);
      const needs =
        layout.needs?.(sizes) ?? (terms > 1 && terms <= MOST_TERMS ? undefined : `sums of 2 to ${MOST_TERMS} terms`);
      if (needs !== undefined) {
        untried[layout.sum] = `it shows with ${needs} alone`;
        continue;
      }
      const counting = (): void => {
        runs++;
        onRun?.(k / own.length);
      };
      const given = { operation, candidate: limited, dtype, sizes, onRun: counting };
      const revealed = await (
        "factors" in layout ? reveal({ ...given, layout }) : revealOneSign({ ...given, layout })
      ).catch((error: unknown) => {
        if (!isUnsupported(error)) throw error;
        untried[layout.sum] = `the kernel refused it: ${refusalOf(error).message}; --sizes states what it supports`;
      });
      if (revealed === undefined) continue;
      sums.push({ sum: layout.sum, output: layout.output, sizes, terms, ...revealed });
      if (revealed.findings.length > 0) evidence ??= limited.keep();
    }
  } catch (error) {
    if (isJudges(error) && !isStop(error)) {
      await closing(limited); // the judge's own error is the one to report
      throw error;
    }
    const left = own.filter(({ sum }) => untried[sum] === undefined && !sums.some((one) => one.sum === sum));
    if (isStop(error)) for (const { sum } of left) untried[sum] = deadline.isInterrupted ? INTERRUPTED : OUT_OF_TIME;
    else {
      findings.push(
        `${left[0]?.sum ?? "the sum"}: ${failureLine(limited, error)}; --sizes states the sizes that a kernel supports`,
      );
      evidence = limited.keep();
    }
  }
  const complaint = await closing(limited);
  if (complaint !== undefined) findings.push(complaint);
  const { verdict, reasons } = concluded(operation.name, own.length, sums, findings, untried);
  const kept = evidence === undefined ? {} : { evidence };
  return { op: operation.name, verdict, reasons, sums, untried, findings, ...kept, runs, ms: deadline.now() - start };
}

/** The sizes of each op, as people write them. Throws RangeError where they are wrong or too large. */
export function rulesOf(chosen: readonly Chosen[], text: string | undefined): SizeRule[] {
  const model = text?.split(/\s+/).find((word) => Object.hasOwn(models, word));
  if (model !== undefined) throw new RangeError(`sizes: ${model} is a model, expected sizes such as 'C=4096 R=1'`);
  const known = [...new Set(chosen.flatMap(({ spec }) => Object.keys(spec.sizes)))];
  const terms = text === undefined ? [] : parseSizes(text, known);
  return chosen.map(({ operation, spec }) => {
    const rule = new SizeRule(operation, spec, terms);
    for (const layout of allLayouts.filter(({ op }) => op === operation.name)) checkNumbers(operation, layout, rule);
    return rule;
  });
}

/** Throws RangeError where a run would have more numbers than the judge holds. */
function checkNumbers(operation: Operation, { sum, sizes }: Layout | OneSign, rule: SizeRule): void {
  const nearest = rule.nearest(sizes);
  const numbers = numbersOfCase(operation, nearest);
  if (numbers <= MOST_NUMBERS) return;
  const words = Object.entries(nearest).map(([name, value]) => `${name}=${value}`);
  throw new RangeError(
    `sizes: ${operation.name} ${sum}: ${words.join(" ")} has ${numbers.toExponential(1)} numbers, expected at most ${MOST_NUMBERS.toExponential(1)}`,
  );
}

function concluded(
  op: string,
  of: number,
  sums: readonly SumOfOp[],
  findings: readonly string[],
  untried: Readonly<Record<string, string>>,
): { readonly verdict: Word; readonly reasons: string[] } {
  if (findings.length > 0 || sums.some((sum) => sum.findings.length > 0)) return { verdict: "FAIL", reasons: [] };
  const reasons = sums.flatMap(({ sum, reason }) => (reason === undefined ? [] : [`${op} ${sum}: ${reason}`]));
  const stopped = Object.entries(untried).flatMap(([sum, why]) =>
    why === INTERRUPTED || why === OUT_OF_TIME ? [`${op} ${sum}: ${why}`] : [],
  );
  const none = of === 0 || sums.length + stopped.length === 0 ? [`${op}: no sum was tried`] : [];
  const all = [...reasons, ...stopped, ...none];
  return { verdict: all.length > 0 ? "inconclusive" : "pass", reasons: all };
}
