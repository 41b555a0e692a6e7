// A finding of `touchstone check` prints a line that shows it again, and exits alike.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cli } from "../command.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone replay "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function touchstone(words: readonly string[]) {
  return spawnSync(process.execPath, [cli, ...words], { encoding: "utf8" });
}

/** y = a + b, and a little of the next element: far inside the bound. */
function kernel(name: string, leak: number): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    `export default async ({ a, b }) => ({
      y: { shape: a.shape, data: a.data.map((x, i) => x + b.data[i] + ${leak} * (a.data[i + 1] ?? 0)) },
    });\n`,
  );
  return path;
}

test("a relation that fails is replayed, fails again, and holds of a kernel that is right", { timeout: 60_000 }, () => {
  const leaking = kernel("it's leaking.mjs", 2 ** -26);
  const { stdout, status } = touchstone([
    "check",
    "--op",
    "add.forward",
    "--kernel",
    leaking,
    "--runs",
    "1",
    "--seed",
    "3",
  ]);
  expect(status).toBe(1);
  const line = /--replay '(add\.forward [^']*, the rest of N)' --kernel '(.*)'\n/.exec(stdout);
  expect(line, stdout).not.toBeNull();
  expect(line![2]).toBe(leaking.replace("'", String.raw`'\''`));
  const again = touchstone(["check", "--replay", line![1], "--kernel", leaking]);
  expect(again.stdout).toMatch(/broken: add\.forward .*, the rest of N: y\[\d+\]: \S+ became \S+\nFAIL\n$/);
  expect(again.status).toBe(1);
  const right = touchstone(["check", "--replay", line![1], "--kernel", kernel("right.mjs", 0)]);
  expect(right.stdout).toMatch(/it holds\npass\n$/);
  expect(right.status).toBe(0);
});

test("a relation that the op has not, or at another profile, is told", { timeout: 60_000 }, () => {
  const path = kernel("right.mjs", 0);
  const unknown = touchstone([
    "check",
    "--replay",
    "add.forward N=3 profile=unit seed=1, later tokens",
    "--kernel",
    path,
  ]);
  expect(unknown.stderr).toMatch(/has no relation "later tokens", expected one of "the rest of N"/);
  expect(unknown.status).toBe(2);
  const lattice = touchstone([
    "check",
    "--replay",
    "add.forward N=3 profile=lattice seed=1, the rest of N",
    "--kernel",
    path,
  ]);
  expect(lattice.stderr).toMatch(/profile is lattice/);
  expect(lattice.status).toBe(2);
});
