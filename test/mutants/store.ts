// What became of each mutant of each kernel, a letter each, kept under the hash of all that it depends on.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Fate } from "./bench.ts";
import { ownCases } from "./cases.ts";
import type { Mutant } from "./sites.ts";

export interface Kept {
  /** Of the kernel, its host code, the op's formula and bound, the interpreter and the cases. */
  readonly hash: string;
  /** In the order of the mutants; "." for one that has not been tried. */
  readonly fates: string;
}

/** A mutant that no case can tell from the kernel, with the reason. */
export interface Explained {
  /** The line of the kernel, without its indentation. */
  readonly in: string;
  readonly what: string;
  readonly why: string;
  /** It adds the same terms in another order, so that bits differ. */
  readonly reorders?: true;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const file = `${root}test/mutants/results.json`;

export function readResults(): Record<string, Kept> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, Kept>) : {};
}

export function writeResults(results: Readonly<Record<string, Kept>>): void {
  const sorted = Object.fromEntries(Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(sorted, undefined, 2)}\n`);
}

/** kernels-gpu/rmsnorm.forward.equivalent.json, beside the kernel; none where there is no such file. */
export function explainedOf(op: string): readonly Explained[] {
  const path = `${root}kernels-gpu/${op}.equivalent.json`;
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Explained[]) : [];
}

export function explanationOf(
  { line, what }: Mutant,
  source: string,
  explained: readonly Explained[],
): Explained | undefined {
  const text = source.split("\n")[line - 1]!.trim();
  return explained.find((one) => one.in === text && one.what === what);
}

/** The hash of what the fates of an op's mutants depend on, themselves included: other operators leave what they do not change. */
export function hashOf(op: string, mutants: readonly Mutant[]): string {
  const [stem] = op.split(".") as [string];
  const folder = (name: string, isMeant: (file: string) => boolean): string[] =>
    readdirSync(`${root}${name}`)
      .filter(isMeant)
      .map((one) => `${name}/${one}`);
  const files = [
    `kernels-gpu/${op}.wgsl`,
    `kernels-gpu/${stem}.ts`,
    ...folder("reference/ops", (name) => name.startsWith(`${stem}.`) && name.endsWith(".ts")),
    ...folder("judge/ops", (name) => name === `${stem}.ts`),
    ...folder("kernels-gpu/races", () => true),
    "test/mutants/bench.ts",
  ];
  const hash = createHash("sha256");
  for (const name of files.toSorted()) hash.update(name).update(readFileSync(`${root}${name}`));
  for (const { operator, text } of mutants) hash.update(operator).update(text);
  hash.update(JSON.stringify([explainedOf(op), ownCases(op)]));
  return hash.digest("hex").slice(0, 16);
}

/** The fates so far, as letters that can be changed. */
export function fatesOf(kept: Kept | undefined, hash: string, count: number): (Fate | ".")[] {
  const known = kept?.hash === hash ? kept.fates : "";
  return Array.from({ length: count }, (_, i) => (known[i] ?? ".") as Fate | ".");
}
