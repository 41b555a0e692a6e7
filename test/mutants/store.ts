// What the fates of a kernel's mutants are kept under, and where.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ownCases } from "./cases.ts";
import { type Explained, readExplained } from "./results.ts";
import type { Mutant } from "./sites.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const resultsFile = `${root}test/mutants/results.json`;

/** kernels-gpu/rmsnorm.forward.equivalent.json, beside the kernel; none where there is no such file. */
export function explainedOf(op: string): readonly Explained[] {
  return readExplained(`${root}kernels-gpu/${op}.equivalent.json`);
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
