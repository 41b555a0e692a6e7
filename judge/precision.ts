// In what precision a candidate computes: its errors, over all elements of an output, are compared with those of each class.
//
// The bound of a sum of n terms grows like n, an ordinary error like √n: at n = 4,096 sums of products of TF32 numbers hide
// inside the bound of float32. Here the measure is the root mean square of error ÷ allowance over random data, and each
// class's value comes from emulating it. A class is only reported; the bound alone says that a kernel is wrong.
//
// Three things tell classes apart:
// - the size of the errors, in logarithm;
// - the errors themselves: low inputs and outputs err in the same way in any order of summation, so a candidate that shares
//   most of an emulation's errors is of its class, and one that shares none is not;
// - the grid: what was added up in 8 bits ends in 8 bits.
//
// For an output that is stored in 16 bits, errors are taken from the rounded truth: float32 shows none except where the
// truth lies next to a tie. Most of a sum's errors are lost in the rounding, so there are further probes (cancelling.ts),
// and each rules out what it can. A class that no probe can expose is reported as possible, together with float32.
import type { Candidate } from "../reference/candidate.ts";
import { append } from "../reference/lists.ts";
import type { Case } from "./case.ts";
import { evidenceOf } from "./evidence.ts";
import { Draws, isOpen, type ProbeFinding } from "./probe-draws.ts";
import { type Precision, precisionOf, type SeenOutput } from "./regimes.ts";
import type { Probe } from "./probes.ts";
import type { CloserLook, Setup } from "./sample.ts";
import { withShortSums } from "./short-sums.ts";
import { withSingleTerms } from "./single-terms.ts";
import { settled } from "./twins.ts";
import { WHOLE_TERMS, withWholeTerms } from "./whole-terms.ts";

export interface Measured {
  /** One for each output. */
  readonly precision: readonly Precision[];
  readonly findings: readonly ProbeFinding[];
}

/** What is tried after the draws, one after another. */
const closer: readonly CloserLook[] = [withShortSums, settled, withSingleTerms, withWholeTerms];

/** Runs the candidate on the probes. Throws what the candidate throws. */
export async function measurePrecision(
  candidate: Candidate,
  probes: readonly Probe[],
  setup: Setup,
): Promise<Measured> {
  const findings: ProbeFinding[] = [];
  const seen: SeenOutput[] = [];
  for (const probe of probes) append(seen, await measureProbe(candidate, probe, setup, findings));
  return { precision: precisionOf(seen, setup), findings };
}

/** One probe: what it showed of each output. Its findings are added to `findings` as they come. Throws what the candidate throws. */
export async function measureProbe(
  candidate: Candidate,
  probe: Probe,
  setup: Setup,
  findings: ProbeFinding[],
): Promise<readonly SeenOutput[]> {
  const draws = new Draws(candidate, probe, setup, findings);
  if (!(await draws.until(probe.draws ?? 1))) return [];
  const seen: SeenOutput[] = [];
  for (const output of probe.outputs) {
    const { samples } = draws;
    if (!samples.some((sample) => sample.hasBound(output))) continue; // no class could be told from another
    let found = evidenceOf(output, samples, setup);
    const elements = samples.reduce((sum, sample) => sum + sample.errors(output).length, 0);
    if (isOpen(found.named, elements, setup)) {
      if (!(await draws.all())) return [];
      found = evidenceOf(output, draws.samples, setup);
    }
    let { named } = found;
    for (const look of closer) named = await look(named, output, candidate, probe, setup);
    if (named.class === WHOLE_TERMS) {
      const c: Case = { op: setup.operation.name, sizes: probe.sizes, profile: "unit", seed: setup.seed };
      const message = `${output}: sums of ±1 that stay below 2⁸ are wrong, and exact in every precision`;
      findings.push({ case: c, change: "±1 and 0 for all numbers", message });
    }
    seen.push({ ...found, output, named, probe });
  }
  return seen;
}
