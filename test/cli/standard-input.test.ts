// Standard input has no size before its end: it is read up to a limit, whatever feeds it.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cli } from "../command.ts";

const tokenizer = fileURLToPath(new URL("../../golden/models/small/tokenizer.model", import.meta.url));

/** Runs tokenize with a file, a device or a folder as its standard input. */
function tokenize(from: string): Promise<{ code: number | null; err: string }> {
  const input = openSync(from, "r");
  const child = spawn(process.execPath, [cli, "tokenize", "--tokenizer", tokenizer], {
    stdio: [input, "ignore", "pipe"],
  });
  closeSync(input);
  let err = "";
  child.stderr!.on("data", (text: Buffer) => (err += text.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, err })));
}

test("an endless one is refused as soon as it is too long", async ({ skip }) => {
  skip(process.platform === "win32", "there is no /dev/zero");
  const { code, err } = await tokenize("/dev/zero");
  expect([code, err]).toEqual([
    2,
    "touchstone: standard input: is longer than 8388608 bytes, expected a text, at most that long\n",
  ]);
});

test("a folder is not taken for an empty text", async ({ skip }) => {
  skip(process.platform === "win32", "a folder cannot be opened");
  const { code, err } = await tokenize(tmpdir());
  expect([code, err]).toEqual([2, "touchstone: standard input: is a folder, expected a text\n"]);
});
