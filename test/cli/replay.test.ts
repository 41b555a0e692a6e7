// A finding of `touchstone check` prints a line that shows it again, and exits alike.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone replay "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** y = a + b, and a little of the next element: outside the bound only where a and b cancel. */
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

const once = ["check", "--op", "add.forward", "--runs", "1", "--seed", "3"];

test("a relation that fails is replayed, fails again, and holds of a kernel that is right", async () => {
  const leaking = kernel("it's leaking.mjs", 2 ** -26);
  const { out, code } = await inProcess([...once, "--kernel", leaking]);
  expect(code).toBe(1);
  expect(out).toMatch(/\n1 of 1 kernel failed, 1 of them by numbers outside the bounds: add\.forward\n$/);
  const line = /--replay '(add\.forward [^']*, the rest of N)' --kernel '(.*)'\n/.exec(out);
  expect(line, out).not.toBeNull();
  expect(line![2]).toBe(leaking.replace("'", String.raw`'\''`));
  const again = await inProcess(["check", "--replay", line![1], "--kernel", leaking]);
  expect(again.out).toMatch(/broken: add\.forward .*, the rest of N: y\[\d+\]: \S+ became \S+\nFAIL\n$/);
  expect(again.code).toBe(1);
  const right = await inProcess(["check", "--replay", line![1], "--kernel", kernel("right.mjs", 0)]);
  expect(right.out).toMatch(/it holds\npass\n$/);
  expect(right.code).toBe(0);
});

test("the line names every option that the verdict depends on", async () => {
  const path = kernel("wrong.mjs", 1);
  const options = ["--adapter", "software", "--timeout", "9", "--dtype", "bfloat16", "--target", "cuda", "--bitwise"];
  const { out } = await inProcess([...once, "--kernel", path, ...options]);
  const theirs = ` --adapter software --kernel '${path}' --timeout 9 --dtype bfloat16 --target 'cuda' --bitwise\n`;
  expect(out).toMatch(/\n {2}touchstone check --replay 'add\.forward N=[^']*'/);
  for (const [line] of out.matchAll(/^ {2}touchstone check .*\n/gm)) expect(line.endsWith(theirs)).toBe(true);
});

test("one kernel that is right is one kernel", async () => {
  const { out, err, code } = await inProcess([...once, "--kernel", kernel("right.mjs", 0)]);
  expect(out).toMatch(/\n1 kernel within its bound, \d+ elements judged\n$/);
  expect(err).toMatch(/^\[1\/1\] pass add\.forward, \d+ cases$/m);
  expect(code).toBe(0);
});

test("a relation that the op has not, or at another profile, is bad input", async () => {
  const path = kernel("right.mjs", 0);
  const replay = (line: string) => inProcess(["check", "--replay", line, "--kernel", path]);
  const unknown = await replay("add.forward N=3 profile=unit seed=1, later tokens");
  expect(unknown.err).toMatch(/has no relation "later tokens", expected one of "the rest of N"/);
  expect(unknown.code).toBe(2);
  const lattice = await replay("add.forward N=3 profile=lattice seed=1, the rest of N");
  expect(lattice.err).toMatch(/profile is lattice, expected unit/);
  expect(lattice.code).toBe(2);
});
