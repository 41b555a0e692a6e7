// Small input, small cost: every reader reads small hostile files in one process whose memory stays small.
// test/campaigns/readers-memory.ts does the same with files of 16 MiB, each in a process of its own.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { hostileFiles } from "./hostile-files.ts";

/** Bytes of each file that is not sparse. */
const SIZE = 2 ** 20;
/** MiB of objects, which V8 then refuses to exceed; a dictionary for each byte of a file, or a hundred thousand layers, would. */
const HEAP = 256;
/** MiB beyond the process itself, with the files that it makes. */
const MOST = 512;

test("no small file costs more than a small multiple of its bytes", (context) => {
  if (process.platform !== "linux") context.skip("the peak is read from /proc");
  const child = fileURLToPath(new URL("hostile-child.ts", import.meta.url));
  const args = [`--max-old-space-size=${HEAP}`, "--import", "tsx", child, String(SIZE)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const [first, ...rest] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { name: string; peak: number; message: string });
  expect([status, stderr]).toEqual([0, ""]);
  expect(rest.length).toBeGreaterThan(hostileFiles.length - 5);
  const above = rest.find(({ peak }) => peak - first.peak > MOST);
  expect(above).toBeUndefined();
  for (const { message } of rest) expect(message).toMatch(/^(read|(FormatError|UserError): \S.*)$/);
});
