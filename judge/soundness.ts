// The zoo against the bounds: correct evaluations in every manner must stay inside (sound), and adversarial ones come near
// (tight).
import * as fc from "fast-check";
import { dtypes, round as roundTo } from "../reference/dtype.ts";
import type { Outputs } from "../reference/operation.ts";
import { bits } from "../reference/random.ts";
import type { Target } from "../reference/targets.ts";
import type { Tensor } from "../reference/tensor.ts";
import { buildCase } from "./campaign.ts";
import { correlated } from "./correlated.ts";
import { arbitraryCase, type Case, exampleCases, formatCase } from "./case.ts";
import type { Chosen } from "./choose.ts";
import { suitedTo } from "./half-cases.ts";
import { roundsToNearest } from "./improbable/sums.ts";
import { improbableInWords, suspicionsIn } from "./improbable/suspicion.ts";
import { everyElement, judgeOutputs, roundProblem } from "./verdict.ts";
import type { Evaluation } from "../zoo/evaluation.ts";
import { Float32Arithmetic, type Habits, orders, roundings } from "../zoo/arithmetic.ts";

export interface Alarm {
  readonly variant: string;
  readonly habits: Habits;
  readonly replay: string;
  readonly finding: string;
}

export interface Soundness {
  /** Elements compared within a finite bound. */
  readonly compared: number;
  readonly unjudged: number;
  /** Correct evaluations that were accused, by a bound or of improbable errors: there must be none. */
  readonly alarms: readonly Alarm[];
  /** The largest error ÷ bound of honest evaluations, on ordinary numbers. */
  readonly worst: number;
  /** The same when every primitive errs as far as it may. */
  readonly adversarial: number;
}

/** Runs an op's evaluations on drawn cases until `elements` have been compared; the same for the same seed. */
export function soundness(
  chosen: Chosen,
  evaluations: readonly Evaluation[],
  target: Target,
  { elements, seed }: { readonly elements: number; readonly seed: number },
): Soundness {
  const { operation, spec } = suitedTo(target, chosen);
  if (evaluations.length === 0) throw new RangeError(`${operation.name} has no correct evaluation in the zoo`);
  const arbitrary = arbitraryCase(spec, false);
  const alarms: Alarm[] = [];
  const dtype = target.arithmetic ?? "float32";
  let [compared, unjudged, worst, adversarial] = [0, 0, 0, 0];
  const drawn = (round: number): Case[] =>
    round === 0
      ? exampleCases(spec, seed, target)
      : fc.sample(arbitrary, { numRuns: 20, seed: bits(seed, 4, round) | 0 });
  // Long enough for an adversary to meet ordinary numbers, too, if an error is possible at all.
  const isEnough = (round: number): boolean => compared >= elements && round >= (adversarial > 0 ? 2 : 12);
  for (let round = 0, n = 0; !isEnough(round); round++) {
    for (const c of drawn(round)) {
      // Every third round has other numbers than the case's line says.
      const isCorrelated = round % 3 === 2;
      const given = roundProblem(operation, buildCase(spec, c, dtype), dtype);
      const problem = isCorrelated ? correlated(operation, spec, given, dtype, c.seed) : given;
      const line = `${formatCase(c)}${isCorrelated ? ", correlated" : ""}`;
      const compare = everyElement(operation, problem, { target, dtype });
      for (const evaluation of evaluations) {
        const habits = habitsOf(target, seed, n++);
        const f = new Float32Arithmetic(target, habits);
        const outputs = storedAs(dtype, operation.wide, evaluation.evaluate(f, problem.inputs, problem.scalars));
        const verdict = judgeOutputs(operation, outputs, problem, { target, dtype }, [], () => compare);
        for (const comparison of verdict.comparisons) {
          compared += comparison.judged;
          unjudged += comparison.unjudged;
          // Flushing alone reaches the bound on subnormal numbers, so only ordinary numbers show how tight it is.
          if (c.profile !== "unit" || isCorrelated) continue;
          if (habits.rounding === "adversarial") adversarial = Math.max(adversarial, comparison.worst);
          else worst = Math.max(worst, comparison.worst);
        }
        // An adversary errs to one side by as much as it may: no model of independent roundings to nearest is one of it.
        const isModel = !(habits.rounding === "adversarial" && roundsToNearest(target));
        for (const suspicion of isModel ? suspicionsIn(verdict) : []) {
          const finding = `improbable: ${improbableInWords(suspicion)}`;
          alarms.push({ variant: evaluation.covers.join(", "), habits, replay: line, finding });
        }
        // On the integer lattice an adversary that errs where nothing is rounded is not a correct evaluation.
        const unfair = habits.rounding === "adversarial" && c.profile === "lattice" && operation.exact.length > 0;
        if (verdict.findings.length > 0 && !unfair) {
          alarms.push({
            variant: evaluation.covers.join(", "),
            habits,
            replay: line,
            finding: verdict.findings[0],
          });
        }
      }
    }
    if (round > 10_000 && compared < round)
      throw new Error(`${operation.name}: the cases hardly have elements to compare`);
  }
  return { compared, unjudged, alarms, worst, adversarial };
}

/** What an evaluation in float16 leaves: an adversary's numbers are none of the format's. */
function storedAs(dtype: "float32" | "float16", wide: readonly string[], outputs: Outputs): Outputs {
  if (dtype === "float32") return outputs;
  const stored = ([name, t]: [string, Tensor]): [string, Tensor] =>
    wide.includes(name) ? [name, t] : [name, { data: t.data.map((x) => roundTo(x, dtypes[dtype])), shape: t.shape }];
  return Object.fromEntries(Object.entries(outputs).map(stored));
}

/** The n-th manner of computing: every combination occurs. */
function habitsOf(target: Target, seed: number, n: number): Habits {
  const draw = (stream: number, below: number) => bits(seed, stream, n) % below;
  const functions = ["exact", "random", "low", "high"] as const;
  return {
    rounding: roundings[draw(11, roundings.length)],
    order: orders[draw(12, orders.length)],
    fused: draw(13, 2) === 1,
    flushes: target.flushes && draw(14, 2) === 1,
    functions: functions[draw(15, functions.length)],
    seed: draw(16, 4) === 0 ? draw(17, 2) : 2 + draw(17, 1000000),
  };
}
