// The precision of an output at the sizes of a case where it looked low: a probe of its own, at some elements.
import { outputShapes } from "../reference/operation.ts";
import { sizeOf } from "../reference/tensor.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { cutOut } from "./around.ts";
import type { Part } from "./at-scale.ts";
import type { Case, Problem } from "./case.ts";
import { rms } from "./classify.ts";
import { affordable, aroundOf, HOLDS, inFloat32, someElements } from "./looks-low.ts";
import type { Probe } from "./probes.ts";
import { problemOf, type Setup } from "./sample.ts";
import { truth } from "./verdict.ts";

/** An output that looked low, and where. */
export interface Suspicion {
  readonly case: Case;
  readonly output: string;
}

/** Rows and columns that are measured. */
const SIDE = 8;
/** Elements that tell classes apart; an output of fewer is measured in several draws. */
const ENOUGH = 48;
const MOST_DRAWS = 8;
/** Numbers of the small problems around them: every class is emulated on them. */
const MOST_NUMBERS = 400_000;
/** The most numbers of a problem that is emulated as a whole. */
const MOST_WHOLE = 20_000;

/** A probe, and the setup for it. Undefined where a large problem has no small ones, and where no evaluation holds in those. */
export function secondLook(
  setup: Setup,
  { case: { sizes, seed }, output }: Suspicion,
): { readonly probe: Probe; readonly setup: Setup } | undefined {
  const own = { ...setup, seed };
  const probe: Probe = {
    sizes,
    outputs: [output],
    tiles: (problem, drawn) => partsOf({ ...own, seed: drawn }, problem, output),
  };
  const problem = problemOf(own, probe, seed);
  const parts = partsOf(own, problem, output);
  if (parts.length === 0) return undefined;
  const [part] = parts;
  const elements = parts.reduce((sum, { keep }) => sum + (keep?.[output]?.length ?? SIDE), 0);
  const draws = Math.min(MOST_DRAWS, Math.ceil(ENOUGH / elements));
  const evaluations = holdingIn(own, cutOut(problem, part), output);
  return evaluations.length === 0 ? undefined : { probe: { ...probe, draws }, setup: { ...own, evaluations } };
}

function partsOf({ operation, spec, seed }: Setup, problem: Problem, output: string): Part[] {
  const shape = outputShapes(operation, problem.inputs, problem.scalars)[output];
  const list = someElements(shape, SIDE, seed);
  const around = aroundOf(spec);
  if (list.length === 0) return [];
  if (around !== undefined) return affordable(around(problem, output, list), MOST_NUMBERS);
  const given = Object.entries(problem.inputs);
  if (given.reduce((sum, [, t]) => sum + sizeOf(t.shape), 0) > MOST_WHOLE) return [];
  const inputs = Object.fromEntries(given.map(([name, t]) => [name, { shape: t.shape, at: (i: number) => i }]));
  return [{ inputs, outputs: { [output]: (i) => i }, keep: { [output]: list } }];
}

/** The evaluations that compute nothing again from numbers that a small problem lacks. */
function holdingIn({ operation, evaluations, target }: Setup, small: Problem, output: string): Evaluation[] {
  const want = truth(operation, small)[output].data;
  const size = rms(Array.from(want));
  return evaluations.filter((evaluation) => {
    const { data } = inFloat32(evaluation, small, output, target);
    return rms(Array.from(data, (x, i) => x - want[i])) <= HOLDS * size;
  });
}
