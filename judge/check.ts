// The whole check of one candidate for one op: a campaign against the bound, then the examination.
import { type Candidate, Interrupted } from "../reference/candidate.ts";
import { failureLine } from "./candidates/result.ts";
import { campaign, type CampaignPlan, type Report } from "./campaign.ts";
import type { Chosen } from "./choose.ts";
import { type Examination, examine, type Promises } from "./examination.ts";
import type { Terms } from "./terms.ts";

export interface Checked {
  readonly report: Report;
  /** Absent where the candidate gave no numbers in the campaign, and where the check was interrupted. */
  readonly examination?: Examination;
  /** The candidate did nothing that no correct kernel does. */
  readonly passed: boolean;
}

/** Runs the campaign and the examination, and closes the candidate. Throws what the judge itself throws. */
export async function check(
  chosen: Chosen,
  candidate: Candidate,
  terms: Terms,
  plan: CampaignPlan & Partial<Promises>,
): Promise<Checked> {
  let checked: Checked;
  try {
    checked = await checkOpen(chosen, candidate, terms, plan);
  } catch (error) {
    await closing(candidate); // the judge's own error is the one to report
    throw error;
  }
  const complaint = await closing(candidate);
  const { examination } = checked;
  if (complaint === undefined || examination === undefined) return checked;
  return { ...checked, examination: { ...examination, findings: [...examination.findings, complaint] }, passed: false };
}

async function checkOpen(
  chosen: Chosen,
  candidate: Candidate,
  terms: Terms,
  plan: CampaignPlan & Partial<Promises>,
): Promise<Checked> {
  const report = await campaign(chosen, candidate, terms, plan);
  // A crash or a hang has already been reported, and left no numbers to examine.
  const hasNumbers = report.failures.every(({ worst }) => worst !== undefined);
  const { seed, nondeterministic = false, bitwise = false } = plan;
  const examination =
    hasNumbers && plan.signal?.aborted !== true
      ? await unlessInterrupted(examine(chosen, candidate, terms, { seed, nondeterministic, bitwise }))
      : undefined;
  const passed = report.failures.length === 0 && !examination?.findings.length;
  return { report, ...(examination === undefined ? {} : { examination }), passed };
}

/** Closes the candidate; what it threw, as a finding. */
async function closing(candidate: Candidate): Promise<string | undefined> {
  try {
    await candidate.close?.();
    return undefined;
  } catch (error) {
    return `${failureLine(candidate, error)}, when it was closed`;
  }
}

/** The value of a promise; undefined where a signal interrupted it. */
export async function unlessInterrupted<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Interrupted) return undefined;
    throw error;
  }
}
