// The options of commands that run a candidate: who it is, and under which terms it is judged.
import { type Command, Option } from "commander";
import { DEFAULT_TIMEOUT, LARGEST_CASE_SEED } from "./check-options.ts";
import { allowUnjudged, whole } from "./numbers.ts";

/** Who is asked, and what it may take. */
export function addCandidate(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--exec <command>",
        "judge a process of your own in place of the kernels here (docs/protocol.md)",
      ).conflicts(["kernel", "adapter"]),
    )
    .option("--kernel <module>", "judge a module whose default export is a function or made by defineKernel")
    .option(
      "--outputs <list>",
      "the outputs that the kernel gives, such as y for an attention without its lse; the others are not judged (default: all)",
    )
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
      new Option("--memory <megabytes>", "what a module's process may occupy (default: 4096, or half of the machine's)")
        .argParser(whole(64, 1_000_000_000))
        .conflicts("exec"),
    );
}

/** The terms. */
export function addTerms(command: Command): Command {
  return command
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
    .option(
      "--sum <order>",
      "the order of summation that the kernel has, such as blocked:64, pairwise, depth:20 or tree:FILE; dx=blocked:64,dw=pairwise for single sums (docs/orders.md)",
    )
    .addOption(
      new Option("--nondeterministic", "two runs may differ in bits: compare them within their bounds").conflicts(
        "bitwise",
      ),
    )
    .option(
      "--bitwise",
      "bits must not depend on a row's position: a relation that holds only within bounds is a finding",
    )
    .addOption(allowUnjudged());
}

export function seedOption(): Option {
  return new Option("--seed <n>", "seed of the cases (default: a new one, printed)").argParser(
    whole(0, LARGEST_CASE_SEED),
  );
}

export function adapterOption(): Option {
  return new Option("--adapter <which>", "which device").choices(["auto", "gpu", "software"]).default("auto");
}

/** Where the results go. */
export function addJson(command: Command): Command {
  return command
    .option(
      "--json <file>",
      "write the results to a file, or with - to standard output; earlier results are replaced, other files are not",
    )
    .option("--overwrite", "with --json: replace any file that is there");
}
