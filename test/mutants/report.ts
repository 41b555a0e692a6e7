// The table of what became of mutants, and the list of those that survive.
import { tableOf } from "../../cli/table.ts";
import type { Fate } from "./bench.ts";

export const words: Readonly<Record<Fate, string>> = {
  k: "killed by its numbers",
  r: "killed by the look for races",
  s: "killed in a dispatch along two axes",
  d: "killed on the device",
  h: "hangs on the device",
  c: "does not compile",
  t: "does not end",
  e: "explained",
  x: "explained, and refuted",
  v: "survives",
};

const KILLED = "krsd";
const SURVIVING = "vx";
/** The least share of killed ones, of those that compile, end and are not explained, and the largest of explained ones, of all. */
const GOAL = { killed: 0.99, explained: 0.1 };

export interface Counted {
  readonly name: string;
  readonly fates: readonly (Fate | ".")[];
}

/** A row for each name: how many mutants came to which end, and the score: killed, of those that compile, end and are not explained. */
export function fateTable(head: string, counted: readonly Counted[]): string[] {
  const columns: readonly (readonly [title: string, fates: string])[] = [
    ["numbers", "k"],
    ["races", "r"],
    ["two axes", "s"],
    ["device", "d"],
    ["survive", SURVIVING],
    ["explained", "e"],
    ["no compile", "c"],
    ["endless", "th"],
    ["untried", "."],
  ];
  const rows = counted.map(({ name, fates }) => {
    const of = (letters: string): number => countOf(fates, letters);
    const [killed, survive] = [of(KILLED), of(SURVIVING)];
    const score =
      killed + survive === 0 ? "" : `${(Math.floor((1000 * killed) / (killed + survive)) / 10).toFixed(1)} %`;
    return [name, fates.length, ...columns.map(([, letters]) => of(letters)), score];
  });
  return tableOf(
    [[head, "left"], ["mutants", "right"], ...columns.map(([title]) => [title, "right"] as const), ["score", "right"]],
    rows,
  );
}

/** A line that says which kernels reach the goal. */
export function goalLine(counted: readonly Counted[]): string {
  const missing = counted.filter(({ fates }) => {
    const [killed, survive] = [countOf(fates, KILLED), countOf(fates, SURVIVING)];
    const isKilled = killed >= GOAL.killed * (killed + survive) && !fates.includes(".");
    return !isKilled || countOf(fates, "e") > GOAL.explained * fates.length;
  });
  const [killed, explained] = [GOAL.killed, GOAL.explained].map((share) => `${100 * share} %`);
  const others = missing.length === 0 ? "" : `, not by ${missing.map(({ name }) => name).join(", ")}`;
  const reached = `${counted.length - missing.length} of ${counted.length} kernels`;
  return `goal (${killed} of those not explained are killed, at most ${explained} are explained): reached by ${reached}${others}`;
}

function countOf(fates: readonly (Fate | ".")[], letters: string): number {
  return fates.filter((fate) => letters.includes(fate)).length;
}
