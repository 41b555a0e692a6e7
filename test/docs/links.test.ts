// No document names what is not there: links and anchors, files, folders, commands with their options, npm's scripts.
import { Command } from "commander";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorsOf, codeLines, codeSpans, filesOfTree, linksOf, pages, textOf } from "./markdown.ts";
import { root } from "./page.ts";

const files = new Set(filesOfTree());
const folders = new Set([...files].flatMap((path) => ancestors(path)));

function ancestors(path: string): string[] {
  const above = posix.dirname(path);
  return above === "." ? [] : [above, ...ancestors(above)];
}

const exists = (path: string): boolean => files.has(path) || folders.has(path.replace(/\/$/, ""));

/** A path of the tree, not a reader's own file or a pattern: one with a folder, or a source by its bare name. */
const looksLikeAFile =
  /^(?:[\w.-]+\/)+(?:[\w-]+(?:\.[\w-]+)*\.(?:ts|md|wgsl|json|py|h|c|txt|html|ya?ml|safetensors))?$|^[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:ts|wgsl|h|md)$/;
/** What examples call a reader's own files. */
const readersOwn =
  /^(?:mine|op|wgsl|fused|swiglu)(?:\.direction|\.forward)?\.(?:ts|wgsl|py)$|^runs\/|^\.\.\/shared|^dist\/|^\.github\/|\b(?:NAME|OP)\b/;

describe.each(pages)("%s", (page) => {
  const text = textOf(page);
  const from = (target: string): string => posix.normalize(posix.join(posix.dirname(page), target));

  test("its links lead somewhere", () => {
    const dead = linksOf(text).filter((target) => {
      if (/^https?:/.test(target)) return false;
      const [path, anchor] = target.split("#");
      const linked = path === "" ? page : from(path);
      if (!exists(linked)) return true;
      return anchor !== undefined && !anchorsOf(textOf(linked)).has(anchor);
    });
    expect(dead).toEqual([]);
  });

  test("the files and folders that it names are there", () => {
    const named = codeSpans(text).filter((span) => looksLikeAFile.test(span) && !readersOwn.test(span));
    const room = page.includes("/") && !page.startsWith("docs/") ? page.split("/")[0] : undefined;
    const inRoom = (path: string): boolean =>
      [...files].some((f) => f.startsWith(`${room}/`) && f.endsWith(`/${path}`));
    expect(named.filter((path) => !exists(path) && !exists(from(path)) && !inRoom(path))).toEqual([]);
  });

  test("the commands that it shows exist, with these options", () => {
    const shown = [...codeLines(text), ...codeSpans(text)].flatMap((line) =>
      [...line.matchAll(/(?:^|\s|\$ )touchstone ([a-z][^|#]*)/g)].map(([, command]) => command),
    );
    expect(shown.flatMap((command) => complaintsAbout(command))).toEqual([]);
  });

  test("the scripts that it runs are npm's", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
    const run = [...text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name]) => name);
    expect(run.filter((name) => !(name in scripts))).toEqual([]);
  });
});

const program = await commands();

async function commands(): Promise<Command> {
  const registered = new Command("touchstone");
  for (const name of readdirSync(join(root, "cli")).toSorted()) {
    if (!name.endsWith(".ts") || name === "index.ts") continue;
    const { register } = (await import(`../../cli/${name}`)) as { register?: (to: Command) => void };
    register?.(registered);
  }
  return registered;
}

/** What a line such as "check --op add --seed 1" names that no command has. */
function complaintsAbout(line: string): string[] {
  const words = line.replaceAll(/'[^']*'|"[^"]*"/g, "…").split(/\s+/);
  let command = program;
  for (const word of words) {
    const next = command.commands.find((c) => c.name() === word);
    if (next === undefined) break;
    command = next;
  }
  if (command === program) return [`there is no command ${words[0]}`];
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  return words
    .filter((word) => /^--[a-z]/.test(word))
    .map((word) => word.replace(/[=,.;:)].*$/, ""))
    .filter((word) => !known.has(word) && word !== "--help" && word !== "--version")
    .map((word) => `${command.name()} has no ${word}`);
}

test("every page belongs to the tree's documents", () => {
  expect(pages.length).toBeGreaterThan(15);
  expect(pages.map((page) => dirname(page))).toContain("docs");
});
