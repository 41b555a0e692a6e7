// touchstone check: the project's kernels, property-tested against the oracle on this machine's own device.
import { type Command, Option } from "commander";
import { type CheckOptions, DEFAULT_RUNS, DEFAULT_TIMEOUT, LARGEST_CASE_SEED } from "./check-options.ts";
import { allowUnjudged, jobs, whole } from "./numbers.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  program
    .command("check")
    .description("property-test the WebGPU kernels against the oracle, within derived bounds")
    .option("--op <name...>", "ops to check, such as attention or attention.forward (all of them without this)")
    .addOption(new Option("--adapter <which>", "which device").choices(["auto", "gpu", "software"]).default("auto"))
    .addOption(
      new Option("--runs <n>", `cases to draw for each kernel (default: ${DEFAULT_RUNS})`).argParser(
        whole(1, 1_000_000),
      ),
    )
    .addOption(
      new Option(
        "--budget <seconds>",
        "time to spend in all, instead of a number of cases; what it leaves out is listed",
      )
        .argParser(whole(1, 1_000_000))
        .conflicts("runs"),
    )
    .addOption(
      new Option("--seed <n>", "seed of the cases (default: a new one, printed)").argParser(
        whole(0, LARGEST_CASE_SEED),
      ),
    )
    .option(
      "--json <file>",
      "write the results to a file, or with - to standard output; earlier results are replaced, other files are not",
    )
    .option("--overwrite", "with --json: replace any file that is there")
    .addOption(
      new Option(
        "--sizes <terms>",
        "what the kernel supports, such as 'HS=64,128 T=S C%8=0 B<=4 eps>=1e-8': every case obeys, and what that leaves out is listed; the name of a model (7B, 13B, 33B, 65B, 8B) adds cases of its shapes",
      ),
    )
    .addOption(
      new Option("--replay <case>", "run one case or relation, as a failure printed it").conflicts([
        "op",
        "runs",
        "budget",
        "seed",
        "sizes",
        "json",
        "jobs",
      ]),
    )
    .addOption(
      new Option(
        "--exec <command>",
        "judge a process of your own in place of the kernels here (docs/protocol.md)",
      ).conflicts(["kernel", "adapter"]),
    )
    .option("--kernel <module>", "judge a module whose default export is a function or made by defineKernel")
    .option(
      "--evidence <folder>",
      "where to keep the files of failing cases (default: the temporary folder, where later runs remove the oldest)",
    )
    .addOption(
      new Option("--timeout <seconds>", "how long a candidate may take for one case, whatever the budget")
        .argParser(whole(1, 86_400))
        .default(DEFAULT_TIMEOUT),
    )
    .addOption(
      new Option(
        "--jobs <n>",
        "cases in hand at once: the candidate computes one, the others are made and judged in threads; 1 for none (default: one for each core, at most 4)",
      ).argParser(jobs),
    )
    .addOption(
      new Option("--memory <megabytes>", "what a module's process may occupy (default: 4096, or half of the machine's)")
        .argParser(whole(64, 1_000_000_000))
        .conflicts("exec"),
    )
    .addOption(
      new Option("--dtype <dtype>", "how inputs and outputs are stored")
        .choices(["float32", "bfloat16", "float16"])
        .default("float32"),
    )
    .option(
      "--target <name or file>",
      "whose accuracies are allowed: wgsl, ieee, cuda, … or a JSON file (default: wgsl)",
    )
    .option("--store <list>", "intermediates or inputs declared as stored low, such as P=bfloat16,dS=bfloat16")
    .option("--nondeterministic", "two runs may differ in bits: compare them within their bounds")
    .option(
      "--bitwise",
      "bits must not depend on a row's position: a relation that holds only within bounds is a finding",
    )
    .addOption(allowUnjudged())
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (options: CheckOptions) => {
      if (options.replay === undefined) {
        process.exitCode = await (await import("./check-run.ts")).check(options);
      } else process.exitCode = await (await import("./check-replay.ts")).replay(options.replay, options);
    });
}
