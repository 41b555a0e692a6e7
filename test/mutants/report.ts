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
    ["survive", "vx"],
    ["explained", "e"],
    ["no compile", "c"],
    ["endless", "th"],
    ["untried", "."],
  ];
  const rows = counted.map(({ name, fates }) => {
    const of = (letters: string): number => fates.filter((fate) => letters.includes(fate)).length;
    const [killed, survive] = [of("krsd"), of("vx")];
    const score =
      killed + survive === 0 ? "" : `${(Math.floor((1000 * killed) / (killed + survive)) / 10).toFixed(1)} %`;
    return [name, fates.length, ...columns.map(([, letters]) => of(letters)), score];
  });
  return tableOf(
    [[head, "left"], ["mutants", "right"], ...columns.map(([title]) => [title, "right"] as const), ["score", "right"]],
    rows,
  );
}
