// What became of each mutant of each formula and bound, a letter each, kept under the hash of all that it depends on.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { reachedFrom } from "../../imports.ts";
import type { Mutant } from "../sites.ts";
import type { Kept } from "../store.ts";
import type { Fate } from "./judge.ts";
import { sourceFiles } from "./files.ts";
import { testFilesOf } from "./row-tests.ts";
import { statedTightness } from "./tightness.ts";

/** A mutant that no case can tell from the file, with the reason. */
export interface Explained {
  /** The line of the file, without its indentation. */
  readonly in: string;
  readonly what: string;
  readonly why: string;
}

/** Of what the trials reach: what truth, bounds, cases and evaluations are made of. */
const SHARED =
  /^(reference\/[\w-]+\.ts|judge\/(case|compare|profile|verdict)\.ts|zoo\/arithmetic\.ts|test\/second-derivation\/.*)$/;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const file = `${root}test/mutants/typescript/results.json`;

export function readResults(): Record<string, Kept> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, Kept>) : {};
}

export function writeResults(results: Readonly<Record<string, Kept>>): void {
  const sorted = Object.fromEntries(Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(sorted, undefined, 2)}\n`);
}

/** reference/ops/rmsnorm.bound.equivalent.json, beside the file; none where there is no such file. */
export function explainedIn(path: string): readonly Explained[] {
  const beside = `${root}${path.replace(/\.ts$/, ".equivalent.json")}`;
  return existsSync(beside) ? (JSON.parse(readFileSync(beside, "utf8")) as Explained[]) : [];
}

export function explanationOf(
  { line, what }: Mutant,
  text: string,
  explained: readonly Explained[],
): Explained | undefined {
  const written = text.split("\n")[line - 1]!.trim();
  return explained.find((one) => one.in === written && one.what === what);
}

/** The hash of what the fates of a file's mutants depend on: the formulas and bounds of its ops, their evaluations, cases and tests, and this folder. */
export function hashOf(path: string): string {
  const { ops, stem } = sourceFiles().find((one) => one.path === path)!;
  const stems = [...new Set([stem, ...ops.map((op) => op.split(".")[0]!)])];
  const own = readdirSync(`${root}test/mutants/typescript`).filter(
    (name) => !/\.json$|report\.ts$|run\.ts$|\.test\.ts$/.test(name),
  );
  const files = new Set([
    ...reachedFrom("test/mutants/typescript/trials.ts").files.filter((name) => SHARED.test(name)),
    ...stems.flatMap((one) => reachedFrom(`reference/ops/${one}.bound.ts`).files),
    ...stems.flatMap((one) => [`judge/ops/${one}.ts`, `zoo/${one}.ts`]),
    path,
    ...testFilesOf(path, stem),
    ...own.map((name) => `test/mutants/typescript/${name}`),
  ]);
  const hash = createHash("sha256");
  for (const name of [...files].toSorted()) hash.update(name).update(readFileSync(`${root}${name}`));
  hash.update(JSON.stringify([explainedIn(path), ops.map(statedTightness)]));
  return hash.digest("hex").slice(0, 16);
}

/** The fates so far, as letters that can be changed. */
export function fatesOf(kept: Kept | undefined, hash: string, count: number): (Fate | ".")[] {
  const known = kept?.hash === hash ? kept.fates : "";
  return Array.from({ length: count }, (_, i) => (known[i] ?? ".") as Fate | ".");
}
