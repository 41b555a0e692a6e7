// The folder of a run, in which one process at a time writes:
//
//   FOLDER/checkpoint.safetensors, and FOLDER/tokenizer.model or tokenizer.bin, unless its tokens are bytes
//
// A checkpoint names its tokenizer by hash. A run that takes another's place puts its own tokenizer under a name of its own until its
// first checkpoint stands, so that at every moment the checkpoint in the folder has its tokenizer there.
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { sweep, writeAtomically } from "../formats/atomic.ts";
import { FormatError } from "../formats/error.ts";
import { makeFolder } from "../formats/folder.ts";
import { sha256Of } from "../formats/input.ts";
import { lockFolder } from "../formats/lock.ts";
import { readTokenizerBytes } from "../formats/tokenizer.ts";
import { hasCheckpoint, readPlan, type RunCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { tokenizerIn, tokenizerNames, type Vocabulary } from "./vocabulary.ts";

/** The tokenizer of a run whose first checkpoint is being written; empty where the tokens are bytes. */
const NEXT = ".touchstone-next-tokenizer";

/** A folder that is locked for a run. */
export interface RunFolder {
  /** What to tell people: that the lock of a process that has ended was taken over. */
  readonly note?: string;
  /**
   * Before the first step: throws FormatError if the folder holds another run, or another's tokenizer, unless `overwrite`; or
   * if it holds this run at a later step. `at` is the run as it begins here.
   */
  check(at: Pick<RunCheckpoint, "plan" | "step">, vocabulary: Vocabulary, overwrite: boolean): void;
  /** Replaces the checkpoint, whole or not at all, and at the first time the tokenizer with it. */
  save(checkpoint: RunCheckpoint, vocabulary: Vocabulary): void;
  close(): void;
}

/** Makes the folder, unless it exists, and locks it. Throws FormatError if another process holds it. */
export function openRunFolder(folder: string): RunFolder {
  makeFolder(folder);
  const { note, release } = lockFolder(folder, "train");
  let isFirst = true;
  try {
    sweep(folder);
    if (hasCheckpoint(folder)) settle(folder, hashInCheckpoint(folder));
    else rmSync(join(folder, NEXT), { force: true });
  } catch (error) {
    release();
    throw error;
  }
  return {
    ...(note === undefined ? {} : { note }),
    check: (at, vocabulary, overwrite) => {
      if (!overwrite) checkSameRun(folder, at);
      checkTokenizer(folder, vocabulary);
    },
    save: (checkpoint, vocabulary) => {
      if (isFirst) stage(folder, vocabulary);
      try {
        saveCheckpoint(folder, checkpoint);
      } catch (error) {
        settle(folder, hashInCheckpoint(folder)); // the earlier run is still there
        throw error;
      }
      if (isFirst) settle(folder, checkpoint.plan.tokenizer);
      isFirst = false;
    },
    close: release,
  };
}

/** The tokenizer of the run in a folder; undefined for bytes. Where there is no run, any tokenizer that lies there. */
export function tokenizerOfRun(folder: string): string | undefined {
  const there = hasCheckpoint(folder) ? planIn(folder) : undefined;
  if (there === undefined) return tokenizerIn(folder);
  const { tokenizer: hash } = there.plan;
  if (hash === undefined) return undefined;
  const paths = [...tokenizerNames, NEXT].map((name) => join(folder, name)).filter((path) => existsSync(path));
  return paths.find((path) => sha256Of(path) === hash) ?? paths[0];
}

function checkSameRun(folder: string, { plan, step }: Pick<RunCheckpoint, "plan" | "step">): void {
  if (!hasCheckpoint(folder)) return;
  const there = planIn(folder);
  if (there === undefined || !isDeepStrictEqual(there.plan, plan)) {
    throw new FormatError(folder, "holds another run's checkpoint, expected another --out, or --overwrite");
  }
  if (there.step > step) {
    const expected = `expected --resume ${folder}, another --out, or --overwrite`;
    throw new FormatError(folder, `holds this run at step ${there.step}, which is after step ${step}, ${expected}`);
  }
}

function planIn(folder: string): Pick<RunCheckpoint, "plan" | "step"> | undefined {
  try {
    return readPlan(folder);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** A tokenizer may go only with the run whose checkpoint names it. */
function checkTokenizer(folder: string, { file }: Vocabulary): void {
  const own = hashInCheckpoint(folder);
  if (file === undefined && own === undefined && hasCheckpoint(folder)) return; // bytes before and after
  for (const path of tokenizerNames.map((name) => join(folder, name)).filter((each) => existsSync(each))) {
    const hash = sha256Of(path);
    if (hash === file?.sha256 || hash === own) continue;
    throw new FormatError(path, "is another run's tokenizer, expected another --out for this run");
  }
}

function stage(folder: string, { file }: Vocabulary): void {
  const there = tokenizerIn(folder);
  if (
    file === undefined ? hashInCheckpoint(folder) === undefined : there !== undefined && sha256Of(there) === file.sha256
  )
    return;
  writeAtomically(join(folder, NEXT), (write) => write(file?.bytes ?? new Uint8Array()));
}

/** Once a checkpoint stands: its tokenizer, which may wait under its first name, gets its place. May be repeated. */
function settle(folder: string, hash: string | undefined): void {
  const next = join(folder, NEXT);
  if (!existsSync(next)) return;
  const bytes = readTokenizerBytes(next);
  const isIts = hash === undefined ? bytes.length === 0 : sha256Of(next) === hash;
  if (!isIts) return rmSync(next); // the earlier run's checkpoint is still there
  // A .model begins with a field and its length, a .bin with a small int32.
  const name = bytes[2] === 0 && bytes[3] === 0 ? "tokenizer.bin" : "tokenizer.model";
  for (const other of tokenizerNames)
    if (hash === undefined || other !== name) rmSync(join(folder, other), { force: true });
  if (hash === undefined) rmSync(next);
  else renameSync(next, join(folder, name));
}

/** The hash of the tokenizer in a folder's checkpoint; undefined for bytes, and where there is no checkpoint of a run. */
function hashInCheckpoint(folder: string): string | undefined {
  return hasCheckpoint(folder) ? planIn(folder)?.plan.tokenizer : undefined;
}
