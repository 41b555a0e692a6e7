// How orders of summation look.
import type { Orders, SumOfOp } from "../judge/orders/orders.ts";
import type { Found } from "../judge/orders/reveal.ts";
import { declarable, treeInWords, widthOf } from "../judge/orders/words.ts";
import { depthOf } from "../reference/sum-tree.ts";
import { folded } from "./table.ts";
import { counted, keptLines } from "./words.ts";

/** What is known of one op's sums. */
export function orderLines({ op, verdict, sums, untried, findings, evidence, runs, ms }: Orders): string[] {
  return [
    `${op}: ${verdict}, ${counted(runs, "run")}, ${(ms / 1000).toFixed(1)} s`,
    ...sums.flatMap(sumLines),
    ...Object.entries(untried).flatMap(([sum, why]) => folded(`  ${sum}: `, `not revealed: ${why}`)),
    ...findings.flatMap((finding) => folded(`FAIL ${op}: `, finding)),
    ...keptLines(evidence),
    ...sums.flatMap(({ sum, findings: own }) => own.flatMap((finding) => folded(`FAIL ${op} ${sum}: `, finding))),
  ];
}

function sumLines({ sum, output, sizes, terms, trees, places, others, reason }: SumOfOp): string[] {
  const where = Object.entries(sizes).map(([name, value]) => `${name}=${value}`);
  const more = others === 0 ? [] : [`    yet other orders at ${counted(others, "place")}`];
  return [
    ...folded("  ", `${sum}, ${counted(terms, "term")}: ${where.join(" ")}`),
    ...trees.flatMap((found) => treeLines(found, output, places)),
    ...more,
    ...(reason === undefined ? [] : ["    no tree: see below"]),
  ];
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
