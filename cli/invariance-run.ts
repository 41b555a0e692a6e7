// What `touchstone invariance` does: picks the ops, opens the candidate, maps the bits of each op, prints the maps.
import { unlessInterrupted } from "../judge/check.ts";
import { type Chosen, choose } from "../judge/choose.ts";
import { concludeAll, INTERRUPTED } from "../judge/conclusion.ts";
import { Deadline } from "../judge/deadline.ts";
import { type Invariance, invarianceOf } from "../judge/invariance/invariance.ts";
import type { Room } from "../judge/invariance/room.ts";
import { roomsOf } from "../judge/invariance/sizes.ts";
import { isJudges } from "../judge/verdict.ts";
import type { Target } from "../reference/targets.ts";
import { type Candidates, openCandidates } from "./check-candidates.ts";
import { LARGEST_CASE_SEED } from "./check-options.ts";
import { UserError } from "./errors.ts";
import { invarianceJson, type InvarianceRun } from "./invariance-json.ts";
import type { InvarianceOptions } from "./invariance-options.ts";
import { lastLines, mapLines, untriedLines } from "./invariance-print.ts";
import { note, openResult, say } from "./output.ts";
import { beginnings } from "./outputs.ts";
import { openProgress } from "./progress.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { catchSignals } from "./signals.ts";
import { statusOfVerdict } from "./statuses.ts";
import { offeredIn, targetOf, treeFiles } from "./terms.ts";
import { counted } from "./words.ts";

/** Maps the chosen ops, prints what was found, and returns the exit status. */
export async function invariance(options: InvarianceOptions): Promise<number> {
  if (options.op === undefined && (options.exec !== undefined || options.kernel !== undefined)) {
    throw new UserError("[op...] is missing: which op does the candidate compute? `touchstone ops` lists them");
  }
  const chosen = offeredIn(options.outputs, choose(options.op ?? []));
  const rooms = roomsOf(chosen, options.sizes);
  const operations = chosen.map(({ operation }) => operation);
  const target = targetOf(options, operations);
  const { json, overwrite, kernel } = options;
  const replacing = {
    overwrite,
    inputs: [options.target, kernel, ...treeFiles(options.sum)],
    report: beginnings.invariance,
  };
  const file = json === undefined ? undefined : openResult("--json", json, replacing);
  const seed = options.seed ?? Math.floor(Math.random() * LARGEST_CASE_SEED);
  const { signal, release } = catchSignals();
  const deadline = new Deadline({ seconds: options.budget, signal });
  try {
    const candidates = await unlessInterrupted(openCandidates(options, chosen, signal));
    const where = candidates?.where ?? options.exec ?? options.kernel ?? options.adapter;
    note(`touchstone invariance: ${where}, ${options.dtype}, target ${target.name}, seed ${seed}`);
    const { results, stopped } =
      candidates === undefined
        ? { results: [], stopped: undefined }
        : await mapEach(chosen, rooms, candidates, target, seed, deadline, options);
    const isInterrupted = signal.aborted;
    const conclusion = concludeAll(concluding(results), isInterrupted);
    const notStarted = operations.slice(results.length).map(({ name }) => name);
    const run = { options, seed, where, target, results, conclusion, isInterrupted, notStarted };
    print(run);
    file?.write(invarianceJson(run));
    if (stopped !== undefined && conclusion.verdict !== "FAIL") throw stopped; // bad input, with the results shown
    return statusOfVerdict(conclusion.verdict, isInterrupted);
  } finally {
    release();
  }
}

/** The conclusions of the ops of which something can be compared; of all, where that is none. */
function concluding(results: readonly Invariance[]): Invariance["conclusion"][] {
  const some = results.filter(({ hasFamilies }) => hasFamilies);
  return (some.length > 0 ? some : results).map(({ conclusion }) => conclusion);
}

/** One op after another, with its progress, until a signal comes or the judge itself cannot go on. Throws where that is the first thing. */
async function mapEach(
  chosen: readonly Chosen[],
  rooms: readonly Room[],
  candidates: Candidates,
  target: Target,
  seed: number,
  deadline: Deadline,
  { dtype, nondeterministic = false, bitwise = false, allowUnjudged }: InvarianceOptions,
): Promise<{ readonly results: Invariance[]; readonly stopped: Error | undefined }> {
  const progress = openProgress(chosen.length);
  const results: Invariance[] = [];
  let stopped: Error | undefined;
  for (const [i, one] of chosen.entries()) {
    if (deadline.isInterrupted) break;
    const { name } = one.operation;
    progress.begin(name);
    const own = deadline.share(chosen.length - i);
    const onMap = (maps: number, of: number): void => progress.advance(i, Math.min(1, maps / of));
    const plan = { room: rooms[i], seed, nondeterministic, bitwise, deadline: own, onMap };
    const terms = { target, dtype, ...(allowUnjudged === undefined ? {} : { allowUnjudged }) };
    const result = await invarianceOf(one, candidates.of(one.operation), terms, plan).catch((error: unknown) => {
      if (results.length === 0 || !isJudges(error)) throw error;
      stopped = error as Error;
    });
    if (result === undefined) break;
    results.push(result);
    progress.end(
      `${verdictIn(result.conclusion.verdict, result.isInterrupted)} ${name}, ${counted(result.runs, "run")}`,
    );
  }
  progress.close();
  return { results, stopped };
}

function print(run: InvarianceRun): void {
  const { results, conclusion, isInterrupted, notStarted } = run;
  for (const [i, result] of results.entries()) say([...(i === 0 ? [] : [""]), ...mapLines(result, run)]);
  say(untriedLines(results));
  say(reasonLines(conclusion.reasons.filter((reason) => reason !== INTERRUPTED)));
  say(lastLines(results, conclusion.verdict, run.options.nondeterministic === true));
  const started = `${results.length} of ${counted(results.length + notStarted.length, "op")} started`;
  if (isInterrupted) say(`${verdictIn(conclusion.verdict, true)}: ${started}`);
}
