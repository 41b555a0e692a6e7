// Tells a low sum from one that lacks terms: sums of ±1 that stay below 2⁸ are exact in every class, and a lost term shows.
import { largest } from "../reference/lists.ts";
import { streamOf, uniform } from "../reference/random.ts";
import type { Floats } from "../reference/tensor.ts";
import { runCandidate } from "./candidates/run.ts";
import type { Problem } from "./case.ts";
import type { Probe } from "./probes.ts";
import type { CloserLook, Setup } from "./sample.ts";
import { roundProblem, truth } from "./verdict.ts";

/** A walk of so many steps of ±1 stays below 2⁸ = 5.6 · √N, in any order that does not depend on the steps. */
const STEPS = 2048;
const DRAWS = 4;
/** A walk goes farther in one of millions of elements; that it does so in two draws is no accident. */
const SURE = 2;

/** The class of such outputs. No kernel that computes the op has it, in whatever precision, so it is a finding. */
export const WHOLE_TERMS = "in no class: whole terms are wrong";

/**
 * The class, unless it is one of low sums or none and sums of ±1 are not exact: then whole terms are wrong. Throws what the candidate
 * throws.
 */
export const withWholeTerms: CloserLook = async (named, output, candidate, probe, setup) => {
  const { operation, dtype, seed } = setup;
  const names = named.between.length > 0 ? named.between : [named.class];
  const isLow =
    named.class === "coarser than float32, in no class" || names.some((name) => name.endsWith("accumulation"));
  if (!isLow || !Number.isFinite(named.measured) || !operation.exact.includes(output)) return named;
  let wrong = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const problem = roundProblem(operation, signs(setup, probe, seed + draw), dtype);
    const { outputs } = await runCandidate(operation, candidate, problem);
    const want = truth(operation, problem)[output].data;
    if (outputs[output].data.some((x, i) => x !== want[i])) wrong++;
    if (wrong === SURE) return { ...named, class: WHOLE_TERMS, between: [] };
  }
  return named;
};

/** The probe's inputs with ±1 for their numbers; where sums are longer than the steps, with 0 for the others. */
function signs({ spec, dtype }: Setup, { sizes }: Probe, seed: number): Problem {
  const { inputs, scalars } = spec.build(sizes, "unit", seed, dtype);
  const longest = largest(Object.values(sizes).filter((size) => typeof size === "number"));
  const floats = Object.values(inputs).filter((t) => !(t.data instanceof Int32Array)).length;
  const share = Math.min(1, STEPS / longest) ** (1 / floats); // of products, each factor has its own zeros
  const changed = Object.entries(inputs).map(([name, t]) => {
    if (t.data instanceof Int32Array) return [name, t];
    const stream = streamOf(`${name} sign`);
    const data = (t.data as Floats).map((x, i) => (uniform(seed, stream, i) < share ? Math.sign(x) : 0));
    return [name, { data, shape: t.shape }];
  });
  return { inputs: Object.fromEntries(changed), scalars };
}
