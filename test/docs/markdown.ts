// Markdown as the tests of the documentation read it: pages, links, anchors, code.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./page.ts";

/** Every file of the tree that its owner wrote, by its path from the root: what git knows or would add. */
export function filesOfTree(): string[] {
  const words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const paths = execFileSync("git", words, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 }).split("\0");
  return paths.filter((path) => path !== "" && existsSync(join(root, path)));
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
