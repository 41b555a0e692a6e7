// What the project writes, in other people's hands: an exported GGUF file loads in llama.cpp and computes the same. Run by
// `npm run test:peers`; it installs from the registry, into this folder, so it is no part of `npm test`.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type FloatDType,
  openCheckpoint,
  type WeightTable,
  weightsOf,
  writeCheckpoint,
} from "../../golden/formats/checkpoint.ts";
import { tokenizerFields, tokenizerModelOf } from "../../golden/formats/gguf-tokenizer.ts";
import type { GgufMetadata } from "../../golden/formats/gguf-header.ts";
import type { LlamaConfig } from "../../reference/config.ts";
import { forward } from "../../reference/model/model.ts";
import { normal, streamOf } from "../../reference/random.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { bytePiece, llamaFlags, type Piece } from "../../reference/text/tokenizer-model.ts";
import { initialWeights } from "../../reference/weights.ts";
import { LLAMA_CPP_LOGITS } from "../thresholds.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const stories = join(here, "../../../shared/data/stories260K");
const positions = 200;

if (!existsSync(stories)) {
  process.stdout.write(`skipped: ${stories} is absent\n0 passed, 0 failed, 1 skipped\n`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "touchstone-peers-"));
let failed = 0;
let passed = 0;
try {
  // Not `npm ci`, which insists on other platforms' binaries, some of which do not exist in this version.
  const npm = ["install", "--no-save", "--silent", "--ignore-scripts", "--omit=optional", "--no-fund", "--no-audit"];
  execFileSync("npm", npm, { cwd: here, stdio: "inherit" });
  await exportStories();
  await exportRandom();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

/** The trained model, whose head is tied, with its tokenizer; in each dtype. */
async function exportStories(): Promise<void> {
  const { metadata } = await openCheckpoint(join(stories, "stories260K.gguf"));
  const tokenizer = tokenizerFields(tokenizerModelOf("stories260K.gguf", metadata!));
  const { config, readWeights } = await openCheckpoint(join(stories, "stories260K.bin"));
  const weights = readWeights();
  for (const dtype of ["float32", "float16", "bfloat16"] as const) {
    await compare(`stories260K, ${dtype}`, config, weights, dtype, tokenizer);
  }
}

/** Another base of RoPE, another eps, a head of its own, sizes that are no powers of two; by way of a Hugging Face folder. */
async function exportRandom(): Promise<void> {
  const config: LlamaConfig = {
    dim: 72,
    nLayers: 3,
    nHeads: 6,
    nKvHeads: 2,
    ffnDim: 100,
    vocabSize: 259,
    normEps: 1e-3,
    ropeTheta: 500_000,
    tiedEmbeddings: false,
    maxSeqLen: 256,
  };
  const weights = initialWeights(config, 1, Float32Array);
  for (const [name, { data, shape }] of weights) {
    // Of such a size that every layer's attention and every gain has its say in the logits.
    const deviation = shape.length > 1 ? 1 / Math.sqrt(shape[1]) : 0.2;
    for (let i = 0; i < data.length; i++) {
      data[i] = (shape.length > 1 ? 0 : 1) + deviation * normal(2, streamOf(name), i);
    }
  }
  const bytes = Array.from({ length: 256 }, (_, byte) => special(bytePiece(byte), "byte"));
  const pieces = [special("<unk>", "unknown"), special("<s>", "control"), special("</s>", "control"), ...bytes];
  const middle = join(folder, "huggingface");
  writeCheckpoint(middle, "huggingface", config, weights);
  const opened = await openCheckpoint(middle);
  const tokenizer = tokenizerFields({ ...llamaFlags, pieces });
  await compare("random, grouped queries, by Hugging Face", opened.config, weightsOf(opened), "float32", tokenizer);
}

function special(text: string, type: Piece["type"]): Piece {
  return { text, type, score: 0 };
}

/** Writes a GGUF file and has llama.cpp decode from it; holds ids and logits against the reference's. */
async function compare(
  what: string,
  config: LlamaConfig,
  weights: WeightTable,
  dtype: FloatDType,
  tokenizer: GgufMetadata,
): Promise<void> {
  const path = join(folder, `${dtype}.gguf`);
  writeCheckpoint(path, "gguf", config, weights, dtype, { tokenizer });
  const text = execFileSync(process.execPath, [join(here, "llama.mjs"), path, String(positions)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
  const { ids, logits } = JSON.parse(text) as { ids: number[]; logits: number[][] };
  // The same greedy ids: at each position, after llama.cpp's ids so far, the reference's choice is llama.cpp's.
  const tokens: Tensor<Int32Array> = { data: Int32Array.from(ids.slice(0, positions)), shape: [1, positions] };
  const { readWeights } = await openCheckpoint(path);
  const mine = forward(config, readWeights(), tokens).logits.data;
  const V = config.vocabSize;
  let worst = 0;
  let largest = 0;
  let different = 0;
  for (let t = 0; t < positions; t++) {
    const row = mine.subarray(t * V, (t + 1) * V);
    if (row.indexOf(Math.max(...row)) !== ids[t + 1]) different++;
    for (let v = 0; v < V; v++) {
      largest = Math.max(largest, Math.abs(row[v]));
      const difference = Math.abs(row[v] - logits[t][v]);
      worst = !(difference <= worst) ? difference : worst;
    }
  }
  // Of weights in 16 bits llama.cpp computes products in 16 bits as well: those files have to load, and to make sense.
  const isExact = dtype === "float32";
  const fits = isExact ? different === 0 && worst <= LLAMA_CPP_LOGITS * largest : Number.isFinite(worst);
  if (fits) passed++;
  else failed++;
  process.stdout.write(
    `${fits ? "pass" : "FAIL"} ${what}: ${ids.length} ids, ${different} chosen differently, logits up to ` +
      `${largest.toFixed(1)}, off by at most ${worst.toExponential(1)}\n`,
  );
}
