// The maps of a run as JSON.
import type { Invariance } from "../judge/invariance/invariance.ts";
import { type OpsRun, runJson } from "./run-json.ts";

/** A run of `touchstone invariance`. */
export type InvarianceRun = OpsRun<Invariance>;

/** The text of the file. */
export function invarianceJson(run: InvarianceRun): string {
  const { budget } = run.options;
  return runJson("touchstone invariance", run, budget === undefined ? {} : { budget }, run.results.map(kernelJson));
}

function kernelJson({ op, conclusion, isInterrupted, isRepeatable, ...rest }: Invariance) {
  const { maps, findings, evidence, untried, runs, ms } = rest;
  const repeatable = isRepeatable ?? null;
  const kept = evidence === undefined ? {} : { evidence };
  return { op, ...conclusion, interrupted: isInterrupted, repeatable, runs, ms, maps, findings, ...kept, untried };
}
