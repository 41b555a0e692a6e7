// From a failure to its cause: where the wrong numbers are, what they are, at which sizes, after what, and what would help.
import type { Candidate } from "../../reference/candidate.ts";
import { buildCase, type RealInputs } from "../campaign.ts";
import { type Case, formatCase } from "../case.ts";
import type { Chosen } from "../choose.ts";
import { isStop } from "../deadline.ts";
import type { JudgeRow } from "../row.ts";
import type { Terms } from "../terms.ts";
import { alterationsOf } from "./altered.ts";
import { helpFor } from "./help.ts";
import { emptinessOf, likenessOf } from "./likeness.ts";
import { MOST_WORK, portray, type Portrait, type Seen, wrongOutputs } from "./portrait.ts";
import { stateOf } from "./state.ts";
import { isPossible, sweep } from "./sweep.ts";
import { isScattered, mapOf, whereIs } from "./where.ts";

/** Milliseconds for all of it. */
const MOST_MS = 12_000;
export interface Cause {
  /** The case that was looked at: the failing one, or one of ordinary sizes that fails as well and shows more. */
  readonly replay: string;
  /** For each output which elements are outside. */
  readonly where: readonly string[];
  /** A map of the first output that is wrong in part: "·" right, "#" wrong, "+" both. */
  readonly map: readonly string[];
  /** What the wrong numbers are, or what is computed instead. */
  readonly what: readonly string[];
  /** The lengths of axes that fail, the others as in the failing case. */
  readonly sizes: readonly string[];
  /** Weaker claims under which the kernel would pass. */
  readonly help: readonly string[];
}

/** What is judged, by whom, on which terms. */
export interface Suspect {
  readonly chosen: Chosen;
  readonly candidate: Candidate;
  readonly terms: Terms;
  readonly real?: RealInputs;
}

/** Undefined where the failing case is too large to be looked at as a whole, or does not fail again with numbers. Throws what the judge itself throws. */
export async function causeOf(suspect: Suspect, failing: Case): Promise<Cause | undefined> {
  const { chosen, candidate } = suspect;
  const { spec } = chosen;
  const end = performance.now() + MOST_MS;
  const goesOn = (): boolean => performance.now() < end;
  const at = (c: Case) => (): Promise<Portrait | undefined> => portrayAt(suspect, c);
  const found = await firstWrong([...fullerThan(spec, failing), failing], at);
  if (found === undefined) return undefined;
  const [shown, portrait] = found;
  const wrong = wrongOutputs(portrait);
  const state = await stateOf(candidate, at(shown), at(reseeded(shown, 1)));
  const altered = state === undefined ? alterationsOf(portrait, wrong.filter((seen) => emptinessOf(seen) === undefined), goesOn) : new Map(); // prettier-ignore
  const what = state === undefined ? whatIs(portrait, altered) : [state];
  const others = [failing, ...[1, 2, 3].map((k) => reseeded(shown, k))].map(at);
  const failsAt = async (c: Case): Promise<boolean | undefined> => {
    const seen = await at(c)();
    if (seen === undefined || wrongOutputs(seen).length > 0) return seen && true;
    const again = await at(reseeded(c, 1))(); // one case may have no wrong number by chance
    return again && wrongOutputs(again).length > 0;
  };
  // Of errors here and there that occur at ordinary sizes too a short case may have none by chance.
  const isOfSizes = shown === failing || !wrong.every(isScattered);
  return {
    replay: formatCase(shown),
    where: portrait.outputs.map((seen) => whereIs(portrait, seen)),
    map: mapOf(wrong.find((seen) => mapOf(seen).length > 0) ?? wrong[0]),
    what,
    sizes: isOfSizes ? await sweep(spec, failing, failsAt, goesOn) : [],
    help: altered.size > 0 ? [] : await helpFor(portrait, others),
  };
}

/** A line for each thing that is said of wrong outputs; outputs of which the same is said share one. */
function whatIs(portrait: Portrait, altered: ReadonlyMap<Seen, string>): string[] {
  const shared = new Map<string, string[]>();
  for (const [{ output }, words] of altered) shared.set(words, [...(shared.get(words) ?? []), output]);
  const others = wrongOutputs(portrait).filter((seen) => !altered.has(seen));
  return [
    ...[...shared].map(([words, outputs]) => `${outputs.join(", ")}: as if ${words}`),
    ...others.flatMap((seen) => emptinessOf(seen) ?? likenessOf(portrait, seen) ?? []),
  ];
}

/** Other numbers of the same sizes. */
function reseeded(c: Case, by: number): Case {
  return { ...c, seed: (c.seed + by) % 2 ** 31 };
}

async function firstWrong(
  cases: readonly (Case | undefined)[],
  at: (c: Case) => () => Promise<Portrait | undefined>,
): Promise<readonly [Case, Portrait] | undefined> {
  for (const c of cases) {
    const portrait = c && (await at(c)());
    if (c !== undefined && portrait !== undefined && wrongOutputs(portrait).length > 0) return [c, portrait];
  }
  return undefined;
}

/**
 * Cases that show more: with axes of ordinary lengths, which have some tiles and a rest, and with the failing ones where these are longer;
 * choices and steps stay as they are.
 */
function fullerThan(spec: JudgeRow, failing: Case): Case[] {
  const axes = Object.keys(spec.large?.axes ?? {});
  if (Object.keys(failing.sizes).length === 0) return []; // recorded inputs
  const withAxes = (length: (own: number, ordinary: number) => number): Case => ({
    ...failing,
    sizes: Object.fromEntries(
      Object.entries(failing.sizes).map(([name, value]) => [
        name,
        axes.includes(name) ? length(Number(value), Number(spec.ordinary[name])) : value,
      ]),
    ),
  });
  const cases = [withAxes((_, ordinary) => ordinary), withAxes((own, ordinary) => Math.max(own, ordinary))];
  return cases.filter(({ sizes }) => isPossible(spec, sizes));
}

/** Undefined where there is nothing to be seen: no numbers, too many of them, or sizes that the op does not have. */
async function portrayAt({ chosen, candidate, terms, real }: Suspect, c: Case): Promise<Portrait | undefined> {
  const { operation, spec } = chosen;
  if ((spec.large?.work(c.sizes) ?? 0) > MOST_WORK) return undefined;
  try {
    return await portray(operation, candidate, buildCase(spec, c, terms.dtype, real), terms);
  } catch (error) {
    if (isStop(error) || error instanceof RangeError) return undefined;
    throw error;
  }
}
