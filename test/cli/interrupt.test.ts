// Ctrl-C in the middle of a command leaves nothing half made.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
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

describe("a second signal", () => {
  const signals = pathToFileURL(join(dirname(cli), "signals.js")).href;
  const program = (body: string): string[] => [
    "--input-type=module",
    "-e",
    `
    import { catchSignals } from ${JSON.stringify(signals)};
    const { stopped } = catchSignals();
    const compute = (ms) => { for (const end = Date.now() + ms; Date.now() < end; ); };
    ${body}`,
  ];

  test("that comes in the same stretch of computing as the first ends the process after it", async () => {
    const body = `
      for (let i = 0; i < 2; i++) process.kill(process.pid, "SIGINT");
      compute(50);
      await new Promise((resolve) => setTimeout(resolve, 60_000));`;
    expect(await endOf(spawn(process.execPath, program(body)))).toEqual([null, "SIGINT"]);
  });

  test("ends a computation in its middle", async () => {
    const body = `
      process.kill(process.pid, "SIGTERM");
      while (!stopped()) await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      console.log("computing");
      compute(60_000);`;
    const child = spawn(process.execPath, program(body));
    child.stdout.once("data", () => child.kill("SIGTERM"));
    expect(await endOf(child)).toEqual([null, "SIGTERM"]);
  });

  test(
    "of train in a long step comes through: the step looks at signals between blocks",
    { timeout: 60_000 },
    async () => {
      const args = ["train", "--config", "small", "--batch-size", "16", "--sequence-length", "256", "--steps", "1"];
      const child = spawn(process.execPath, [cli, ...args], { cwd: root });
      child.stdout.on("data", (piece: Buffer) => {
        if (!piece.toString().includes("nothing is kept")) return;
        setTimeout(() => child.kill("SIGINT"), 500);
        setTimeout(() => child.kill("SIGINT"), 600);
      });
      expect(await endOf(child)).toEqual([null, "SIGINT"]);
    },
  );
});

function endOf(child: ChildProcess): Promise<[number | null, string | null]> {
  return new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
}
