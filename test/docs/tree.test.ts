// What the documents promise of the tree: long files have their reason, rooms have a README, the package carries its documents.
import { execFileSync } from "node:child_process";
import { basename, dirname } from "node:path";
import { expect, test } from "vitest";
import { codeSpans, filesOfTree, pages, textOf } from "./markdown.ts";
import { root } from "./page.ts";

const LONGEST = 300;

/** The files that a README gives a reason for, by their paths. */
function explained(readme: string): string[] {
  const paragraphs = textOf(readme)
    .split(/\n\n|\n- /)
    .filter((text) => /longer than 300 lines/.test(text));
  const folder = readme.includes("/") ? `${dirname(readme)}/` : "";
  const names = paragraphs.flatMap((text) => [...text.matchAll(/`([^`]+\.\w+)`/g)].map(([, name]) => name));
  return names.map((name) => (name.startsWith(folder) ? name : folder + name));
}

test(`a source above ${LONGEST} lines has its reason in a README of its folders, and no other has one`, () => {
  const sources = filesOfTree().filter((path) => /\.(ts|py|h|c|wgsl)$/.test(path));
  const long = sources.filter((path) => textOf(path).trimEnd().split("\n").length > LONGEST);
  const reasons = pages.filter((page) => page.endsWith("README.md")).flatMap((readme) => explained(readme));
  expect(reasons.toSorted()).toEqual(long.toSorted());
});

const rooms = [
  ...new Set(
    filesOfTree()
      .filter((path) => path.endsWith(".ts") && path.includes("/"))
      .map((path) => path.split("/")[0]),
  ),
].filter((folder) => folder !== "test" && folder !== "examples");

test("every room has a README", () => {
  expect(rooms.filter((room) => !pages.includes(`${room}/README.md`))).toEqual([]);
});

test("a room's README names each of its files; of files that every op has, some", () => {
  const sources = filesOfTree().filter((path) => path.endsWith(".ts"));
  const stems = new Set(
    sources.filter((path) => /^reference\/ops\/[a-z-]+\.ts$/.test(path)).map((path) => basename(path)),
  );
  const unnamed = rooms.flatMap((room) => {
    const named = codeSpans(textOf(`${room}/README.md`)).map((span) => span.replace(`${room}/`, ""));
    const isNamed = (name: string): boolean =>
      named.includes(name) ||
      named.some(
        (span) => span.includes("*") && new RegExp(`^${span.replaceAll(".", "\\.").replaceAll("*", ".*")}$`).test(name),
      );
    const own = sources.filter((path) => dirname(path) === room).map((path) => basename(path));
    return own.filter((name) => !isNamed(name) && !stems.has(name)).map((name) => `${room}/${name}`);
  });
  expect(unnamed).toEqual([]);
});

test("the number of fixtures is that of the suite", () => {
  const { length } = filesOfTree().filter((path) => /^golden\/fixtures\/suite\/.*\.safetensors$/.test(path));
  expect(textOf("README.md")).toContain(`${length} small fixtures`);
  expect(textOf("docs/fixtures.md")).toContain(`${length} small ones`);
});

test("the package carries every document", () => {
  const listing = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
    cwd: root,
    encoding: "utf8",
  });
  const [{ files }] = JSON.parse(listing) as [{ files: readonly { path: string }[] }];
  const packed = new Set(files.map(({ path }) => path));
  expect(pages.filter((page) => !packed.has(page))).toEqual([]);
});

test("repository, homepage and bugs are of one place, which nothing else repeats", () => {
  const { repository, homepage, bugs } = JSON.parse(textOf("package.json")) as {
    repository: { url: string };
    homepage: string;
    bugs: { url: string };
  };
  const place = homepage.replace(/#readme$/, "");
  expect([repository.url, bugs.url]).toEqual([`git+${place}.git`, `${place}/issues`]);
  const sources = filesOfTree().filter(
    (path) => /\.(md|ts|json|ya?ml|py|h|html)$/.test(path) && path !== "package.json",
  );
  expect(sources.filter((path) => textOf(path).includes(place))).toEqual([]);
});
