// Standard output that nobody reads to its end, and one that has no room.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cli, root } from "../command.ts";

/** The command in a process of its own, with what a shell does to its standard output. */
function touchstone(args: string, redirection: string): Promise<{ status: number | null; stderr: string }> {
  const command = `"$0" ${cli} ${args}; echo "status $?" >&2`;
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", `{ ${command}; } ${redirection}`, process.execPath], { cwd: root });
    let said = "";
    child.stdout.resume();
    child.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
    child.on("close", () => {
      const [whole, status] = /status (\d+)\n$/.exec(said) ?? [];
      resolve({ status: status === undefined ? null : Number(status), stderr: said.slice(0, -(whole?.length ?? 0)) });
    });
  });
}

const commands = [
  "ops",
  "ops attention.forward",
  "plan --model 7B --gpus 8 --gpu a100-80gb --batch-tokens 4M --tokens 1T",
];

describe.each(commands)("touchstone %s", (args) => {
  test("into a pipe that nobody reads says nothing of it", async () => {
    expect(await touchstone(args, "| true")).toEqual({ status: 0, stderr: "" });
  });

  test.skipIf(!existsSync("/dev/full"))("onto a full disk is one line and exit status 2", async () => {
    const { status, stderr } = await touchstone(args, "> /dev/full");
    expect(stderr).toMatch(
      /^touchstone: standard output: cannot be written, no space left on device \(ENOSPC\), expected room for it\n$/,
    );
    expect(status).toBe(2);
  });
});
