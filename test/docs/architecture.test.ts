// ARCHITECTURE.md's rooms and arrows are those that test/arrows.test.ts holds the imports against.
import { expect, test } from "vitest";
import { textOf } from "./markdown.ts";

test("the table of rooms is the table of arrows", () => {
  const [, arrows] = /const arrows[^{]*=\s*\{\n([\s\S]*?)\n\};/.exec(textOf("test/arrows.test.ts"))!;
  const tested = [...arrows.matchAll(/^ {2}"?([\w-]+)"?: \[([^\]]*)\]/gm)].map(([, room, below]) => [
    room,
    [...below.matchAll(/"([\w-]+)"/g)].map(([, name]) => name),
  ]);
  const [, section] = textOf("ARCHITECTURE.md").split("## Rooms and arrows");
  const documented = [...section.matchAll(/^\| `([\w-]+)` +\|[^|]*\|([^|]*)\|$/gm)].map(([, room, below]) => [
    room,
    [...below.matchAll(/`([\w-]+)`/g)].map(([, name]) => name),
  ]);
  expect(documented.length).toBeGreaterThan(5);
  expect(documented).toEqual(tested);
});
