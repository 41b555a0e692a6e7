// A run with a tokenizer's file: kept beside the checkpoint, losses a byte whatever a token is.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_MODEL } from "../../cli/model.ts";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { presets } from "../../reference/config.ts";
import { consecutive } from "../../reference/text/batches.ts";
import { bigramEntropy } from "../../reference/text/bigram.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { initialState, lossOf } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { type RunCheckpoint, checkpointPath, loadCheckpoint, saveCheckpoint } from "../../training/checkpoint.ts";
import { mixtureData, textData } from "../../training/data.ts";
import { openMixture } from "../../training/mixture.ts";
import { readTrainingText } from "../../training/text.ts";
import { openVocabulary } from "../../training/vocabulary.ts";

const file = join(DEFAULT_MODEL, "../tokenizer.model");
const placement = { batchSize: 2, sequenceLength: 8, seed: 1 };
let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-vocabulary-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the held-out loss", () => {
  const text = readTrainingText([]);

  test("counts every byte of the text once, with the last token learned before it", () => {
    const { tokenizer } = openVocabulary(file);
    const config = { ...presets.tiny, dim: 8, ffnDim: 8, nLayers: 1, vocabSize: tokenizer.vocabSize };
    const weights = initialWeights(config, 1, Float32Array);
    const short = { ...text, heldOut: text.heldOut.subarray(0, 500) };
    const lines = textData(short, tokenizer, placement).heldOut(config, weights);
    const before = tokenizer.encode(Buffer.from(text.training).toString()).at(-1)!;
    const ids = Int32Array.of(before, ...tokenizer.encode(Buffer.from(short.heldOut).toString()));
    let nats = 0;
    for (const batch of consecutive(ids, 8)) nats += batch.targets.data.length * lossOf(config, weights, batch).data[0];
    const bytes = Buffer.concat([text.training.subarray(-1), short.heldOut]);
    expect(lines[0]).toBe(`held-out loss   ${(nats / 500).toFixed(4)} nats a byte`);
    expect(lines[1]).toContain(`bigram entropy  ${bigramEntropy(text.training, bytes).toFixed(4)} nats a byte`);
  });

  test("needs a text that holds a sequence", () => {
    const bytes = Buffer.from("short");
    const cut = { training: bytes.subarray(0, 3), heldOut: bytes.subarray(3), sha256: "" };
    expect(() => textData(cut, byteTokenizer, placement)).toThrow(
      "the text has 5 bytes, 2 of them held out, expected more",
    );
  });
});

test("a text is never cut within a character", () => {
  writeFileSync(at("t.txt"), "é".repeat(7));
  const { training, heldOut } = readTrainingText([at("t.txt")]);
  expect([training.length, heldOut.length]).toEqual([12, 2]);
});

test("a mixture needs begin and end tokens", () => {
  const opened = openMixture(join(DEFAULT_MODEL, "../mixture.json"));
  for (const none of ["bos", "eos"]) {
    expect(() => mixtureData(opened, { ...byteTokenizer, [none]: -1 }, placement, undefined)).toThrow("expected both");
  }
});

describe("a checkpoint", () => {
  const schedule = { learningRate: 0.01, warmupSteps: 1, totalSteps: 8, minLearningRateRatio: 0.1, weightDecay: 0.1 };
  const hyperparameters = { ...schedule, beta1: 0.9, beta2: 0.95, adamEps: 1e-8, maxGradientNorm: 1 };
  const config = { ...presets.tiny, dim: 8, ffnDim: 8, nLayers: 1 };
  const plan = {
    config,
    hyperparameters,
    batchSize: 2,
    microBatches: 1,
    sequenceLength: 8,
    seed: 1,
    text: "t",
    tokenizer: "v",
  };
  const place = { name: "a", sequences: 6, epoch: 1, document: 0, part: 0, token: 3 };
  const saved: RunCheckpoint = {
    plan,
    step: 3,
    state: initialState(initialWeights(config, 1, Float32Array)),
    mixture: { sources: [place] },
  };

  test("keeps the tokenizer's digest and the mixture's place", () => {
    saveCheckpoint(folder, saved);
    const { plan: read, mixture } = loadCheckpoint(folder);
    expect({ plan: read, mixture }).toEqual({ plan, mixture: saved.mixture });
  });

  test.each([
    "{}",
    "[]",
    '{"sources":[]}',
    '{"sources":[null]}',
    JSON.stringify({ sources: [{ ...place, token: -1 }] }),
    JSON.stringify({ sources: [{ ...place, epoch: 0.5 }] }),
    JSON.stringify({ sources: [{ ...place, name: 3 }] }),
  ])("with the place %s is refused", (mixture) => {
    saveCheckpoint(folder, saved);
    const { tensors, metadata } = readSafetensors(checkpointPath(folder));
    writeSafetensors(checkpointPath(folder), tensors, { ...metadata, mixture });
    expect(() => loadCheckpoint(folder)).toThrow(/metadata "mixture" is /);
  });
});
