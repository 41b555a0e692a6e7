// touchstone tokenize: text to token ids, or back.
import type { Command } from "commander";
import { UserError } from "./errors.ts";
import { print } from "./output.ts";

interface Options {
  readonly tokenizer: string;
  readonly decode?: boolean;
  readonly bos?: boolean;
  readonly eos?: boolean;
}

/** Bytes of a text on standard input: some fifty million would be ids beyond a gigabyte of memory. */
const LONGEST = 2 ** 23;

export function register(program: Command): void {
  program
    .command("tokenize")
    .description("print the token ids of each text on a line, or with --decode the text of token ids")
    .argument("[text...]", "texts, or with --decode token ids (default: all of standard input)")
    .requiredOption("--tokenizer <file>", "a SentencePiece .model or a llama2.c .bin")
    .option("--decode", "from ids to text")
    .option("--bos", "put the begin token before each text")
    .option("--eos", "put the end token after each text")
    .action(async (texts: string[], options: Options) => {
      const { readTokenizer } = await import("../formats/tokenizer.ts");
      const tokenizer = readTokenizer(options.tokenizer);
      if (options.decode === true) {
        await print(tokenizer.decode(idsOf(texts.length > 0 ? texts.join(" ") : await standardInput())));
        return;
      }
      for (const text of texts.length > 0 ? texts : [await standardInput()]) {
        if (text === "") throw new UserError("the text is empty, expected at least one character");
        const ids = tokenizer.encode(text, { bos: options.bos === true, eos: options.eos === true });
        await print(`${ids.join(" ")}\n`);
      }
    });
}

function idsOf(text: string): number[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  if (words.length === 0) throw new UserError("there are no token ids, expected at least one");
  return words.map((word) => {
    if (!/^\d+$/.test(word)) throw new UserError(`token id ${JSON.stringify(word)} is not a number, expected integers`);
    return Number(word);
  });
}

async function standardInput(): Promise<string> {
  const { fromUtf8 } = await import("../reference/text/tokenizer-utf8.ts");
  const { readStandardInput } = await import("../formats/standard-input.ts");
  return fromUtf8(await readStandardInput("a text", LONGEST));
}
