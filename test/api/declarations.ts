// What the four entries export, read from the declarations that the build writes: each name with its comment and its text.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const entries = ["index", "vitest", "webgpu", "node"] as const;
export type Entry = (typeof entries)[number];

export interface Declaration {
  /** Such as "oracle", or "reference.swiglu.forward". */
  readonly name: string;
  /** The comment, without its stars; empty where there is none. */
  readonly comment: string;
  /** The declaration without comments, on one line. */
  readonly text: string;
}

/** The declarations of an entry of a build, in order of name. */
export function declarationsOf(build: string, entry: Entry): Declaration[] {
  return exportsOf(join(build, `${entry}.d.ts`), "").toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The code of each example in a comment. */
export function examplesIn(comment: string): string[] {
  return [...comment.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
}

function exportsOf(file: string, prefix: string): Declaration[] {
  const text = readFileSync(file, "utf8");
  return [...ownOf(text, prefix), ...passedOn(text, file, prefix)];
}

/** What a file declares itself. */
function ownOf(text: string, prefix: string): Declaration[] {
  const found = text.matchAll(/^export (?:declare )?(?:async )?(?:function|const|interface|type|class) (\w+)/gm);
  return [...found].map((match) => declared(text, match.index, prefix + match[1]!));
}

/** What a file exports from others, by name or as a namespace. */
function passedOn(text: string, file: string, prefix: string): Declaration[] {
  const from = (path: string): string => join(dirname(file), path.replace(/\.js$/, ".d.ts"));
  const named = [...text.matchAll(/^export (type )?\{([^}]*)\} from "(\.[^"]+)";$/gm)].flatMap(([, , list, path]) => {
    const all = new Map(exportsOf(from(path!), "").map((one) => [one.name, one]));
    return list!
      .split(",")
      .map((word) => word.trim().replace(/^type /, ""))
      .filter((word) => word !== "")
      .map((word) => {
        const [local, outer = local] = word.split(" as ");
        const one = all.get(local!);
        if (one === undefined) throw new Error(`${path} does not declare ${local}, which ${file} exports`);
        const { comment, text: code } = one;
        return { name: prefix + outer!, comment, text: code };
      });
  });
  const spaces: Declaration[] = [];
  for (const match of text.matchAll(/^export \* as (\w+) from "(\.[^"]+)";$/gm)) {
    const [, name, path] = match;
    const comment = commentBefore(text, match.index);
    spaces.push({ name: prefix + name!, comment, text: `namespace ${name}` });
    spaces.push(...exportsOf(from(path!), `${prefix}${name}.`));
  }
  return [...named, ...spaces];
}

function declared(text: string, at: number, name: string): Declaration {
  const code = text.slice(at, endOf(text, at));
  const plain = code.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/\/\/.*$/gm, "");
  return { name, comment: commentBefore(text, at), text: plain.replaceAll(/\s+/g, " ").trim() };
}

/** Where a declaration ends: at its semicolon, or at its closing brace, outside of every bracket. */
function endOf(text: string, at: number): number {
  const hasBody = /^export (?:declare )?(?:interface|class) /.test(text.slice(at));
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text.startsWith("/*", i)) i = text.indexOf("*/", i) + 1;
    else if ("({[".includes(text[i]!)) depth++;
    else if (")}]".includes(text[i]!)) {
      depth--;
      if (depth === 0 && hasBody && text[i] === "}") return i + 1;
    } else if (text[i] === ";" && depth === 0) return i + 1;
  }
  return text.length;
}

/** The comment that ends right before a declaration. */
function commentBefore(text: string, at: number): string {
  const [, comment] = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(text.slice(0, at)) ?? [];
  return (comment ?? "").replaceAll(/^[ \t]*\* ?/gm, "").trim();
}
