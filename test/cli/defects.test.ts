// What a defect of the program itself ends with: exit status 3, a line, and no status that speaks of a kernel.
import { spawn } from "node:child_process";
import { expect, test, vi } from "vitest";
import { report } from "../../cli/program.ts";
import { cli, touchstone } from "../command.ts";

/** A command in a process that does this first. */
function after(script: string, args: readonly string[]) {
  const url = `data:text/javascript,${encodeURIComponent(script).replaceAll("'", "%27")}`;
  return touchstone(args, { before: `export NODE_OPTIONS="--import ${url}";` });
}

/** Does this when the command has begun. */
const onceItRuns = (what: string): string => `
  const timer = setInterval(() => {
    if (process.listenerCount("uncaughtException") === 0) return;
    clearInterval(timer);
    ${what}
  }, 20);`;

test.each([
  ["a rejection that nobody sees", "Promise.reject(new Error('stray'))", /^touchstone: internal error: Error: stray$/m],
  ["a rejection with nothing", "Promise.reject(null)", /^touchstone: internal error: /m],
  [
    "an error that nobody catches",
    "throw new TypeError('a\\n\\x1b[2Jb')",
    /^touchstone: internal error: TypeError: a\\u000a\\u001b\[2Jb$/m,
  ],
  ["a thrown string", "throw 'words'", /^touchstone: internal error: 'words' was thrown$/m],
])("%s is status 3", async (_, what, says) => {
  const { code, err } = await after(onceItRuns(what), ["train", "--steps", "100000"]);
  expect(err).toMatch(says);
  expect(code).toBe(3);
});

test("a promise that never settles is status 3", async () => {
  const { code, err } = await after("process.stdout.write = () => true", [
    "generate",
    "--prompt",
    "a",
    "--tokens",
    "1",
  ]);
  expect(err).toMatch(/^touchstone: internal error: nothing is left that the command could wait for$/m);
  expect(code).toBe(3);
});

test("an error of the operating system that no reader knows is one line and status 2", () => {
  const said = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  const error = Object.assign(new Error("ENOSPC: no space left on device, mkdtemp '/tmp/x'"), {
    errno: -28,
    code: "ENOSPC",
    syscall: "mkdtemp",
    path: "/tmp/x",
  });
  const status = report(error);
  const lines = said.mock.calls.map(([line]) => line);
  said.mockRestore();
  expect(lines).toEqual([
    "touchstone: /tmp/x: mkdtemp fails, no space left on device (ENOSPC), expected it to succeed\n",
  ]);
  expect(status).toBe(2);
});

test("standard error that nobody reads changes no status", async () => {
  const args = [cli, "check", "--op", "add.forward", "--runs", "1", "--seed", "1"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  child.stderr.destroy();
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
});
