// touchstone convert: a checkpoint in another format.
import { type Command, Option } from "commander";
import type { ConvertOptions } from "./convert-run.ts";
import { overwriteHelp } from "./outputs.ts";

// Repeated from formats/, so that the help loads none of it.
const formats = ["llama2c", "huggingface", "gguf", "touchstone"] as const;
const dtypes = ["float32", "float16", "bfloat16"] as const;

export function register(program: Command): void {
  program
    .command("convert")
    .description("write a checkpoint in another format: exactly, or rounded once to a smaller dtype")
    .argument(
      "<in>",
      "llama2.c's .bin, a Hugging Face folder, Meta's folder or .pth, .gguf, or this program's .safetensors",
    )
    .argument("<out>", "a .bin, .gguf or .safetensors file, or a new folder for Hugging Face")
    .addOption(new Option("--format <format>", "what to write (default: by the suffix of <out>)").choices(formats))
    .addOption(
      new Option("--dtype <dtype>", "how weights are stored (default: as in <in>, where <out> can)").choices(dtypes),
    )
    .option("--overwrite", `${overwriteHelp}; a folder with files in it never is`)
    .option("--tokenizer <file>", "for GGUF: a .model or .bin (default: the one in <in>)")
    .action(async (from: string, to: string, options: ConvertOptions) => {
      const { convert } = await import("./convert-run.ts");
      await convert(from, to, options);
    });
}
