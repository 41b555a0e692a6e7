// Ctrl-C in the middle of a command leaves nothing half made.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cli, root } from "../command.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-interrupt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("golden generate, once it writes: one line, exit status 130, and no folder", { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [cli, "golden", "generate", "--out", join(folder, "suite")], { cwd: root });
  let err = "";
  child.stderr.on("data", (piece: Buffer) => (err += piece.toString()));
  const ended = new Promise((resolve) => child.on("close", resolve));
  while (child.exitCode === null && readdirSync(folder).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(err).toBe(`interrupted: ${join(folder, "suite")} is as it was\n`);
  expect(existsSync(join(folder, "suite"))).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});
