// How a verdict is said, and why it is not conclusive.
import { INTERRUPTED, type Word } from "../judge/conclusion.ts";
import { folded } from "./table.ts";

/** "pass", "FAIL" or "inconclusive", and whether a signal ended the run. */
export function verdictIn(verdict: Word, isInterrupted: boolean): string {
  return isInterrupted ? `${verdict}, interrupted` : verdict;
}

/** Why a run is not conclusive, a line each, or several where the terminal is narrow. */
export function reasonLines(reasons: readonly string[]): string[] {
  return reasons.filter((reason) => reason !== INTERRUPTED).flatMap((reason) => folded("inconclusive ", reason));
}
