// Whatever a command prints goes through cli/output.ts, which escapes it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printable, printableJson, printableText } from "../../formats/printable.ts";
import { root } from "../command.ts";

const rooms = ["cli", "formats", "golden", "judge", "kernels-gpu", "reference", "trace", "training", "zoo"];
const entries = ["index.ts", "node.ts", "vitest.ts", "webgpu.ts"];
// npm run lint:wgsl prints names of this repository's own files.
const script = join("kernels-gpu", "device", "lint.ts");
const door = join("cli", "output.ts");

const sources = [
  ...entries,
  ...rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .map((path) => join(room, path)),
  ),
];
const writes = /\bstd(?:out|err)\s*\.\s*write\b|\bconsole\s*\.|writeSync\(\s*[12]\s*,/;

/** The lines of a source that write to standard output or standard error. Those of comments are examples. */
function writing(path: string): string[] {
  const lines = readFileSync(join(root, path), "utf8").split("\n");
  return lines.filter((line) => writes.test(line) && !/^\s*(?:\*|\/\/)/.test(line));
}

test("the door writes", () => {
  expect(writing(door).length).toBeGreaterThan(0);
});

test("nothing else writes to standard output or standard error", () => {
  const others = sources.filter((path) => path !== door && path !== script);
  expect(others.flatMap((path) => writing(path).map((line) => `${path}: ${line.trim()}`))).toEqual([]);
});

const hostile = [
  ["a sequence", "\x1b[2J", "\\u001b[2J"],
  ["a title", "\x1b]0;pwned\x07", "\\u001b]0;pwned\\u0007"],
  ["a sequence of one byte", "\x9b31m", "\\u009b31m"],
  ["a return", "FAIL\rpass", "FAIL\\u000dpass"],
  ["a line", "a\npass", "a\\u000apass"],
  ["other ends of a line", "\v\f\x85\u2028\u2029", "\\u000b\\u000c\\u0085\\u2028\\u2029"],
  ["a backspace and DEL", "\b\x7f", "\\u0008\\u007f"],
  ["text that runs backwards", "\u202e\u2066\u2069\u200f\u061c", "\\u202e\\u2066\\u2069\\u200f\\u061c"],
  ["what is not seen", "a\u200bb\ufeffc\u00add\u2060", "a\\u200bb\\ufeffc\\u00add\\u2060"],
  ["a tag", "\u{e0041}", "\\u{e0041}"],
  ["half a character", "\ud800x", "\\ud800x"],
] as const;

test.each(hostile)("%s is shown as an escape", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
  expect(printable(shown)).toBe(shown);
});

test("letters, marks and emoji stay", () => {
  for (const text of ["Größe ÷ 2 → α", "日本語", "नमस्ते", "ﷺ", "👍🏽", "layers.0.wq", "C:\\x"])
    expect(printable(text)).toBe(text);
});

test.each(hostile)("%s in JSON is an escape of the same value", (_, text) => {
  const json = printableJson(JSON.stringify({ [text]: [text] }, undefined, 2));
  expect(JSON.parse(json)).toEqual({ [text]: [text] });
  expect(printable(json.replaceAll("\n", ""))).toBe(json.replaceAll("\n", ""));
});

test("prose keeps its lines, tabs and joiners, and loses the rest", () => {
  expect(printableText("a\n\tb\u200d\u200c")).toBe("a\n\tb\u200d\u200c");
  expect(printableText("a\r\n\x1b[2J\u202e\x9b")).toBe("a\\u000d\n\\u001b[2J\\u202e\\u009b");
});
