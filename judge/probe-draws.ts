// The runs of one probe: as many draws as it asks for, and more where an output's class is open for want of them.
import { outputShapes, type Outputs } from "../reference/operation.ts";
import type { Candidate } from "../reference/candidate.ts";
import { append } from "../reference/lists.ts";
import { runCandidate } from "./candidates/run.ts";
import { type Case, formatCase, type Problem } from "./case.ts";
import { CLEARLY, FEW, type NamedClass } from "./classify.ts";
import { classesFor } from "./emulation.ts";
import type { Probe } from "./probes.ts";
import { problemOf, type Sample, Scene, type Setup } from "./sample.ts";
import { areTwins } from "./twins.ts";
import { judgeOutputs, misshapen } from "./verdict.ts";

/** A finding of the bound on a probe, whose sums are longer than those of ordinary cases. */
export interface ProbeFinding {
  readonly case: Case;
  /** How the inputs of the case were changed; absent where they were not. */
  readonly change?: string;
  readonly message: string;
}

/** What is computed once for a whole output, such as the lse of a row, has as many errors as there are draws. */
const MOST_DRAWS = 8;

/** One probe on one candidate. */
export class Draws {
  readonly samples: Sample[] = [];
  private readonly candidate: Candidate;
  private readonly probe: Probe;
  private readonly setup: Setup;
  private readonly findings: ProbeFinding[];
  private drawn = 0;

  constructor(candidate: Candidate, probe: Probe, setup: Setup, findings: ProbeFinding[]) {
    this.candidate = candidate;
    this.probe = probe;
    this.setup = setup;
    this.findings = findings;
  }

  /** Draws until there are so many. False where an output has not its shape. Throws what the candidate throws. */
  async until(count: number): Promise<boolean> {
    for (; this.drawn < count; this.drawn++) if (!(await this.draw(this.setup.seed + this.drawn))) return false;
    return true;
  }

  /** All draws that an open class may have. */
  async all(): Promise<boolean> {
    return this.until(Math.max(MOST_DRAWS, this.probe.draws ?? 1));
  }

  private async draw(seed: number): Promise<boolean> {
    const { candidate, probe, setup, findings } = this;
    const { operation, pause } = setup;
    await pause?.();
    const c: Case = { op: operation.name, sizes: probe.sizes, profile: probe.profile ?? "unit", seed };
    const scene = sceneOf(setup, probe, c);
    const { outputs: got } = await runCandidate(operation, candidate, scene.problem);
    const told = probe.change === undefined ? {} : { change: probe.change.name };
    for (const message of wrongIn(probe, got, scene.problem, setup)) findings.push({ case: c, ...told, message });
    const shapes = outputShapes(operation, scene.problem.inputs, scene.problem.scalars);
    if (probe.outputs.some((name) => misshapen(name, got[name], shapes[name]) !== undefined)) return false;
    append(this.samples, scene.samples(got));
    await emulateAll(scene, setup);
    return true;
  }
}

/**
 * Whether more draws may decide: several classes are left, twins and truncation apart, which they do not tell; or a class explains the
 * errors, of so few elements that chance may. In 16 bits several probes rule out classes together.
 */
export function isOpen(
  { class: name, between, predictions }: NamedClass,
  elements: number,
  { dtype }: Pick<Setup, "dtype">,
): boolean {
  if (dtype !== "float32") return false;
  if (name === "undecidable") {
    const others = between.filter((one) => !between.some((other) => areTwins(one, other)));
    return others.length > 0 && (elements < FEW || !others.every((one) => one.startsWith("float32")));
  }
  const isExplained = predictions.some((p) => !p.class.startsWith("float32") && p.unexplained <= CLEARLY);
  return name === "float32" && elements < FEW && isExplained;
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
