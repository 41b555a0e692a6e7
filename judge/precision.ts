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
import { outputShapes, type Outputs } from "../reference/operation.ts";
import type { Candidate } from "../reference/candidate.ts";
import { runCandidate } from "./candidates/run.ts";
import { type Case, formatCase, type Problem } from "./case.ts";
import { evidenceOf } from "./evidence.ts";
import { withSingleTerms } from "./single-terms.ts";
import { settled } from "./twins.ts";
import { withWholeTerms } from "./whole-terms.ts";
import { classesFor } from "./emulation.ts";
import { type Precision, precisionOf, type SeenOutput } from "./regimes.ts";
import type { Probe } from "./probes.ts";
import { problemOf, type Sample, Scene, type Setup } from "./sample.ts";
import { judgeOutputs, misshapen } from "./verdict.ts";
import { append } from "../reference/lists.ts";

/** A finding of the bound on a probe, whose sums are longer than those of ordinary cases. */
export interface ProbeFinding {
  readonly case: Case;
  /** How the inputs of the case were changed; absent where they were not. */
  readonly change?: string;
  readonly message: string;
}

export interface Measured {
  /** One for each output. */
  readonly precision: readonly Precision[];
  readonly findings: readonly ProbeFinding[];
}

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
  const { operation, seed, pause } = setup;
  const { sizes, outputs, draws = 1, profile = "unit" } = probe;
  const samples: Sample[] = [];
  for (let draw = 0; draw < draws; draw++) {
    await pause?.();
    const c: Case = { op: operation.name, sizes, profile, seed: seed + draw };
    const scene = sceneOf(setup, probe, c);
    const { outputs: got } = await runCandidate(operation, candidate, scene.problem);
    const wrong = wrongIn(probe, got, scene.problem, setup);
    const told = probe.change === undefined ? {} : { change: probe.change.name };
    for (const message of wrong) findings.push({ case: c, ...told, message });
    const shapes = outputShapes(operation, scene.problem.inputs, scene.problem.scalars);
    if (outputs.some((name) => misshapen(name, got[name], shapes[name]) !== undefined)) return [];
    append(samples, scene.samples(got));
    await emulateAll(scene, setup);
  }
  const seen: SeenOutput[] = [];
  for (const output of outputs) {
    if (!samples.some((sample) => sample.hasBound(output))) continue; // no class could be told from another
    const found = evidenceOf(output, samples, setup);
    const sure = await settled(found.named, output, candidate, probe, setup);
    const alone = await withSingleTerms(sure, output, candidate, probe, setup);
    const named = await withWholeTerms(alone, output, candidate, probe, setup);
    seen.push({ ...found, output, named, probe });
  }
  return seen;
}

/** What is wrong with outputs. Whole tiles are only measured, since large cases hold them to their bound. */
function wrongIn({ tiles }: Probe, got: Outputs, problem: Problem, setup: Setup): readonly string[] {
  if (tiles === undefined) return judgeOutputs(setup.operation, got, problem, setup).findings;
  const shapes = outputShapes(setup.operation, problem.inputs, problem.scalars);
  return Object.entries(shapes).flatMap(([name, shape]) => misshapen(name, got[name], shape) ?? []);
}

/** Emulates every class now, with pauses: together they take the longest of all that a check does. */
async function emulateAll(scene: Scene, { operation, dtype, pause }: Setup): Promise<void> {
  for (const name of classesFor(operation, dtype)) {
    await pause?.();
    scene.emulate(name);
  }
}

/** The scene of a probe's case: one that the setup keeps, or a new one. */
function sceneOf(setup: Setup, probe: Probe, c: Case): Scene {
  const key = [formatCase(c), probe.change?.name].join();
  const kept = setup.scenes?.get(key);
  if (kept !== undefined) return kept;
  const problem = problemOf(setup, probe, c.seed);
  const scene = new Scene(setup, probe, problem, c.seed);
  setup.scenes?.set(key, scene);
  return scene;
}
