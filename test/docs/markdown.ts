// Markdown as the tests of the documentation read it: pages, links, anchors, code.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { root } from "./page.ts";

const outside = new Set(["node_modules", "dist", ".git"]);

/** Every file of the tree that its owner wrote, by its path from the root. */
export function filesOfTree(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (outside.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesOfTree(path) : [relative(root, path).split(sep).join("/")];
  });
}

export const pages = filesOfTree().filter((path) => path.endsWith(".md"));

export const textOf = (path: string): string => readFileSync(join(root, path), "utf8");

const fence = /^```.*\n([\s\S]*?)^```$/gm;

/** The text between the blocks of code. */
export const prose = (text: string): string => text.replaceAll(fence, "");

/** Lines of blocks of code, one for each command: a backslash at the end of a line goes on. */
export const codeLines = (text: string): string[] =>
  [...text.matchAll(fence)].flatMap(([, code]) => code.replaceAll(/\\\n\s*/g, "").split("\n"));

/** `spans` of code in the prose. */
export const codeSpans = (text: string): string[] => [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);

/** Targets of [links](target). */
export const linksOf = (text: string): string[] =>
  [...prose(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target);

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const headings = [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(/\s/g, "-"),
    ),
  );
}
