// `npm run test:peers` loads exported GGUF files in llama.cpp, which must compute the same. It installs llama.cpp into this
// folder from npm's registry, so it is no part of `npm test`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type FloatDType,
  openCheckpoint,
  type WeightTable,
  weightsOf,
  writeCheckpoint,
} from "../../formats/checkpoint.ts";
import { tokenizerFields, tokenizerModelOf } from "../../formats/gguf-tokenizer.ts";
import type { GgufMetadata } from "../../formats/gguf-header.ts";
import type { LlamaConfig } from "../../reference/config.ts";
import { dtypes } from "../../reference/dtype.ts";
import { forward } from "../../reference/model/model.ts";
import { normal, streamOf } from "../../reference/random.ts";
import { type Tensor, toStorage } from "../../reference/tensor.ts";
import { bytePiece, llamaFlags, type Piece } from "../../reference/text/tokenizer-model.ts";
import { initialWeights } from "../../reference/weights.ts";
import { sharedData } from "../needs.ts";
import { LLAMA_CPP_HALVES, LLAMA_CPP_LOGITS } from "../thresholds.ts";
import { forwardAtTheirAngles } from "./angles.ts";
import { script } from "../script.ts";

script("test:peers", "Exported files in llama.cpp: the same ids, logits within 10⁻⁵.").parse();

const here = fileURLToPath(new URL(".", import.meta.url));
const shared = sharedData("data/stories260K");
const stories = shared.path;
const positions = 200;

if (shared.absent) {
  process.stdout.write(`skipped: ../shared/data/stories260K is absent\n0 passed, 0 failed, 1 skipped\n`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "touchstone-peers-"));
let failed = 0;
let passed = 0;
try {
  // Not `npm ci`, which insists on other platforms' binaries, some of which do not exist in this version.
  const npm = ["install", "--no-save", "--silent", "--ignore-scripts", "--omit=optional", "--no-fund", "--no-audit"];
  execFileSync("npm", npm, { cwd: here, stdio: "inherit" });
  keepThePlainVariant();
  await exportStories();
  await exportRandom();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * ggml takes the CPU variant in its folder that is fastest on the machine. The fast ones sum in float32, each in an order of
 * its own, and their logits differ from one another by 1.2·10⁻⁵. The plain one sums in float64, alike on every machine.
 */
function keepThePlainVariant(): void {
  const binaries = join(here, "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
  for (const name of readdirSync(binaries)) {
    if (name.startsWith("libggml-cpu-") && name !== "libggml-cpu-x64.so") rmSync(join(binaries, name));
  }
}

/** The trained model, whose head is tied, with its tokenizer; in each dtype. Its scores are so large that angles matter. */
async function exportStories(): Promise<void> {
  const { metadata } = await openCheckpoint(join(stories, "stories260K.gguf"));
  const tokenizer = tokenizerFields(tokenizerModelOf("stories260K.gguf", metadata!));
  const { config, readWeights } = await openCheckpoint(join(stories, "stories260K.bin"));
  const weights = readWeights();
  for (const dtype of ["float32", "float16", "bfloat16"] as const) {
    await compare(`stories260K, ${dtype}`, config, weights, dtype, tokenizer, "theirs");
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
  await compare(
    "random, grouped queries, by Hugging Face",
    opened.config,
    weightsOf(opened),
    "float32",
    tokenizer,
    "exact",
  );
}

function special(text: string, type: Piece["type"]): Piece {
  return { text, type, score: 0 };
}

/**
 * Writes a GGUF file and has llama.cpp decode from it; holds ids and logits against the reference's, as it stands ("exact")
 * or at llama.cpp's angles ("theirs").
 */
async function compare(
  what: string,
  config: LlamaConfig,
  weights: WeightTable,
  dtype: FloatDType,
  tokenizer: GgufMetadata,
  angles: "exact" | "theirs",
): Promise<void> {
  const path = join(folder, `${dtype}.gguf`);
  writeCheckpoint(path, "gguf", config, weights, dtype, { tokenizer });
  const text = execFileSync(process.execPath, [join(here, "llama.mjs"), path, String(positions)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
  const { ids, logits } = JSON.parse(text) as { ids: number[]; logits: number[][] };
  const V = config.vocabSize;
  const theirs = { data: Float64Array.from(logits.flat(), (logit) => logit ?? NaN), shape: [positions, V] };
  const tokens: Tensor<Int32Array> = { data: Int32Array.from(ids.slice(0, positions)), shape: [1, positions] };
  const narrow = (await openCheckpoint(path)).readWeights();
  const wide = new Map([...narrow].map(([name, w]) => [name, toStorage(w, Float64Array)]));
  const ours = forward(config, narrow, tokens).logits;
  const truth = forward(config, wide, tokens).logits;

  // The same greedy ids: at each position, after llama.cpp's ids so far, the reference's choice is llama.cpp's.
  const chosen = Array.from({ length: positions }, (_, t) => {
    const row = ours.data.subarray(t * V, (t + 1) * V);
    return row.indexOf(Math.max(...row));
  });
  const different = chosen.filter((id, t) => id !== ids[t + 1]).length;
  const largest = furthest(ours);
  const off = { exact: furthest(theirs, ours), theirs: furthest(theirs, forwardAtTheirAngles(config, narrow, tokens)) };
  // Where the two differ, float64 has to side with the reference.
  const errors = { theirs: furthest(theirs, truth), ours: furthest(ours, truth) };
  const allowed = dtype === "float32" ? LLAMA_CPP_LOGITS : LLAMA_CPP_HALVES * dtypes[dtype].u * largest;
  const fits = different === 0 && off[angles] <= allowed && errors.ours < errors.theirs;
  if (fits) passed++;
  else failed++;
  const figure = (value: number) => value.toExponential(1);
  process.stdout.write(
    `${fits ? "pass" : "FAIL"} ${what}: ${ids.length} ids, ${different} chosen differently, logits up to ` +
      `${largest.toFixed(1)}\n     at ${angles === "exact" ? "exact angles" : "llama.cpp's angles"} off by at most ` +
      `${figure(off[angles])} of ${figure(allowed)} allowed\n     from float64 llama.cpp is ${figure(errors.theirs)}, ` +
      `the reference ${figure(errors.ours)}; from each other ${figure(off.exact)}\n`,
  );
}

/** max over i of |a[i] − b[i]|, of b = 0 without it; NaN where any is, or the sizes differ. */
function furthest(a: Tensor, b?: Tensor): number {
  if (b && b.data.length !== a.data.length) return NaN;
  let max = 0;
  for (let i = 0; i < a.data.length; i++) max = Math.max(max, Math.abs(a.data[i] - (b?.data[i] ?? 0))); // carries NaN
  return max;
}
