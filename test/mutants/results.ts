// What became of each mutant, a letter each, in a file; and mutants that are explained, in a file beside what they change.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Mutant } from "./sites.ts";

export interface Kept {
  /** Of all that the fates depend on. */
  readonly hash: string;
  /** In the order of the mutants; "." for one that has not been tried. */
  readonly fates: string;
}

/** A mutant that no case can tell from what it changes, with the reason. */
export interface Explained {
  /** The line, without its indentation. */
  readonly in: string;
  readonly what: string;
  readonly why: string;
  /** It adds the same terms in another order, so that bits differ. */
  readonly reorders?: true;
}

export function readResults(file: string): Record<string, Kept> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, Kept>) : {};
}

export function writeResults(file: string, results: Readonly<Record<string, Kept>>): void {
  const sorted = Object.fromEntries(Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(sorted, undefined, 2)}\n`);
}

/** The fates so far, as letters that can be changed. */
export function fatesOf<Fate extends string>(kept: Kept | undefined, hash: string, count: number): (Fate | ".")[] {
  const known = kept?.hash === hash ? kept.fates : "";
  return Array.from({ length: count }, (_, i) => (known[i] ?? ".") as Fate | ".");
}

/** None where there is no such file. */
export function readExplained(file: string): readonly Explained[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Explained[]) : [];
}

export function explanationOf(
  { line, what }: Mutant,
  source: string,
  explained: readonly Explained[],
): Explained | undefined {
  const text = source.split("\n")[line - 1]!.trim();
  return explained.find((one) => one.in === text && one.what === what);
}
