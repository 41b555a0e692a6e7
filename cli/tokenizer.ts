// touchstone tokenizer train: learns a vocabulary from text.
import type { Command } from "commander";
import { whole } from "./numbers.ts";
import { UserError } from "./errors.ts";
import { checkOutput, overwriteHelp } from "./outputs.ts";
import { counted } from "./words.ts";

interface Options {
  readonly text: readonly string[];
  readonly vocabSize: number;
  readonly out: string;
  readonly overwrite?: boolean;
}

/** Bytes of a text read at once: files may be larger than memory. */
const CHUNK = 2 ** 22;
const LARGEST_VOCABULARY = 1_000_000;

export function register(program: Command): void {
  program
    .command("tokenizer")
    .description("make a tokenizer")
    .command("train")
    .description("learn a vocabulary from UTF-8 text by byte-pair encoding, as a SentencePiece .model")
    .requiredOption("--text <files...>", "the text")
    .requiredOption(
      "--vocab-size <n>",
      "pieces in all: 3 specials, 256 bytes, the text's characters, and what is learnt",
      whole(1, LARGEST_VOCABULARY),
    )
    .requiredOption("--out <file>", "the .model to write")
    .option("--overwrite", overwriteHelp)
    .action(run);
}

async function run({ text: paths, vocabSize, out, overwrite }: Options): Promise<void> {
  const { openProgress } = await import("./progress.ts");
  const { writeSentencePiece } = await import("../formats/sentencepiece.ts");
  const { trainTokenizer, trainingDefaults } = await import("../reference/text/train.ts");
  const { wordCounter } = await import("../reference/text/train-words.ts");

  checkOutput("--out", out, { overwrite, inputs: paths });
  const progress = openProgress(paths.length + 1);
  try {
    const counter = wordCounter();
    let bytes = 0;
    for (const [i, path] of paths.entries()) {
      progress.begin(path);
      const size = await readText(path, (text, share) => {
        counter.add(text);
        progress.advance(i, share);
      });
      bytes += size;
      progress.end(`${path}: ${counted(size, "byte")}`);
    }
    if (bytes === 0) throw new UserError(`the text is empty (${paths.join(", ")}), expected at least one character`);
    const words = counter.finish();
    progress.begin(counted(words.size, "different word"));
    const model = trainTokenizer(words, { vocabSize, ...trainingDefaults }, (share) =>
      progress.advance(paths.length, share),
    );
    writeSentencePiece(out, model, {
      splitDigits: true,
      allowWhitespaceOnlyPieces: true,
      characterCoverage: trainingDefaults.characterCoverage,
      maxSentencepieceLength: trainingDefaults.longestPiece,
    });
    progress.end(`${out}: ${counted(model.pieces.length, "piece")} from ${counted(words.size, "different word")}`);
  } finally {
    progress.close();
  }
}

/** Hands on a file's text part by part, with the share of the file that is read. Returns its size in bytes. */
async function readText(path: string, take: (text: string, share: number) => void): Promise<number> {
  const { asFormatError } = await import("../formats/system-error.ts");
  const { openText } = await import("../formats/text.ts");
  const file = openText(path);
  try {
    const { size } = file;
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    const chunk = new Uint8Array(CHUNK);
    let at = 0;
    for (;;) {
      const count = file.read(at, chunk);
      at += count;
      take(utf8.decode(chunk.subarray(0, count), { stream: count === CHUNK }), size > 0 ? Math.min(1, at / size) : 1);
      if (count < CHUNK) return at;
    }
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "a readable text");
  } finally {
    file.close();
  }
}
