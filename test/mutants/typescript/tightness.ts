// The table of tightness: how much of each bound the worst known evaluations use on average, and how many elements have no bound, in the trials of each op.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** How far the worst evaluations come in a bound: on average, and how many elements have none. */
export type Tightness = readonly [reached: number, unjudged: number];

/** By "GROUP: OUTPUT". */
export type Figures = Readonly<Record<string, Tightness>>;

const file = fileURLToPath(new URL("tightness.json", import.meta.url));
/** Digits of a figure. */
const DIGITS = 10_000;

/** What the table says of an op; empty where it has no line. */
export function statedTightness(op: string): Figures {
  return all()[op] ?? {};
}

/** Writes the figures of some ops, rounded down. */
export function stateTightness(figures: Readonly<Record<string, Figures>>): void {
  const rounded = Object.entries(figures).map(([op, of]) => {
    const lines = Object.entries(of).map(([key, [reached, unjudged]]): [string, Tightness] => [
      key,
      [Math.floor(reached * DIGITS) / DIGITS, unjudged],
    ]);
    return [op, Object.fromEntries(lines)];
  });
  writeFileSync(file, `${JSON.stringify({ ...all(), ...Object.fromEntries(rounded) }, undefined, 2)}\n`);
}

/** The groups in which a bound is looser than another, or has more elements without one. */
export function looserThan(stated: Figures, is: Figures): string[] {
  return Object.entries(stated).flatMap(([key, [reached, unjudged]]) => {
    const now = is[key];
    return now !== undefined && now[0] >= reached && now[1] <= unjudged ? [] : [key];
  });
}

function all(): Readonly<Record<string, Figures>> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, Figures>) : {};
}
