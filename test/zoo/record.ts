// The results that are committed, a line for each fault, so that a later run and the README can be held against them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type RuleName, ruleNames } from "./rules.ts";
import { letters, type Results } from "./report.ts";
import { subjects } from "./subject.ts";
import type { Part, Trial } from "./trial.ts";

const file = new URL("results.json", import.meta.url);

interface Recorded {
  readonly seed: number;
  readonly runs: number;
  /** Fault, outcome, parts, first case, share at which an error of 1 % shows, and a letter for each rule. */
  readonly faults: readonly string[];
  readonly rules: Results["rules"];
  readonly bounds: readonly {
    readonly op: string;
    readonly target: string;
    readonly compared: number;
    readonly alarms: number;
  }[];
}

/** Writes the record; what was not run now stays as it was. */
export function record({ seed, runs, faults, rules, bounds }: Results): void {
  const before = existsSync(file) ? read() : undefined;
  const lines = new Map(before?.faults.map((line) => [line.slice(0, line.indexOf("; ")), line]));
  for (const one of faults) {
    const { id, outcome, parts, cases, power } = one;
    lines.set(id, [id, outcome, parts.join(" "), cases, power, letters(one)].join("; "));
  }
  const held = bounds.map(({ op, target, compared, alarms }) => ({ op, target, compared, alarms: alarms.length }));
  const kept: Recorded = {
    seed,
    runs,
    faults: subjects.flatMap(({ id }) => lines.get(id) ?? []),
    rules: rules.length === 0 ? (before?.rules ?? []) : rules,
    bounds: held.length === 0 ? (before?.bounds ?? []) : held,
  };
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
}

const read = (): Recorded => JSON.parse(readFileSync(file, "utf8")) as Recorded;

/** The record as results. */
export function recorded(): Pick<Results, "seed" | "runs" | "faults" | "rules"> & Pick<Recorded, "bounds"> {
  const { faults, ...rest } = read();
  return { ...rest, faults: faults.map(trialOf) };
}

function trialOf(line: string): Trial {
  const [id, outcome, parts, cases, power, marks] = line.split("; ");
  const rules = ruleNames.flatMap((name, i): [RuleName, boolean][] =>
    marks[i] === " " || marks[i] === undefined ? [] : [[name, marks[i] !== "·"]],
  );
  return {
    id,
    outcome: outcome as Trial["outcome"],
    parts: parts.split(" ").filter(Boolean) as Part[],
    cases: Number(cases),
    power: Number(power),
    finding: "",
    rules: Object.fromEntries(rules),
    seconds: 0,
  };
}
