// The imports of the sources: each file's own, and all files that it reaches.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

export interface Import {
  readonly from: string;
  /** A path from the root, or a package's name. */
  readonly to: string;
  readonly typesOnly: boolean;
}

/** The TypeScript files below a folder, or the one file, as paths from the root. */
export function filesOf(path: string): string[] {
  if (path.endsWith(".ts")) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

/** The imports of all files below a folder, or of one file. */
export function importsOf(folder: string): Import[] {
  return filesOf(folder).flatMap((from) => {
    const text = readFileSync(join(root, from), "utf8");
    const statements = text.matchAll(/^(?:import|export)\s(?:([^;"]*?)\sfrom\s)?"([^"]+)";$|import\("([^"]+)"\)/gm);
    return [...statements].map(([, clause = "", named, dynamic]) => {
      const target = named ?? dynamic;
      const path = join(dirname(from), target).split(sep).join("/");
      const typesOnly = clause.startsWith("type ");
      return { from, to: target.startsWith(".") ? path : target, typesOnly };
    });
  });
}

/** Every file whose code runs when this one is imported, and what those import from outside the tree. */
export function reachedFrom(entry: string): { files: string[]; packages: { from: string; to: string }[] } {
  const files = [entry];
  const packages: { from: string; to: string }[] = [];
  for (const file of files) {
    for (const { from, to, typesOnly } of importsOf(file)) {
      if (typesOnly) continue;
      if (!to.endsWith(".ts")) packages.push({ from, to });
      else if (!files.includes(to)) files.push(to);
    }
  }
  return { files, packages };
}

/** The circles among files that import one another by more than types, each with its files sorted. */
export function circlesIn(imports: readonly Import[]): string[][] {
  const next = new Map<string, Set<string>>();
  for (const { from, to, typesOnly } of imports) {
    if (!next.has(from)) next.set(from, new Set());
    if (!typesOnly && to.endsWith(".ts")) next.get(from)!.add(to);
  }
  const reached = new Map([...next.keys()].map((file) => [file, reachableFrom(file, next)]));
  const circles = new Map<string, string[]>();
  for (const [file, others] of reached) {
    if (!others.has(file)) continue;
    const circle = [...others].filter((other) => reached.get(other)?.has(file)).toSorted();
    circles.set(circle.join(), circle);
  }
  return [...circles.values()];
}

function reachableFrom(file: string, next: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const reached = new Set<string>(next.get(file));
  for (const other of reached) for (const more of next.get(other) ?? []) reached.add(more);
  return reached;
}
