// What `touchstone convert` does.
import { existsSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import {
  type Checkpoint,
  dtypesOfFormat,
  type FloatDType,
  openCheckpoint,
  weightsOf,
  writeCheckpoint,
  type WrittenFormat,
} from "../formats/checkpoint.ts";
import type { GgufMetadata } from "../formats/gguf-header.ts";
import { tokenizerFields } from "../formats/gguf-tokenizer.ts";
import { readTokenizerModel } from "../formats/tokenizer.ts";
import { countParameters } from "../reference/weights.ts";
import { UserError } from "./errors.ts";
import { note, say } from "./output.ts";
import { checkOutput } from "./outputs.ts";
import { openProgress } from "./progress.ts";
import { counted } from "./words.ts";

export interface ConvertOptions {
  readonly format?: "llama2c" | "huggingface" | "gguf" | "touchstone";
  readonly dtype?: "float32" | "float16" | "bfloat16";
  readonly tokenizer?: string;
  readonly overwrite?: boolean;
}

const formatOf: Readonly<Record<string, WrittenFormat>> = {
  ".bin": "llama2c",
  ".gguf": "gguf",
  ".safetensors": "touchstone",
  "": "huggingface",
};

/** Writes the checkpoint at `from` to `to`. Throws UserError, FormatError or RangeError for what cannot be. */
export async function convert(from: string, to: string, options: ConvertOptions): Promise<void> {
  const format = options.format ?? formatBySuffix(to);
  if (options.tokenizer !== undefined && format !== "gguf") {
    throw new UserError(`--tokenizer: ${format} holds no tokenizer, only gguf does`);
  }
  // A folder is never replaced, so writing it checks all that there is to check.
  if (format !== "huggingface") {
    checkOutput("", to, { overwrite: options.overwrite, inputs: [from, ...besides(from), options.tokenizer] });
  }
  const opened = await openCheckpoint(from);
  try {
    const { config, tensors } = opened;
    const dtype = options.dtype ?? dtypeFor(format, opened);
    const storable = dtypesOfFormat(format);
    if (!storable.includes(dtype)) {
      throw new UserError(`--dtype ${dtype}: ${format} cannot store it, expected ${storable.join(" or ")}`);
    }
    const tokenizer = format === "gguf" ? tokenizerFor(opened, options.tokenizer) : undefined;
    const weights = weightsOf(opened);
    const progress = openProgress(tensors.length);
    let done = 0;
    try {
      const get = (name: string) => {
        progress.begin(name);
        progress.advance(done++, 0);
        return weights.get(name);
      };
      writeCheckpoint(to, format, config, { get }, dtype, tokenizer === undefined ? {} : { tokenizer });
    } finally {
      progress.close();
    }
    const numbers = countParameters(config).toLocaleString("en");
    say(`${to}: ${format}, ${counted(tensors.length, "weight")}, ${numbers} parameters, ${dtype}`);
  } finally {
    opened.close();
  }
}

/** What may be read from the folder of a checkpoint that is a file. */
function besides(from: string): string[] {
  return ["params.json", "tokenizer.model"].map((name) => join(dirname(from), name));
}

function formatBySuffix(path: string): WrittenFormat {
  const suffix = existsSync(path) && statSync(path).isDirectory() ? "" : extname(path).toLowerCase();
  const format = formatOf[suffix];
  if (format !== undefined) return format;
  const known = Object.keys(formatOf).filter((s) => s !== "");
  throw new UserError(
    `${path}: the suffix "${suffix}" names no format, expected ${known.join(", ")}, none for a folder, or --format`,
  );
}

/** What most of the source's numbers are stored as, if the format can; float32 holds all exactly. */
function dtypeFor(format: WrittenFormat, { dtypes }: Checkpoint): FloatDType {
  return dtypesOfFormat(format).find((dtype) => dtype === dtypes[0]) ?? "float32";
}

/** The fields of the tokenizer that was named, of the source's own, or of the one that lies with the source. */
function tokenizerFor({ path, metadata }: Checkpoint, named: string | undefined): GgufMetadata | undefined {
  if (named !== undefined) return tokenizerFields(readTokenizerModel(named));
  const own = [...(metadata ?? [])].filter(([key]) => key.startsWith("tokenizer."));
  if (own.length > 0) return new Map(own);
  const beside = join(statSync(path).isDirectory() ? path : dirname(path), "tokenizer.model");
  if (existsSync(beside)) {
    note(`touchstone convert: the tokenizer is ${beside}`);
    return tokenizerFields(readTokenizerModel(beside));
  }
  note(
    `touchstone convert: ${basename(path)} has no tokenizer and --tokenizer names none: llama.cpp needs one to load`,
  );
  return undefined;
}
