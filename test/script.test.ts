// What `npm run` starts says how it is used, and refuses what it does not know, in one line each.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const programs = Object.values(scripts).flatMap((line) => /\btsx (\S+\.ts)$/.exec(line)?.[1] ?? []);

test("every program of package.json reads its command line by commander, in strict mode", () => {
  expect(programs.length).toBeGreaterThan(20);
  const others = programs.filter((file) => {
    const text = readFileSync(`${root}/${file}`, "utf8");
    return !/\bscript\(\s*"|new Command\("/.test(text) || !/\.parse\(\)|program\(\)/.test(text);
  });
  expect(others.filter((file) => file !== "cli/index.ts")).toEqual([]);
});

test.each([
  ["--help", 0, /^Usage: npm run campaign:seeds -- \[options\] \[runs\]\n/, /^$/],
  ["--wrong", 2, /^$/, /^campaign:seeds: --wrong: [^\n]*\n$/],
  ["many", 2, /^$/, /^campaign:seeds: runs many: expected a whole number of at least 1\n$/],
] as const)("campaign:seeds %s ends with status %i", (word, code, out, err) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "test/campaigns/seeds.ts", word], {
    cwd: root,
    encoding: "utf8",
  });
  expect([status, stdout, stderr]).toEqual([code, expect.stringMatching(out), expect.stringMatching(err)]);
});
