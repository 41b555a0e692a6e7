// What the fates of the mutants of a formula or a bound are kept under, and where.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { reachedFrom } from "../../imports.ts";
import { type Explained, readExplained } from "../results.ts";
import { sourceFiles } from "./files.ts";
import { testFilesOf } from "./row-tests.ts";
import { statedTightness } from "./tightness.ts";

/** Of what the trials reach: what truth, bounds, cases and evaluations are made of. */
const SHARED =
  /^(reference\/(?!candidate)[\w-]+\.ts|judge\/(case|compare|profile|verdict)\.ts|zoo\/arithmetic\.ts|test\/second-derivation\/.*)$/;

const root = fileURLToPath(new URL("../../..", import.meta.url));
export const resultsFile = `${root}test/mutants/typescript/results.json`;

/** reference/ops/rmsnorm.bound.equivalent.json, beside the file; none where there is no such file. */
export function explainedIn(path: string): readonly Explained[] {
  return readExplained(`${root}${path.replace(/\.ts$/, ".equivalent.json")}`);
}

/** The hash of what the fates of a file's mutants depend on: the formulas and bounds of its ops, their evaluations, cases and tests, and this folder. */
export function hashOf(path: string): string {
  const { ops, stem } = sourceFiles().find((one) => one.path === path)!;
  const stems = [...new Set([stem, ...ops.map((op) => op.split(".")[0]!)])];
  const own = readdirSync(`${root}test/mutants/typescript`).filter(
    (name) => !/\.json$|(report|run|store|worker|\.test)\.ts$/.test(name),
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
