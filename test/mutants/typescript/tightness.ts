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
  const rounded = Object.entries(figures).map(([op, of]) => [
    op,
    Object.fromEntries(Object.entries(of).map(([key, tightness]) => [key, asStated(tightness)])),
  ]);
  writeFileSync(file, `${JSON.stringify({ ...all(), ...Object.fromEntries(rounded) }, undefined, 2)}\n`);
}

/** The groups in which a bound is looser than stated, or has more elements without one. */
export function looserThan(stated: Figures, is: Figures): string[] {
  return Object.entries(stated).flatMap(([key, [reached, unjudged]]) => {
    const now = is[key];
    return now !== undefined && now[0] >= reached && now[1] <= unjudged ? [] : [key];
  });
}

/** The groups in which a bound is tighter than stated, or has fewer elements without one. */
export function tighterThan(stated: Figures, is: Figures): string[] {
  return Object.entries(stated).flatMap(([key, [reached, unjudged]]) => {
    const now = asStated(is[key] ?? [0, 0]);
    return now[0] > reached || now[1] < unjudged ? [key] : [];
  });
}

function asStated([reached, unjudged]: Tightness): Tightness {
  return [Math.floor(reached * DIGITS) / DIGITS, unjudged];
}

function all(): Readonly<Record<string, Figures>> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, Figures>) : {};
}
