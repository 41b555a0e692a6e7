// The search for a failing case alone, which a check runs before its examination.
import { type CampaignPlan, type Report } from "../judge/campaign.ts";
import { Limited } from "../judge/candidates/limited.ts";
import { exampleCases } from "../judge/case.ts";
import type { Chosen } from "../judge/choose.ts";
import { Deadline } from "../judge/deadline.ts";
import { suitedTo } from "../judge/half-cases.ts";
import { largeCases } from "../judge/large.ts";
import { Search } from "../judge/search.ts";
import type { Terms } from "../judge/terms.ts";
import type { Candidate } from "../reference/candidate.ts";

/** The search alone, without an examination: the examples, the large cases, and `runs` drawn cases. */
export async function campaign(given: Chosen, candidate: Candidate, terms: Terms, plan: CampaignPlan): Promise<Report> {
  const { deadline = new Deadline() } = plan;
  const chosen = suitedTo(terms.target, given);
  const search = new Search(chosen, new Limited(candidate, deadline, plan.timeout), terms, plan, deadline);
  const { spec } = chosen;
  await search.try({
    examples: [...exampleCases(spec, plan.seed, terms.target), ...largeCases(spec, plan.seed, plan.runs)],
    runs: plan.runs,
  });
  return search.report();
}
