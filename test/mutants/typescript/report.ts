// The table of what became of mutants of formulas and bounds.
import { tableOf } from "../../../cli/table.ts";
import type { Fate } from "./judge.ts";

export const words: Readonly<Record<Fate, string>> = {
  k: "killed, a correct evaluation accused",
  w: "killed, wider than the table of tightness says",
  h: "killed by a test of its row",
  b: "seen by what is recorded alone",
  t: "does not end",
  c: "does not compile",
  e: "explained",
  x: "explained, and refuted",
  v: "survives",
  n: "survives, and changes no number that was looked at",
};

const columns: readonly (readonly [title: string, fates: string])[] = [
  ["accused", "k"],
  ["wider", "w"],
  ["tests", "h"],
  ["recorded", "b"],
  ["survive", "vx"],
  ["no change", "n"],
  ["explained", "e"],
  ["no compile", "c"],
  ["endless", "t"],
  ["untried", "."],
];

/** A row for each name; the score by meaning is of those that compile, end and are not explained, the last one counts what is recorded as well. */
export function fateTable(head: string, groups: ReadonlyMap<string, readonly (Fate | ".")[]>): string[] {
  const rows = [...groups].map(([name, fates]) => {
    const of = (letters: string): number => fates.filter((fate) => letters.includes(fate)).length;
    const all = of("kwhbvnx");
    const share = (killed: number): string =>
      all === 0 ? "" : `${(Math.floor((1000 * killed) / all) / 10).toFixed(1)} %`;
    const counts = columns.map(([, letters]) => of(letters));
    return [name, fates.length].concat(counts, share(of("kwh")), share(of("kwhb")));
  });
  const titles = ["mutants", ...columns.map(([title]) => title), "score", "with recorded"];
  return tableOf([[head, "left"], ...titles.map((title) => [title, "right"] as const)], rows);
}
