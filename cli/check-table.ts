// How the results of a check look.
import Table from "cli-table3";
import type { Failure, Report } from "../golden/judge/campaign.ts";

/** A row for each kernel. */
export function reportTable(reports: readonly Report[]): string {
  const table = new Table({
    head: [
      "kernel",
      "cases",
      "elements",
      "unjudged",
      "worst ÷ bound",
      "where",
      "ulp",
      "power 0 · next · 1 %",
      "seconds",
      "",
    ],
    colAligns: ["left", "right", "right", "right", "right", "left", "right", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  for (const { op, cases, elements, unjudged, worst, at, ulp, power, ms, failures } of reports) {
    const { zero, neighbour, percent } = power;
    table.push([
      op,
      cases,
      elements,
      unjudged,
      number(worst),
      at === undefined ? "" : `${at.finding.output}[${at.finding.index.join(",")}]`,
      number(ulp),
      [zero, neighbour, percent].map((share) => `${Math.floor(100 * share)} %`).join(" · "),
      (ms / 1000).toFixed(1),
      failures.length === 0 ? "pass" : "FAIL",
    ]);
  }
  return table.toString();
}

/** A failure: what is wrong, and the line that shows it again, on the same terms. */
export function failureLines({ replay, message, evidence }: Failure, terms: string): string {
  const kept = evidence === undefined ? "" : `  files kept in ${evidence}\n`;
  return `FAIL ${replay}\n  ${message}\n${kept}  touchstone check --replay '${replay}'${terms}\n`;
}

function number(x: number): string {
  if (!Number.isFinite(x)) return String(x);
  if (x === 0) return "0";
  return x >= 0.001 && x < 1e5 ? String(Number(x.toPrecision(2))) : x.toExponential(1);
}
