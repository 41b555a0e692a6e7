// What each line of the confusion matrix is named, and whether that is right.
import type { Scene, Setup } from "../../judge/sample.ts";
import type { Sizes } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { measurePrecision } from "../../judge/precision.ts";
import type { Regime } from "../../judge/regimes.ts";
import { precisionProbes } from "../../judge/probes.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import type { Line, Word } from "./line.ts";

/** right: named as it is. among: undecidable, the right word listed. unlisted: undecidable without it. wrong: another word. */
export const marks = ["right", "among", "unlisted", "wrong"] as const;
export type Mark = (typeof marks)[number];

export interface Entry {
  readonly truth: Word;
  readonly named: Word;
  readonly between: readonly Word[];
  readonly mark: Mark;
  /** The sizes, the output and the line, in words. */
  readonly where: string;
}

export interface Trial {
  readonly n: number;
  readonly seed: number;
  readonly target?: Target;
  /** The sizes that are tried; all unless given. */
  readonly isTried?: (sizes: Sizes) => boolean;
  /** Emulations that lines of one setup share. */
  readonly scenes: Map<string, Scene>;
}

/** The words for one line's outputs, one for each regime. Throws what its candidate throws. */
export async function entriesFor(line: Line, trial: Trial): Promise<Entry[]> {
  const { n, seed, target = targets.wgsl, isTried = () => true, scenes } = trial;
  const { op, dtype = "float32", how, outputs, beyond = 0 } = line;
  if (n <= beyond) return [];
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const setup: Setup = { operation, spec, evaluations: evaluationsOf(op), target, dtype, seed, scenes };
  const probes = precisionProbes(spec, n, dtype).filter(({ sizes }) => isTried(sizes));
  const counted = probes.filter((probe) => outputs === undefined || probe.outputs.some((one) => outputs.includes(one)));
  const words = wordsOf(line, target);
  const { precision } = await measurePrecision(line.candidate, counted, setup);
  return precision
    .filter(({ output }) => outputs === undefined || outputs.includes(output))
    .flatMap(({ output, regimes }) =>
      regimes.map((regime) => entry(words, regime, `${op} ${inWords(regime.sizes)}, ${output}, seed ${seed}: ${how}`)),
    );
}

function inWords(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, length]) => `${name}=${length}`)
    .join(" ");
}

function wordsOf({ truth, whereExpIsLoose }: Line, { functions }: Target): Line["truth"] {
  const isLoose = functions.exp.some(({ ulpPerArgument = 0 }) => ulpPerArgument > 0);
  return whereExpIsLoose === undefined || !isLoose ? truth : [...truth, whereExpIsLoose];
}

function entry(truth: Line["truth"], { class: named, between }: Regime, where: string): Entry {
  const among = between.some((name) => truth.includes(name));
  const mark = truth.includes(named) ? "right" : named !== "undecidable" ? "wrong" : among ? "among" : "unlisted";
  return { truth: truth[0], named, between, mark, where };
}

/** How many entries have each mark. */
export function counts(entries: readonly Entry[]): Record<Mark, number> {
  const of = (mark: Mark): number => entries.filter((one) => one.mark === mark).length;
  return { right: of("right"), among: of("among"), unlisted: of("unlisted"), wrong: of("wrong") };
}

/** One entry that is not right, in a line. */
export function told({ truth, named, between, mark, where }: Entry): string {
  const words = named === "undecidable" ? between.join(" or ") : named;
  return `${mark.toUpperCase()} ${where}: ${truth} is called ${words}`;
}
