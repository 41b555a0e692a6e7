// A checkpoint that reads text: its weights on a device, and its tokenizer.
import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Checkpoint, openCheckpoint } from "../formats/checkpoint.ts";
import { tokenizerModelOf } from "../formats/gguf-tokenizer.ts";
import { readTokenizer } from "../formats/tokenizer.ts";
import { type Reader, referenceReader } from "../reference/model/reader.ts";
import { BYTE_VOCABULARY } from "../reference/text/bytes.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import { byteTokenizer } from "../reference/text/tokenizer-bytes.ts";
import { sentencePiece } from "../reference/text/tokenizer-sentencepiece.ts";
import { countParameters } from "../reference/weights.ts";
import { checkpointPath } from "../training/checkpoint.ts";
import { tokenizerOfRun } from "../training/run-folder.ts";
import { tokenizerIn } from "../training/vocabulary.ts";
import type { EngineName } from "./engine.ts";
import { UserError } from "./errors.ts";
import { pauses } from "./signals.ts";

/** A small model of the project's own; its README says how it was made. */
export const DEFAULT_MODEL = fileURLToPath(new URL("../golden/models/small/model.safetensors", import.meta.url));

export interface ModelOptions {
  readonly tokenizer?: string;
  readonly device: EngineName;
}

export interface Model {
  readonly path: string;
  readonly tokenizer: Tokenizer;
  readonly reader: Reader;
}

/**
 * Opens a checkpoint, or the default model. Throws UserError for a tokenizer that is missing or of another size than the
 * model's vocabulary; FormatError for files that cannot be read.
 */
export async function openModel(checkpoint: string | undefined, options: ModelOptions): Promise<Model> {
  const path = checkpoint ?? DEFAULT_MODEL;
  const opened = await openCheckpoint(path);
  try {
    const { config } = opened;
    const tokenizer = tokenizerOf(opened, options.tokenizer);
    if (tokenizer.vocabSize !== config.vocabSize) {
      const wanted = `the model's vocabulary has ${config.vocabSize}, expected the same`;
      throw new UserError(`${options.tokenizer ?? path}: the tokenizer has ${tokenizer.vocabSize} pieces, ${wanted}`);
    }
    const bytes = countParameters(config) * Float32Array.BYTES_PER_ELEMENT;
    if (bytes > totalmem()) {
      const [needed, there] = [bytes, totalmem()].map((n) => `${(n / 2 ** 30).toFixed(0)} GiB`);
      throw new UserError(`${path}: the weights need ${needed} of memory in float32, this machine has ${there}`);
    }
    return { path, tokenizer, reader: await readerOf(options.device, opened) };
  } finally {
    opened.close();
  }
}

async function readerOf(device: EngineName, opened: Checkpoint): Promise<Reader> {
  if (device === "cpu") return referenceReader(opened.config, opened.readWeights(), pauses());
  const { openDevice } = await import("../kernels-gpu/device/dawn.ts");
  const { deviceReader } = await import("../kernels-gpu/reader.ts");
  return deviceReader(await openDevice(), opened.config, opened.readWeights());
}

/** The tokenizer that was named, a GGUF file's own, the one that lies with the checkpoint, or bytes for 259 ids. */
function tokenizerOf({ path, config, metadata }: Checkpoint, named: string | undefined): Tokenizer {
  if (named !== undefined) return readTokenizer(named);
  if (metadata?.has("tokenizer.ggml.model")) return sentencePiece(tokenizerModelOf(path, metadata));
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  const beside = basename(path) === basename(checkpointPath(folder)) ? tokenizerOfRun(folder) : tokenizerIn(folder);
  if (beside !== undefined) return readTokenizer(beside);
  if (config.vocabSize === BYTE_VOCABULARY) return byteTokenizer;
  throw new UserError(`${path}: has no tokenizer with it, expected --tokenizer FILE with ${config.vocabSize} pieces`);
}
