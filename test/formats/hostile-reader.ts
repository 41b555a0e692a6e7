// Reads a file as the project's readers do, whatever comes of it.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { openCheckpoint } from "../../formats/checkpoint.ts";
import { openSafetensors } from "../../formats/safetensors.ts";
import { readTextBytes } from "../../formats/text.ts";
import { readTokenizer } from "../../formats/tokenizer.ts";
import { readFixture } from "../../golden/fixtures/read.ts";
import { readManifest } from "../../golden/fixtures/manifest.ts";
import { openRecording } from "../../trace/recording.ts";
import { readTraceInput } from "../../trace/input.ts";
import { openDocuments } from "../../training/documents.ts";
import { readMixture } from "../../training/mixture.ts";
import { readTasks } from "../../training/tasks.ts";
import { chooseTarget } from "../../cli/terms.ts";
import type { Reader } from "./hostile-files.ts";

const readers: Readonly<Record<Reader, (path: string) => unknown>> = {
  checkpoint: async (path) => {
    const opened = await openCheckpoint(path.endsWith(".pth") ? dirname(path) : path);
    opened.close();
  },
  safetensors: (path) => openSafetensors(path).close(),
  recording: (path) => {
    openRecording(path).close();
    readTraceInput(path);
  },
  fixture: readFixture,
  tokenizer: readTokenizer,
  text: readTextBytes,
  documents: (path) => openDocuments({ paths: [dirname(path)] }),
  tasks: readTasks,
  mixture: readMixture,
  target: chooseTarget,
  manifest: (path) => readManifest(dirname(path)),
};

/** What the reader says of the file: the message of its error, or "read". */
export async function readFile(reader: Reader, path: string): Promise<string> {
  try {
    await readers[reader](path);
    return "read";
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

/** The most memory that this process has held, in MiB. From Linux, because what resourceUsage says begins with the parent's. */
export function peakOfProcess(): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}
