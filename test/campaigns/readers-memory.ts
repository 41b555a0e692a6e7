// How much memory and time every reader takes for small hostile files: each in a process of its own, against an empty file.
//
//   npm run campaign:readers
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LARGEST_DECOMPRESSED } from "../../formats/text.ts";
import { hostileFiles, type Reader } from "../formats/hostile-files.ts";
import { peakOfProcess, readFile } from "../formats/hostile-reader.ts";
import { script } from "../script.ts";

/** Bytes of a hostile file, unless it is sparse. */
const SIZE = 2 ** 24 - 2 ** 10;
const MIB = 2 ** 20;
/** What a reader may take besides the text itself, in MiB, and for each byte of the file. */
const ALLOWED = 200;
const PER_BYTE = 8;

interface Measured {
  readonly peak: number;
  readonly seconds: number;
  readonly message: string;
}

async function child(reader: Reader, path: string): Promise<void> {
  const start = performance.now();
  const message = await readFile(reader, path);
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(JSON.stringify({ peak: peakOfProcess(), seconds, message } satisfies Measured));
}

function measure(reader: Reader, path: string): Measured {
  const self = fileURLToPath(import.meta.url);
  const args = ["--import", "tsx", self, reader, path];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 300_000 });
  if (status === 0) return JSON.parse(stdout) as Measured;
  return { peak: Infinity, seconds: Infinity, message: `ended with ${status}: ${stderr.trim().split("\n").at(-1)}` };
}

function campaign(only: string | undefined): void {
  const base = new Map<Reader, number>();
  let failures = 0;
  for (const { name, reader, file, write } of hostileFiles) {
    if (only !== undefined && !name.includes(only)) continue;
    const folder = mkdtempSync(join(tmpdir(), "touchstone-hostile-"));
    const path = join(folder, file);
    if (!base.has(reader)) {
      writeFileSync(path, "");
      base.set(reader, measure(reader, path).peak);
      rmSync(path);
    }
    write(path, SIZE);
    const bytes = readdirSync(folder).reduce((sum, one) => sum + 512 * statSync(join(folder, one)).blocks, 0);
    const { peak, seconds, message } = measure(reader, path);
    const extra = peak - base.get(reader)!;
    const held = reader === "text" || reader === "documents" ? LARGEST_DECOMPRESSED / MIB : 0;
    const passed = extra <= ALLOWED + held + (PER_BYTE * bytes) / MIB;
    if (!passed) failures++;
    const figures = `${(bytes / MIB).toFixed(1)} MiB on disk, ${extra.toFixed(0)} MiB, ${seconds.toFixed(1)} s`;
    console.log(
      `${passed ? "    " : "FAIL"} ${name}: ${figures}\n       ${message.replaceAll(dirname(path), "").slice(0, 200)}`,
    );
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(failures === 0 ? "all within their limits" : `${failures} above their limits`);
  process.exitCode = failures === 0 ? 0 : 1;
}

const [reader, path] = script("campaign:readers", "The memory that readers take for hostile files.")
  .argument("[reader]", "one of them alone")
  .argument("[file]", "one file alone, in this process")
  .parse().processedArgs as [string | undefined, string | undefined];
if (path === undefined) campaign(reader);
else await child(reader as Reader, path);
