// touchstone golden: fixtures for anyone's kernels.
import { type Command, Option } from "commander";
import { real, whole } from "./numbers.ts";
import type { GenerateOptions, VerifyOptions } from "./golden-run.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  const golden = program.command("golden").description("golden fixtures: inputs, exact outputs and bounds in files");
  golden
    .command("generate")
    .description("make the suite of fixtures, or fixtures at the paper's sizes")
    .option("--out <folder>", "where to write: a new folder, or one that holds nothing but fixtures, which go")
    .addOption(
      new Option("--shipped", "replace the suite that ships with these sources").conflicts(["out", "target", "scale"]),
    )
    .option("--target <name or file>", "whose accuracies the bounds allow (default: wgsl)")
    .addOption(
      new Option("--scale <model>", "sampled outputs at the shapes of the paper's models").choices(["7B", "65B"]),
    )
    .option("--op <name...>", "with --scale: these ops only")
    .addOption(new Option("--seed <n>", "with --scale: seed of the inputs").argParser(whole(0, 0x7fffffff)).default(1))
    .action(async (options: GenerateOptions) => {
      const { generate } = await import("./golden-run.ts");
      process.exitCode = await generate(options);
    });
  golden
    .command("check")
    .description("fail if a fixture has changed without its sources, or a source without its fixtures")
    .argument("[folder]", "the fixtures (default: the committed suite)")
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (folder: string | undefined) => {
      const { checkFolder } = await import("./golden-run.ts");
      process.exitCode = checkFolder(folder);
    });
  golden
    .command("verify")
    .description("judge a folder of outputs that were computed elsewhere from fixtures")
    .argument("<fixtures>")
    .argument("<outputs>", "a safetensors file of the same name for each fixture, with the op's outputs by name")
    .option(
      "--outputs <list>",
      "the outputs that the kernel gives, such as y; the others are not judged (default: all)",
    )
    .addOption(
      new Option(
        "--allow-unjudged <share>",
        "of an output's elements in one file, how many may lack a finite bound before the run is inconclusive (default: 0.1)",
      ).argParser(real(0, 1)),
    )
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (fixtures: string, outputs: string, options: VerifyOptions) => {
      const { verify } = await import("./golden-run.ts");
      process.exitCode = await verify(fixtures, outputs, options);
    });
  golden
    .command("list")
    .description("list the fixtures of a folder")
    .argument("[folder]", "the fixtures (default: the committed suite)")
    .action(async (folder: string | undefined) => {
      const { list } = await import("./golden-run.ts");
      list(folder);
    });
}
