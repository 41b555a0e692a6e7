// The process of test/formats/memory.test.ts: reads one hostile file after another, and prints the peak after each.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostileFiles } from "./hostile-files.ts";
import { peakOfProcess, readFile } from "./hostile-reader.ts";

const bytes = Number(process.argv[2]);
process.stdout.write(`${JSON.stringify({ name: "nothing", peak: peakOfProcess(), message: "" })}\n`);
for (const { name, reader, file, write } of hostileFiles) {
  if (reader === "text" || reader === "documents") continue; // they may hold a text of 256 MiB: the campaign measures them
  const folder = mkdtempSync(join(tmpdir(), "touchstone-hostile-"));
  write(join(folder, file), bytes);
  const message = await readFile(reader, join(folder, file));
  process.stdout.write(`${JSON.stringify({ name, peak: peakOfProcess(), message })}\n`);
  rmSync(folder, { recursive: true });
}
