// No file of the tree names the machine that it was written on: absolute paths of people's folders, registries, and where a
// lock file's packages were fetched from.
import { expect, test } from "vitest";
import { filesOfTree, textOf } from "./markdown.ts";

const paths = filesOfTree();
const isText = (text: string): boolean => !text.includes("\0");

/** Lines of the texts of the tree that match, with their places. */
function linesWith(pattern: RegExp): string[] {
  return paths.flatMap((path) => {
    const text = textOf(path);
    if (!isText(text)) return [];
    return text.split("\n").flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : []));
  });
}

test("absolute paths of somebody's machine", () => {
  const folders = /(?<![\w.~-])\/(?:work|home|root|mnt|srv|Users|private)\/\w|\b[A-Z]:\\+Users\b/;
  expect(folders.test("in /home/someone/touchstone")).toBe(true);
  expect(linesWith(folders).filter((line) => !line.startsWith("test/docs/machines.test.ts"))).toEqual([]);
});

test("hosts of registries and of local servers", () => {
  const hosts = /\bregistry\.[a-z]|\bnpmjs\.|\bpypi\.org|\b(?:127\.0\.0\.1|localhost):\d/;
  expect(hosts.test("https://registry.example.org")).toBe(true);
  expect(linesWith(hosts).filter((line) => !line.startsWith("test/docs/machines.test.ts"))).toEqual([]);
});

test("a lock file says what a package is, not where it was fetched", () => {
  const locks = paths.filter((path) => path.endsWith("package-lock.json"));
  expect(locks.length).toBeGreaterThan(0);
  for (const path of locks) {
    const { packages } = JSON.parse(textOf(path)) as { packages: Record<string, { resolved?: string }> };
    expect(Object.keys(packages).length).toBeGreaterThan(1);
    expect(
      Object.entries(packages)
        .filter(([, { resolved }]) => resolved !== undefined)
        .map(([name]) => name),
      path,
    ).toEqual([]);
  }
});
