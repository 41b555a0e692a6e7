// The public names and their types, as a committed file: whatever changes in them is seen, and said in CHANGELOG.md.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { declarationsOf, entries } from "./declarations.ts";

const build = dirname(dirname(inject("cli")));
const path = new URL("public.txt", import.meta.url);
const packageName = (entry: string): string => (entry === "index" ? "touchstone-llama" : `touchstone-llama/${entry}`);

function snapshot(): string {
  const sections = entries.map((entry) => {
    const lines = declarationsOf(build, entry).map(({ name, text }) => `${name}\n  ${text}\n`);
    return `# ${packageName(entry)}\n\n${lines.join("\n")}`;
  });
  return sections.join("\n");
}

test("the public names and types are those of test/api/public.txt", () => {
  const made = snapshot();
  if (process.env["TOUCHSTONE_UPDATE_API"] === "1") writeFileSync(path, made);
  const committed = readFileSync(path, "utf8");
  const [before, after] = [new Set(committed.split("\n")), new Set(made.split("\n"))];
  const gone = [...before].filter((line) => !after.has(line)).map((line) => `- ${line.trim()}`);
  const fresh = [...after].filter((line) => !before.has(line)).map((line) => `+ ${line.trim()}`);
  const what = [...gone, ...fresh].join("\n");
  expect(
    what,
    "the public face has changed: say so in CHANGELOG.md, then TOUCHSTONE_UPDATE_API=1 npx vitest run test/api/names.test.ts",
  ).toBe("");
});

describe.each(entries)("%s.ts", (entry) => {
  test("each name has a comment, and an example unless it stands in a namespace", () => {
    const declarations = declarationsOf(build, entry);
    expect(declarations.length).toBeGreaterThan(1);
    const silent = declarations.filter(({ comment, text }) => comment === "" && !text.startsWith("namespace "));
    expect(silent.map(({ name }) => name)).toEqual([]);

    const bare = declarations.filter(({ name, comment }) => !name.includes(".") && !comment.includes("```ts"));
    expect(bare.map(({ name }) => name)).toEqual([]);
  });
});
