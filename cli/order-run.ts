// What `touchstone order` does: picks the ops, opens the candidate, reveals the orders of its sums, prints them.
import { unlessInterrupted } from "../judge/check.ts";
import { type Chosen, choose } from "../judge/choose.ts";
import { type Conclusion, concludeAll, INTERRUPTED } from "../judge/conclusion.ts";
import { Deadline } from "../judge/deadline.ts";
import { allLayouts, type Orders, ordersOf, rulesOf } from "../judge/orders/orders.ts";
import { isJudges } from "../judge/verdict.ts";
import { candidateOptions } from "./check-run.ts";
import { type Candidates, openCandidates } from "./check-candidates.ts";
import type { CheckOptions } from "./check-options.ts";
import { UserError } from "./errors.ts";
import { orderLines } from "./order-print.ts";
import { orderJson } from "./order-json.ts";
import { note, openResult, say } from "./output.ts";
import { beginnings } from "./outputs.ts";
import { openProgress } from "./progress.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { catchSignals } from "./signals.ts";
import { statusOfVerdict } from "./statuses.ts";
import { offeredIn } from "./terms.ts";
import { counted } from "./words.ts";

export type OrderOptions = Omit<CheckOptions, "runs" | "replay" | "seed" | "target" | "store" | "sum">;

/** Reveals the orders of the chosen ops' sums, prints them, and returns the exit status. */
export async function order(options: OrderOptions): Promise<number> {
  if (options.op === undefined && (options.exec !== undefined || options.kernel !== undefined)) {
    throw new UserError("[op...] is missing: which op does the candidate compute? `touchstone ops` lists them");
  }
  const chosen = offeredIn(options.outputs, chosenOf(options.op));
  const rules = rulesOf(chosen, options.sizes);
  const { json, overwrite, kernel } = options;
  const file =
    json === undefined
      ? undefined
      : openResult("--json", json, { overwrite, inputs: [kernel], report: beginnings.order });
  const { signal, release } = catchSignals();
  const deadline = new Deadline({ seconds: options.budget, signal });
  try {
    const candidates = await unlessInterrupted(openCandidates(options, chosen, signal));
    const where = candidates?.where ?? options.exec ?? options.kernel ?? options.adapter;
    note(`touchstone order: ${where}, ${options.dtype}`);
    const results = candidates === undefined ? [] : await revealEach(chosen, rules, candidates, deadline, options);
    const isInterrupted = signal.aborted;
    const conclusion: Conclusion = concludeAll(results, isInterrupted);
    const same = candidateOptions(options);
    for (const [i, result] of results.entries()) say([...(i === 0 ? [] : [""]), ...orderLines(result, same)]);
    say(reasonLines(conclusion.reasons.filter((reason) => reason !== INTERRUPTED)));
    if (isInterrupted)
      say(`${verdictIn(conclusion.verdict, true)}: ${results.length} of ${counted(chosen.length, "op")} started`);
    file?.write(orderJson({ options, where, results, conclusion, isInterrupted }));
    return statusOfVerdict(conclusion.verdict, isInterrupted);
  } finally {
    release();
  }
}

/** The ops; without names those that have a sum whose order can be revealed. Throws UserError for a name that has none. */
function chosenOf(names: readonly string[] | undefined): Chosen[] {
  const has = ({ operation }: Chosen): boolean => allLayouts.some(({ op }) => op === operation.name);
  const chosen = choose(names ?? []);
  const some = chosen.filter(has);
  if (some.length > 0) return some;
  const ops = [...new Set(allLayouts.map(({ op }) => op))];
  const name = chosen[0]?.operation.name ?? "";
  throw new UserError(`${name} has no sum whose order can be revealed, expected one of ${ops.join(", ")}`);
}

/** One op after another, with its progress, until a signal comes. Throws what the judge itself throws, where that is the first thing. */
async function revealEach(
  chosen: readonly Chosen[],
  rules: ReturnType<typeof rulesOf>,
  candidates: Candidates,
  deadline: Deadline,
  { dtype }: OrderOptions,
): Promise<Orders[]> {
  const progress = openProgress(chosen.length);
  const results: Orders[] = [];
  for (const [i, one] of chosen.entries()) {
    if (deadline.isInterrupted) break;
    const { name } = one.operation;
    progress.begin(name);
    const onRun = (share: number): void => progress.advance(i, share);
    const plan = { dtype, rule: rules[i], deadline: deadline.share(chosen.length - i), onRun };
    const result = await ordersOf(one, candidates.of(one.operation), plan).catch((error: unknown) => {
      if (results.length === 0 || !isJudges(error)) throw error;
    });
    if (result === undefined) break;
    results.push(result);
    progress.end(`${verdictIn(result.verdict, false)} ${name}, ${counted(result.runs, "run")}`);
  }
  progress.close();
  return results;
}
