// A run's folder: one process writes to it, no other run's checkpoint is lost, and a checkpoint has its tokenizer at every moment.
import { paperHyperparameters } from "../../reference/training/hyperparameters.ts";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_MODEL } from "../../cli/model.ts";
import { LOCK } from "../../formats/lock.ts";
import { thisProcess } from "../../formats/owner.ts";
import { presets } from "../../reference/config.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { checkpointPath, loadCheckpoint, type RunCheckpoint, saveCheckpoint } from "../../training/checkpoint.ts";
import { openRunFolder, tokenizerOfRun } from "../../training/run-folder.ts";
import { openVocabulary, type Vocabulary } from "../../training/vocabulary.ts";
import { inProcess } from "../cli/in-process.ts";

const bytes = openVocabulary(undefined);
const model = openVocabulary(join(DEFAULT_MODEL, "../tokenizer.model"));
const changed = Uint8Array.from([...model.file!.bytes, 0]);
const other: Vocabulary = {
  tokenizer: model.tokenizer,
  file: { path: "other.model", sha256: createHash("sha256").update(changed).digest("hex"), bytes: changed },
};
const NEXT = ".touchstone-next-tokenizer";

let parent: string;
let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "touchstone-run-"));
  folder = join(parent, "run");
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const config = { ...presets.tiny, dim: 8, nHeads: 2, nKvHeads: 1, ffnDim: 8, nLayers: 1, vocabSize: 259 };
const hyperparameters = {
  learningRate: 0.01,
  warmupSteps: 1,
  totalSteps: 9,
  ...paperHyperparameters,
};

function runOf(seed: number, step: number, { file }: Vocabulary = bytes): RunCheckpoint {
  const plan = { config, hyperparameters, batchSize: 2, microBatches: 1, sequenceLength: 8, seed, text: "a text" };
  const state = initialState(initialWeights(config, seed, Float32Array));
  return { plan: { ...plan, ...(file && { tokenizer: file.sha256 }) }, step, state };
}

/** Writes a run's first checkpoint, as `train` does. */
function begin(checkpoint: RunCheckpoint, vocabulary: Vocabulary, overwrite = false): void {
  const opened = openRunFolder(folder);
  try {
    opened.check(checkpoint, vocabulary, overwrite);
    opened.save(checkpoint, vocabulary);
  } finally {
    opened.close();
  }
}

const tokenizerThere = (): Buffer | undefined => {
  const path = tokenizerOfRun(folder);
  return path === undefined ? undefined : readFileSync(path);
};

describe("another run's checkpoint", () => {
  test("is not replaced by a run that continues elsewhere, but by its own and with --overwrite", () => {
    begin(runOf(1, 4), bytes);
    begin(runOf(1, 4), bytes);
    begin(runOf(1, 6), bytes);
    expect(() => begin(runOf(1, 5), bytes)).toThrow(
      `${folder}: holds this run at step 6, which is after step 5, expected --resume ${folder}, another --out, or --overwrite`,
    );
    expect(() => begin(runOf(2, 8), bytes)).toThrow(
      `${folder}: holds another run's checkpoint, expected another --out`,
    );
    expect(loadCheckpoint(folder).step).toBe(6);
    begin(runOf(2, 1), bytes, true);
    expect(loadCheckpoint(folder).plan.seed).toBe(2);
  });

  test("nor is a file of that name that is no checkpoint of a run", () => {
    mkdirSync(folder);
    writeFileSync(checkpointPath(folder), "mine");
    expect(() => begin(runOf(1, 4), bytes)).toThrow("holds another run's checkpoint");
    expect(readFileSync(checkpointPath(folder), "utf8")).toBe("mine");
  });

  test("train --resume A --out B refuses in one line; B as a link to A is A", async () => {
    const [a, b, link] = ["a", "b", "link"].map((name) => join(parent, name));
    const text = join(parent, "text");
    writeFileSync(text, "a quick brown fox ".repeat(40));
    const train = (...args: string[]) =>
      inProcess(["train", "--text", text, "--steps", "2", "--batch-size", "1", "--sequence-length", "8", ...args]);
    expect((await train("--seed", "1", "--out", a)).code).toBe(0);
    expect((await train("--seed", "2", "--out", b)).code).toBe(0);
    const before = readFileSync(checkpointPath(b));
    const { code, err } = await train("--resume", a, "--out", b);
    expect([code, err]).toEqual([
      2,
      `touchstone: ${b}: holds another run's checkpoint, expected another --out, or --overwrite\n`,
    ]);
    expect(readFileSync(checkpointPath(b)).equals(before)).toBe(true);
    symlinkSync("a", link);
    expect((await train("--resume", a, "--out", link)).code).toBe(0);
    expect(readdirSync(a)).toEqual(["checkpoint.safetensors"]);
  });
});

describe("the lock", () => {
  test("names who holds it; a process that has ended holds nothing, and that is said", async () => {
    const opened = openRunFolder(folder);
    const { code, err } = await inProcess(["train", "--steps", "1", "--out", folder]);
    expect(err).toMatch(
      new RegExp(
        `^touchstone: ${folder}: is in use by process ${process.pid} on .+ \\(train\\) since \\S+Z, expected a folder that no other process writes to\\n$`,
      ),
    );
    expect(code).toBe(2);
    opened.close();
    expect(readdirSync(folder)).toEqual([]);
    const { host } = thisProcess();
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const holder = { pid: dead, start: 1, since: "2026-01-01T00:00:00.000Z", doing: "train" };
    writeFileSync(at(LOCK), JSON.stringify({ ...holder, host }));
    const again = openRunFolder(folder);
    expect(again.note).toBe(`${folder}: took over the lock of process ${dead} (train), which has ended`);
    again.close();
    writeFileSync(at(LOCK), JSON.stringify({ ...holder, host: "elsewhere" }));
    expect(() => openRunFolder(folder)).toThrow(`on elsewhere (train) since 2026-01-01`);
    expect(() => openRunFolder(folder)).toThrow(`if that process has ended, remove ${at(LOCK)}`);
    writeFileSync(at(LOCK), "{");
    expect(() => openRunFolder(folder)).toThrow(`if nothing uses it, remove ${at(LOCK)}`);
    expect(readFileSync(at(LOCK), "utf8")).toBe("{");
  });

  test("is left alone by a run whose lock was removed by hand and taken by another", () => {
    const first = openRunFolder(folder);
    rmSync(at(LOCK));
    const second = openRunFolder(folder);
    first.close();
    expect(existsSync(at(LOCK))).toBe(true);
    second.close();
    expect(existsSync(at(LOCK))).toBe(false);
  });
});

describe("the tokenizer", () => {
  test("lies with the run, under the name of its format; no run mixes two", () => {
    begin(runOf(1, 1, model), model);
    expect(readdirSync(folder).toSorted()).toEqual(["checkpoint.safetensors", "tokenizer.model"]);
    expect(tokenizerThere()!.equals(model.file!.bytes)).toBe(true);
    rmSync(checkpointPath(folder));
    expect(() => begin(runOf(1, 1), bytes, true)).toThrow("tokenizer.model: is another run's tokenizer, expected");
    expect(() => begin(runOf(1, 1, other), other, true)).toThrow(
      "tokenizer.model: is another run's tokenizer, expected",
    );
  });

  test.each([
    ["bytes", bytes],
    ["another", other],
  ])("of the earlier run goes with it, once the first checkpoint of one with %s stands", (_, vocabulary) => {
    begin(runOf(1, 1, model), model);
    const opened = openRunFolder(folder);
    const next = runOf(2, 1, vocabulary);
    opened.check(next, vocabulary, true);
    expect(tokenizerThere()!.equals(model.file!.bytes)).toBe(true);
    opened.save(next, vocabulary);
    opened.close();
    expect(tokenizerThere()?.length).toBe(vocabulary.file?.bytes.length);
    expect(existsSync(at("tokenizer.model"))).toBe(vocabulary.file !== undefined);
    expect(existsSync(at(NEXT))).toBe(false);
  });

  test("of a run whose first checkpoint cannot be written is not left behind", () => {
    begin(runOf(1, 1, model), model);
    const opened = openRunFolder(folder);
    const unwritable = {
      ...runOf(2, 1, other),
      state: { ...runOf(2, 1).state, weights: new Map([["w", {} as never]]) },
    };
    expect(() => opened.save(unwritable, other)).toThrow();
    opened.close();
    expect(readdirSync(folder).toSorted()).toEqual(["checkpoint.safetensors", "tokenizer.model"]);
    expect(tokenizerThere()!.equals(model.file!.bytes)).toBe(true);
  });

  test("is the checkpoint's own whenever a kill comes, and the next run tidies up", () => {
    begin(runOf(1, 1, model), model);
    writeFileSync(at(NEXT), other.file!.bytes); // killed before the first checkpoint
    expect(tokenizerThere()!.equals(model.file!.bytes)).toBe(true);
    openRunFolder(folder).close();
    expect(readdirSync(folder).toSorted()).toEqual(["checkpoint.safetensors", "tokenizer.model"]);

    writeFileSync(at(NEXT), other.file!.bytes); // killed after it
    saveCheckpoint(folder, runOf(2, 1, other));
    expect(tokenizerThere()!.equals(other.file!.bytes)).toBe(true);
    openRunFolder(folder).close();
    expect(readdirSync(folder).toSorted()).toEqual(["checkpoint.safetensors", "tokenizer.model"]);
    expect(readFileSync(at("tokenizer.model")).equals(other.file!.bytes)).toBe(true);

    writeFileSync(at(NEXT), ""); // the same for a run with bytes
    saveCheckpoint(folder, runOf(3, 1));
    expect(tokenizerThere()).toBeUndefined();
    openRunFolder(folder).close();
    expect(readdirSync(folder)).toEqual(["checkpoint.safetensors"]);
  });

  test("of a checkpoint that is no run's is whatever lies there", () => {
    begin(runOf(1, 1, model), model);
    renameSync(checkpointPath(folder), at("x"));
    writeFileSync(checkpointPath(folder), "no run's");
    expect(tokenizerOfRun(folder)).toBe(at("tokenizer.model"));
  });
});

test("a lock that is a link to nothing is not waited for", () => {
  mkdirSync(folder);
  symlinkSync(at("nowhere"), at(LOCK));
  expect(() => openRunFolder(folder)).toThrow(/is locked, by whom is not readable, .* remove /);
});

describe("what a run reads, or could not replace, is refused before its first step", () => {
  const train = (...more: string[]): Promise<{ code: number; out: string; err: string }> =>
    inProcess(["train", "--steps", "1", "--batch-size", "1", "--sequence-length", "8", ...more, "--overwrite"]);
  beforeEach(() => void mkdirSync(folder));
  const text = "the quick brown fox ".repeat(500);

  test("its text, which has the name of the checkpoint", async () => {
    writeFileSync(checkpointPath(folder), text);
    symlinkSync(checkpointPath(folder), at("link.txt"));
    for (const name of [checkpointPath(folder), at("link.txt")]) {
      const { code, out, err } = await train("--text", name, "--out", folder);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toMatch(/--out .*checkpoint\.safetensors: is the input .*, expected another file\n$/);
    }
    expect(readFileSync(checkpointPath(folder), "utf8")).toBe(text);
  });

  test("a file of its mixture", async () => {
    writeFileSync(checkpointPath(folder), text);
    const sources = [{ name: "a", weight: 1, files: ["checkpoint.safetensors"] }];
    writeFileSync(at("mixture.json"), JSON.stringify({ sources }));
    const { code, err } = await train("--mixture", at("mixture.json"), "--out", folder);
    expect([code, err]).toEqual([2, expect.stringMatching(/is the input .*, expected another file\n$/)]);
    expect(readFileSync(checkpointPath(folder), "utf8")).toBe(text);
  });

  test("a folder of the checkpoint's name", async () => {
    mkdirSync(checkpointPath(folder));
    const { code, out, err } = await train("--out", folder);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/checkpoint\.safetensors: is not a regular file, expected the path of a file to write\n$/);
  });

  test("a learning rate that is infinite in float32", async () => {
    const { code, out, err } = await train("--learning-rate", "1e300", "--out", folder);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/learningRate is 1e\+300, expected a float32 number of at least 0\n$/);
  });
});
