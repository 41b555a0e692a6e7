// How the maps of bits look.
import type { Word } from "../judge/conclusion.ts";
import { inWords, type Invariance } from "../judge/invariance/invariance.ts";
import { type BitMap, rangesInWords, spanOf } from "../judge/invariance/map.ts";
import type { InvarianceRun } from "./invariance-json.ts";
import { verdictIn } from "./reasons.ts";
import { folded } from "./table.ts";
import { counted, keptLines } from "./words.ts";

const MOST_FINDINGS = 6;

/** What is known of one op: first what changes bits, then what does not. */
export function mapLines(result: Invariance, { options, seed }: InvarianceRun): string[] {
  const { op, maps, findings, evidence, conclusion, isInterrupted, ms, runs } = result;
  const changed = maps.filter(({ same, differing }) => same === false || (same === undefined && differing > 0));
  const same = maps.filter((map) => !changed.includes(map));
  const verdict = verdictIn(conclusion.verdict, isInterrupted);
  const shown = findings.slice(0, MOST_FINDINGS).map((finding) => `FAIL ${op}: ${finding}`);
  const more = findings.length > MOST_FINDINGS ? [`FAIL ${op}: and ${findings.length - MOST_FINDINGS} more`] : [];
  return [
    `${op}: ${verdict}, ${counted(runs, "run")}, ${(ms / 1000).toFixed(1)} s`,
    ...changed.flatMap(changedLines),
    ...sameLines(same, options.nondeterministic === true),
    ...shown,
    ...more,
    ...keptLines(evidence),
    ...(findings.length === 0
      ? []
      : [`  touchstone invariance ${op} --seed ${seed} with the same options shows it again`]),
  ];
}

function changedLines(map: BitMap): string[] {
  const { relation, sizes, isPromised, same, worst, ulps, share } = map;
  const where = inWords(sizes);
  const apart = [
    `up to ${Number.isFinite(ulps) ? Math.round(ulps).toLocaleString("en").replaceAll(",", " ") : "∞"} ulp`,
    ...(share === undefined ? ["no bound"] : [`${share.toPrecision(2)} of both bounds`]),
    ...(isPromised ? [] : ["no kernel promises these bits"]),
  ];
  return [
    ...folded("  ", [`${relation}:`, ...(where === "" ? [] : [where])].join(" ")),
    ...(same === undefined ? [] : folded("    bits  ", rangesInWords(map))),
    ...folded("    apart ", apart.join(", ")),
    ...(worst === undefined ? [] : folded("          ", worst)),
  ];
}

/** A line for each list of sizes. */
function sameLines(maps: readonly BitMap[], isLoose: boolean): string[] {
  const bySizes = new Map<string, string[]>();
  for (const { relation, sizes, ranges } of maps) {
    const ends = ranges.length === 0 ? "" : ` ${spanOf({ from: ranges[0].from, to: ranges.at(-1)!.to })}`;
    const where = inWords(sizes);
    bySizes.set(where, [...(bySizes.get(where) ?? []), `${relation}${ends}`]);
  }
  const word = isLoose ? "equal" : "same bits";
  return [...bySizes].flatMap(([where, each]) => {
    return folded(`  ${[word, where].filter(Boolean).join(", ")}: `, each.join("; "));
  });
}

/** What there was no time for, and what the sizes leave no room for. */
export function untriedLines(results: readonly Invariance[]): string[] {
  return results.flatMap(({ op, untried }) => {
    return untried.length === 0 ? [] : folded("not tried: ", `${op}: ${[...new Set(untried)].join("; ")}`);
  });
}

/** The last lines of the run: which bits depend on what surrounds them, and which kernels failed otherwise. */
export function lastLines(results: readonly Invariance[], verdict: Word, isLoose: boolean): string[] {
  if (results.length === 0) return [];
  const none = results.filter(({ hasFamilies }) => !hasFamilies).map(({ op }) => op);
  const some = results.filter(({ hasFamilies }) => hasFamilies);
  const changing = some.filter(({ maps }) => maps.some(({ same, isPromised }) => same === false && isPromised));
  const failed = some.filter((one) => one.conclusion.verdict === "FAIL" && !changing.includes(one));
  const steady = isLoose
    ? "equal runs may differ, so no bits were mapped; all within both bounds"
    : "no bit depends on what surrounds it";
  const share = (part: readonly Invariance[]): string => `${part.length} of ${counted(some.length, "kernel")}`;
  const names = (part: readonly Invariance[]): string => part.map(({ op }) => op).join(", ");
  const last = [
    ...(failed.length === 0 ? [] : [`${share(failed)} failed: ${names(failed)}`]),
    ...(changing.length === 0
      ? []
      : [`${share(changing)} with bits that depend on what surrounds them: ${names(changing)}`]),
  ];
  return [
    ...(none.length === 0 ? [] : folded("nothing to compare: ", none.join(", "))),
    ...(verdict === "inconclusive"
      ? []
      : (last.length === 0 ? [`${counted(some.length, "kernel")}: ${steady}`] : last).flatMap((line) =>
          folded("", line),
        )),
  ];
}
