// How the results of a check look.
import type { Failure } from "../judge/campaign.ts";
import type { Checked } from "../judge/check.ts";
import { percent, type Word } from "../judge/conclusion.ts";
import type { Examination } from "../judge/examination.ts";
import { FULL_RUNS } from "../judge/large.ts";
import type { PowerShares } from "../judge/power.ts";
import { type Precision, summarise } from "../judge/regimes.ts";
import { classLines, className, isDivided } from "./check-precision.ts";
import { notOfferedLines } from "./check-offered.ts";
import { missedLines } from "./check-missed.ts";
import { verdictIn } from "./reasons.ts";
import { tableOf } from "./table.ts";
import { counted, keptLines, number } from "./words.ts";

/** The most ops whose sizes are printed. */
const MOST_SIZES = 2;

/** A row for each kernel. */
export function reportTable(results: readonly Checked[]): string[] {
  const rows = results.map((result) => {
    const { op, cases, elements, unjudged, worst, at, ulp, power, largePower, ms } = result.report;
    return [
      op,
      cases,
      elements,
      unjudged,
      number(worst),
      at === undefined ? "" : `${at.finding.output}[${at.finding.index.join(",")}]`,
      number(ulp),
      powerInWords(power),
      largePower === undefined ? "" : powerInWords(largePower),
      (ms / 1000).toFixed(1),
      verdictOf(result),
    ];
  });
  return tableOf(
    [
      ["kernel", "left"],
      ["cases", "right"],
      ["elements", "right"],
      ["unjudged", "right"],
      ["worst ÷ bound", "right"],
      ["where", "left"],
      ["ulp", "right"],
      ["power 0 · next · 1 %", "right"],
      ["in large cases", "right"],
      ["seconds", "right"],
      ["", "left"],
    ],
    rows,
  );
}

function powerInWords(power: PowerShares): string {
  return [power.zero, power.neighbour, power.percent].map((share) => `${Math.floor(100 * share)} %`).join(" · ");
}

/** The verdict on a kernel. */
export function verdictOf({ conclusion, isInterrupted }: Checked): string {
  return verdictIn(conclusion.verdict, isInterrupted);
}

/** The last lines of the run: what passed, what failed, what is inconclusive. */
export function lastLines(results: readonly Checked[]): string[] {
  const of = (word: Word): Checked[] => results.filter(({ conclusion }) => conclusion.verdict === word);
  const [failed, odd, open] = [of("FAIL"), of("improbable"), of("inconclusive")];
  const kernels = counted(results.length, "kernel");
  const names = (list: readonly Checked[]): string => list.map(({ report }) => report.op).join(", ");
  const outside = failed.filter(({ report }) => report.failures.some(({ worst }) => worst !== undefined)).length;
  const orders = [...new Set(results.flatMap(({ order }) => order ?? []))];
  const under = orders.length === 0 ? "" : ` under ${orders.join(" and ")}`;
  const inside = `${results.length === 1 ? "its bound" : "their bounds"}${under}`;
  const judged = results.reduce((n, { report }) => n + report.elements - report.unjudged, 0);
  return [
    ...(open.length === 0 ? [] : [`${open.length} of ${kernels} inconclusive: ${names(open)}`]),
    ...(odd.length === 0
      ? []
      : [`${odd.length} of ${kernels} within ${inside}, with improbable errors: ${names(odd)}`]),
    ...(failed.length === 0
      ? []
      : [
          `${failed.length} of ${kernels} failed, ${outside} of them by numbers outside the bounds${under}: ${names(failed)}`,
        ]),
    ...notOfferedLines(results),
    ...(failed.length + odd.length + open.length > 0 || results.length === 0
      ? []
      : [`${kernels} within ${inside}, ${counted(judged, "element")} judged${unsampled(results)}`]),
  ];
}

/** What was compared with the truth alone, and what was not even that. */
function unsampled(results: readonly Checked[]): string {
  const of = (key: "unsampled" | "withoutTruth"): number => results.reduce((n, { report }) => n + report[key], 0);
  const [compared, left] = [of("unsampled"), of("withoutTruth")];
  return [
    compared === 0 ? "" : `; ${compared} more of large outputs gave no suspect`,
    left === 0 ? "" : `; ${left} more of outputs at a model's size were not sampled`,
  ].join("");
}

/** In how many cases declared trees were the orders of their sums. */
export function treeLines(results: readonly Checked[]): string[] {
  return results.flatMap(({ report: { op, trees } }) =>
    Object.entries(trees).map(
      ([sum, { cases, fitting }]) =>
        `${op} ${sum}: the declared tree fits ${fitting} of ${counted(cases, "case")}; any order is allowed in the others`,
    ),
  );
}

/** What stood out in outputs that are within their bounds. */
export function noteLines(results: readonly Checked[]): string[] {
  return results.flatMap(({ report: { op, notes } }) => shown(op, notes, "note"));
}

/** What is within its bounds and improbable, and what a run may say so of a correct kernel with. */
export function improbableLines(results: readonly Checked[], terms: string): string[] {
  const tests = results.reduce((n, { report }) => n + report.improbable.tests, 0);
  const probability = results.reduce((n, { report }) => n + report.improbable.probability, 0);
  if (tests === 0) return [];
  const found = results.flatMap(({ report }) => report.improbable.findings);
  const lines = found.flatMap(({ message, replay }) => [
    `improbable ${replay}`,
    `  ${message}; and again on fresh numbers`,
    `  touchstone check --replay ${shellWord(replay)}${terms}`,
  ]);
  const all = `${counted(tests, "element")} held to what is plausible: a correct kernel is called improbable with a probability of ${probability.toExponential(0)}, by a model of rounding`;
  return [...lines, all];
}

/** How much of the outputs cancels so far that no kernel can be expected to get it right. */
export function conditioningLines(results: readonly Checked[]): string[] {
  return results.flatMap(({ report: { op, conditioning } }) => {
    const shares = Object.entries(conditioning).flatMap(([output, { elements, ill }]) =>
      ill > 0 ? [`${percent(ill / elements)} of ${output}`] : [],
    );
    return shares.length === 0
      ? []
      : [
          `ill-conditioned ${op}: ${shares.join(", ")} in small cases: one rounding of each input moves the element by as much as it is`,
        ];
  });
}

/** Up to which sizes a verdict says something, of a few ops; of many the JSON says it. */
export function sizeLines(results: readonly Checked[]): string[] {
  if (results.length > MOST_SIZES) return leftLines(results);
  return results.flatMap((result) => {
    const { op, sizes } = result.report;
    const refused = (result.refusals?.reasons ?? []).flatMap(({ sizes: named }) =>
      named === undefined ? [] : [`${named} (refused)`],
    );
    const axes = Object.entries(sizes.axes).map(([axis, [least, most]]) => `${axis} ${least} to ${most}`);
    const together = Object.entries(sizes.together).map(([names, n]) => `${names} ${n}`);
    if (axes.length === 0) return [];
    return [
      `${op}: tried ${axes.join(", ")}`,
      ...(together.length === 0 ? [] : [`  at once up to: ${together.join(", ")}`]),
      `  never tried: ${[...sizes.never, ...refused].join(", ")}`,
      ...leftLines([result]).map((line) => `  ${line}`),
      ...missedLines(result),
    ];
  });
}

/** How many large cases fewer drawn ones have left out, and what asks for them. */
function leftLines(results: readonly Checked[]): string[] {
  const sum = (of: (report: Checked["report"]) => number): number =>
    results.reduce((n, { report }) => n + of(report), 0);
  const all = sum(({ largeCases }) => largeCases.all);
  const left = all - sum(({ largeCases }) => largeCases.planned);
  return left === 0
    ? []
    : [`large cases: ${left} of ${all} left out with so few drawn cases; --runs ${FULL_RUNS} or no --runs tries all`];
}

/** How many workgroups were looked at for races, and with which sizes. */
export function raceLines(examinations: readonly Examination[]): string[] {
  return examinations.flatMap(({ op, races }) => {
    if (races === undefined) return [];
    const { workgroups, cases, found, stopped } = races;
    const sizes = cases.map((line) => line.slice(op.length + 1).replace(/ profile=.*/, ""));
    const seen = found === 0 ? "no race seen" : counted(found, "race");
    return [
      ...(workgroups === 0
        ? []
        : [`${op}: ${seen} in ${counted(workgroups, "workgroup")} of these sizes: ${sizes.join("; ")}`]),
      ...(stopped === undefined ? [] : [`${op}: other workgroups were not looked at for races: ${stopped}`]),
    ];
  });
}

/** A row for each kernel: the parts of the verdict other than the bound. */
export function examinationTable(examinations: readonly Examination[]): string[] {
  const rows = examinations.map(({ op, precision, unmeasured, exactness, relations, hygiene, findings, ms }) => {
    const summary = summarise(precision);
    const count = (state: string) => relations.filter((relation) => relation.state === state).length;
    const counts = [
      [count("holds"), "hold"],
      [count("rounded"), "rounded"],
      [count("broken"), "broken"],
    ] as const;
    return [
      op,
      summary === undefined ? `not measured: ${unmeasured ?? "failed"}` : summaryName(precision, summary),
      summary === undefined ? "" : number(summary.ratio),
      exactness === undefined ? "" : `${exactness.exact} of ${exactness.elements}`,
      counts
        .filter(([n]) => n > 0)
        .map(([n, word]) => `${n} ${word}`)
        .join(", "),
      hygiene === undefined ? "" : hygiene.repeatable ? "yes" : "no",
      hygiene === undefined ? "" : hygiene.swallowed.length + hygiene.spread.length === 0 ? "passed on" : "see below",
      (ms / 1000).toFixed(1),
      findings.length === 0 ? "pass" : "FAIL",
    ];
  });
  return tableOf(
    [
      ["kernel", "left"],
      ["precision", "left"],
      ["÷ float32", "right"],
      ["exact", "right"],
      ["relations", "left"],
      ["repeatable", "left"],
      ["NaN, infinity", "left"],
      ["seconds", "right"],
      ["", "left"],
    ],
    rows,
  );
}

/**
 * The findings of an examination, with the lines that show them again under the same `terms`, together and one by one; notes come
 * last.
 */
export function examinationLines(
  { op, precision, findings, replays, notes, relations, evidence }: Examination,
  again: string,
  terms: string,
): string[] {
  const lines = [
    ...classLines(precision),
    ...relations.flatMap(({ state, message }) => (state === "rounded" ? [`bits differ: ${message}`] : [])),
    ...notes,
  ];
  const lone = replays.slice(0, MOST_LINES).map((line) => `  touchstone check --replay ${shellWord(line)}${terms}`);
  const same = findings.length > 0 ? [...keptLines(evidence), ...lone, `  ${again}`] : [];
  return [...shown(op, findings, "FAIL"), ...same, ...shown(op, lines, "note")];
}

function shown(op: string, list: readonly string[], mark: string): string[] {
  return [
    ...list.slice(0, MOST_LINES).map((line) => `${mark} ${op}: ${line}`),
    ...(list.length > MOST_LINES ? [`${mark} ${op}: and ${list.length - MOST_LINES} more`] : []),
  ];
}

const MOST_LINES = 6;

function summaryName(precision: readonly Precision[], summary: Pick<Precision, "class" | "between">): string {
  return precision.some(isDivided) ? `${className(summary)} at some sizes` : className(summary);
}

/** A failure: what is wrong, and the line that shows it again under the same terms. */
export function failureLines({ replay, message, worst, evidence }: Failure, terms: string): string[] {
  const again = `  touchstone check --replay ${shellWord(replay)}${terms}`;
  const isSaid = worst !== undefined || message.includes("--sizes");
  const supported = isSaid ? [] : ["  if the kernel does not support these sizes, --sizes states those that it does"];
  return [`FAIL ${replay}`, `  ${message}`, ...supported, ...keptLines(evidence), again];
}

/** A word of a shell's command line. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
