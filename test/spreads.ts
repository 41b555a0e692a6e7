// Calls in the sources that spread a list into their arguments.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "vitest/node";
import { filesOf } from "./imports.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

export interface Spread {
  readonly file: string;
  /** What is called: "Math.max". */
  readonly callee: string;
  /** The list: "row". */
  readonly list: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly callee?: Node;
  readonly arguments?: readonly Node[];
  readonly argument?: Node;
}

/** The calls with a spread, and those of `apply`, in a text of TypeScript. */
export function spreadsIn(file: string, text: string): Spread[] {
  const found: Spread[] = [];
  const written = (node: Node | undefined): string =>
    node === undefined ? "" : text.slice(node.start, node.end).replaceAll(/\s+/g, " ");
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    if (Array.isArray(node)) return node.forEach(visit);
    const { type, callee, arguments: given = [] } = node as Node;
    if (type === "CallExpression" || type === "NewExpression") {
      for (const one of given) {
        if (one.type === "SpreadElement") found.push({ file, callee: written(callee), list: written(one.argument) });
      }
      if (written(callee).endsWith(".apply"))
        found.push({ file, callee: written(callee), list: written(given.at(-1)) });
    }
    Object.values(node).forEach(visit);
  };
  visit(parseAst(text, { lang: "ts" }, file));
  return found;
}

/** The same of all files below a folder, or of one file. */
export function spreadsOf(path: string): Spread[] {
  return filesOf(path).flatMap((file) => spreadsIn(file, readFileSync(join(root, file), "utf8")));
}
