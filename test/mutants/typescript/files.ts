// The files of the formulas and the bounds, and the ops that each is part of.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { reachedFrom } from "../../imports.ts";
import { operations } from "../../../reference/ops/index.ts";
import { editsOf } from "./operators.ts";
import type { Mutant } from "../sites.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = "reference/ops";

export type Part = "reference" | "bounds";

export interface SourceFile {
  /** From the root: "reference/ops/rmsnorm.bound.ts". */
  readonly path: string;
  readonly part: Part;
  /** "rmsnorm": the ops whose tests are its row's. */
  readonly stem: string;
  /** Those of its own name first, then others whose bounds use it. */
  readonly ops: readonly string[];
}

/** The file in which the row of an op is. */
export function rowOf(op: string): string {
  return `${folder}/${op.split(".")[0]}.bound.ts`;
}

export function sourceFiles(): SourceFile[] {
  const reached = new Map([...operations.keys()].map((op) => [op, new Set(reachedFrom(rowOf(op)).files)]));
  return readdirSync(`${root}${folder}`)
    .filter((name) => name.endsWith(".ts") && name !== "index.ts")
    .toSorted()
    .map((name) => {
      const path = `${folder}/${name}`;
      const stem = stemOf(name);
      const isOwn = (op: string): boolean => op.split(".")[0] === stem;
      const ops = [...reached].filter(([, files]) => files.has(path)).map(([op]) => op);
      const sorted = [...ops.filter(isOwn), ...ops.filter((op) => !isOwn(op))];
      return { path, part: name.endsWith(".bound.ts") ? "bounds" : "reference", stem, ops: sorted };
    });
}

/** attention-tiled.ts and attention.keys.bound.ts are attention's. */
function stemOf(name: string): string {
  const stems = [...operations.keys()].map((op) => op.split(".")[0]!);
  return stems.filter((stem) => new RegExp(`^${stem}[.-]`).test(name)).toSorted((a, b) => b.length - a.length)[0]!;
}

export function textOf(path: string): string {
  return readFileSync(`${root}${path}`, "utf8");
}

/** Each text once, however many operators make it. */
export function mutantsOf(source: string): Mutant[] {
  const seen = new Set([source]);
  return editsOf(source).flatMap(({ operator, start, end, to }) => {
    const text = source.slice(0, start) + to + source.slice(end);
    if (seen.has(text)) return [];
    seen.add(text);
    const line = source.slice(0, start).split("\n").length;
    return [{ operator, line, what: `${source.slice(start, end)} → ${to || "nothing"}`, text }];
  });
}
