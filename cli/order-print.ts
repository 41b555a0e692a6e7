// How orders of summation look.
import type { Sizes } from "../judge/case.ts";
import type { Orders, SumOfOp } from "../judge/orders/orders.ts";
import type { Found } from "../judge/orders/reveal.ts";
import { declarable, treeInWords, widthOf } from "../judge/orders/words.ts";
import { depthOf } from "../reference/sum-tree.ts";
import { shellWord } from "./check-table.ts";
import { folded } from "./table.ts";
import { counted, keptLines } from "./words.ts";

/** What is known of one op's sums; `same` are the options of a candidate, for a line that shows a finding again. */
export function orderLines(
  { op, verdict, sums, untried, findings, evidence, runs, ms }: Orders,
  same: string,
): string[] {
  return [
    `${op}: ${verdict}, ${counted(runs, "run")}, ${(ms / 1000).toFixed(1)} s`,
    ...sums.flatMap(sumLines),
    ...Object.entries(untried).flatMap(([sum, why]) => folded(`  ${sum}: `, `not revealed: ${why}`)),
    ...findings.flatMap((finding) => folded(`FAIL ${op}: `, finding)),
    ...keptLines(evidence),
    ...sums.flatMap(({ sum, findings: own, sizes }) => [
      ...own.flatMap((finding) => folded(`FAIL ${op} ${sum}: `, finding)),
      ...(own.length === 0 ? [] : [`  touchstone order ${op} --sizes ${shellWord(inWords(sizes))}${same}`]),
    ]),
  ];
}

function sumLines({ sum, output, sizes, terms, trees, places, others, reason, atOnce }: SumOfOp): string[] {
  const more = others === 0 ? [] : [`    yet other orders at ${counted(others, "place")}`];
  return [
    ...folded("  ", `${sum}, ${counted(terms, "term")}: ${inWords(sizes)}`),
    ...trees.flatMap((found) => treeLines(found, output, places)),
    ...more,
    ...(atOnce === undefined ? [] : [`    ${atOnce} pairs of terms asked at once, some of them again at every place`]),
    ...(reason === undefined ? [] : ["    no tree: see below"]),
  ];
}

/** "R=2 O=3 C=24", as --sizes takes them. */
function inWords(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

function treeLines({ tree, places: own, first }: Found, output: string, places: number): string[] {
  const width = widthOf(tree);
  const orders = declarable(tree).map((text) => `--sum ${text}`);
  return [
    ...folded("    ", treeInWords(tree)),
    ...(width > 2 ? [`    up to ${width} numbers at once`] : []),
    ...folded("    ", `depth ${depthOf(tree)}${orders.length === 0 ? "" : `: ${orders.join(", ")}`}`),
    `    at ${placesInWords(own, places)}${own === places ? "" : `, the first ${output}[${first.join(",")}]`}`,
  ];
}

function placesInWords(own: number, places: number): string {
  if (places === 1) return "its only place";
  return `${own === places ? "all" : `${own} of`} ${counted(places, "place")}`;
}
