// What the zoo's campaign prints: a line for each fault, what each judge is worth, and what the bounds say of correct evaluations.
import Table from "cli-table3";
import type { FalseAlarms } from "./correct.ts";
import { type RuleName, ruleNames } from "./rules.ts";
import { subjects } from "./subject.ts";
import type { Trial } from "./trial.ts";
import type { Sound } from "./work.ts";

/** All that a campaign found. */
export interface Results {
  readonly seed: number;
  readonly runs: number;
  readonly faults: readonly Trial[];
  readonly rules: readonly FalseAlarms[];
  readonly bounds: readonly Sound[];
}

/** One judge: of the faults that it was asked about those let through, and of correct evaluations those accused. */
export interface Worth {
  readonly judge: RuleName | "Touchstone";
  readonly faults: number;
  readonly passed: number;
  readonly correct: number;
  readonly accused: number;
}

const byId = new Map(subjects.map((one) => [one.id, one]));
const compact = { head: [], border: [], compact: true };

/** Of the faults in float32, to which every rule was put; Touchstone is held to the same, with `named` as let through. */
export function worths({ faults, rules }: Pick<Results, "faults" | "rules">): Worth[] {
  return ([...ruleNames, "Touchstone"] as const).map((judge) => {
    const asked = faults.filter((one) => (judge === "Touchstone" ? true : one.rules[judge] !== undefined));
    const passed = asked.filter((one) =>
      judge === "Touchstone" ? one.outcome !== "rejected" : one.rules[judge] === false,
    );
    const [correct, accused] = (["of", "accused"] as const).map((field) =>
      rules.reduce((n, { judges }) => n + judges[judge][field], 0),
    );
    return { judge, faults: asked.length, passed: passed.length, correct, accused };
  });
}

/** Such as "13 (3.8 %)". */
function share(n: number, of: number): string {
  return of === 0 ? "–" : `${n} (${((100 * n) / of).toFixed(1)} %)`;
}

/** One letter a rule where it rejects, a point where it lets through, a space where it says nothing. */
export function letters({ rules }: Trial): string {
  return ruleNames.map((name, i) => (rules[name] === undefined ? " " : rules[name] ? "LPGXOKW"[i] : "·")).join("");
}

/** A line for each fault, op by op. */
export function faultTable(faults: readonly Trial[]): string {
  const table = new Table({
    head: ["fault", "found by", "case", "1 %", "rules"],
    colWidths: [31, 22, 6, 6, 9],
    wordWrap: true,
    wrapOnWordBoundary: true,
    style: compact,
  });
  let op = "";
  for (const one of faults) {
    const subject = byId.get(one.id)!;
    const { dtype, target } = subject.terms;
    if (subject.op !== op) table.push([{ colSpan: 5, content: subject.op }]);
    ({ op } = subject);
    const terms = [dtype === "float32" ? "" : dtype, target.name === "wgsl" ? "" : target.name].filter(Boolean);
    const name = [one.id.slice(one.id.lastIndexOf("/") + 1), ...terms].join(", ");
    const label = `${name}${one.id.includes(".wgsl/") ? `. ${subject.what}` : ""}${subject.isConvention ? " (convention)" : ""}`;
    const found = one.outcome === "passes" ? "NOTHING" : one.parts.join(" ");
    const power = `${Math.round(100 * one.power)}`;
    table.push([label, `${one.outcome === "named" ? "only " : ""}${found}`, one.cases || "", power, letters(one)]);
  }
  return table.toString();
}

/** How many faults each part of the verdict finds, and how many it alone finds. */
export function partTable(faults: readonly Trial[]): string {
  const table = new Table({
    head: ["part of the verdict", "finds", "finds first"],
    style: compact,
    colAligns: ["left", "right", "right"],
  });
  const parts = [...new Set(faults.flatMap((one) => one.parts))];
  const finds = (part: string): number =>
    faults.filter((one) => one.parts.includes(part as Trial["parts"][number])).length;
  for (const part of parts.toSorted((a, b) => finds(b) - finds(a)))
    table.push([part, finds(part), faults.filter((one) => one.parts[0] === part).length]);
  return table.toString();
}

/** What each judge is worth. */
export function worthTable(results: Pick<Results, "faults" | "rules">): string {
  const table = new Table({
    head: ["judge", "faults let through", "correct evaluations accused"],
    style: compact,
    colAligns: ["left", "right", "right"],
  });
  for (const { judge, faults, passed, correct, accused } of worths(results))
    table.push([judge, `${share(passed, faults)} of ${faults}`, `${share(accused, correct)} of ${correct}`]);
  return table.toString();
}

/** Correct evaluations in all orders, roundings and variants, held to the bounds. */
export function boundTable(bounds: readonly Sound[]): string {
  const table = new Table({
    head: ["op", "elements", "unjudged", "honest", "worst", "alarms", "s"],
    style: compact,
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
  });
  for (const { op, compared, unjudged, worst, adversarial, alarms, seconds } of bounds)
    table.push([op, compared, unjudged, worst.toFixed(2), adversarial.toFixed(2), alarms.length, seconds]);
  return table.toString();
}

export const KEY = `found by: the part of a default check that finds it, or all (--all), the first
one first; "only": it passes, but its precision is named, or a note says what it
does. case: the first that fails. 1 %: of the elements up to there, the share in
percent at which an error of 1 % would have been seen. rules that reject it on
the same cases: L llama.cpp, P PyTorch, G Liger-Kernel, X xFormers, O ONNX,
K KernelBench, W WebNN; · lets it through; nothing where the rule is for other
ops or dtypes.`;
