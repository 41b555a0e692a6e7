// touchstone check: the project's kernels, property-tested against the oracle on this machine's own device.
import { type Command, Option } from "commander";
import { adapterOption, addCandidate, addJson, addTerms, seedOption } from "./candidate-options.ts";
import { type CheckOptions, DEFAULT_RUNS } from "./check-options.ts";
import { ALLOWED_REFUSED } from "../judge/conclusion.ts";
import { jobs, real, whole } from "./numbers.ts";
import { findingsInHelp } from "./statuses.ts";

export function register(program: Command): void {
  const command = program
    .command("check")
    .description("property-test the WebGPU kernels against the oracle, within derived bounds")
    .option("--op <name...>", "ops to check, such as attention or attention.forward (all of them without this)")
    .addOption(adapterOption())
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
    .addOption(seedOption());
  addJson(command)
    .addOption(
      new Option(
        "--sizes <terms>",
        "what the kernel supports, such as 'HS=64,128 T=S C%8=0 B<=4 eps>=1e-8': every case obeys, and what that leaves out is listed; the name of a model (7B, 13B, 33B, 65B, 8B) adds cases of its shapes, whole where the candidate is fast enough for half of --timeout",
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
        "--jobs <n>",
        "cases in hand at once: the candidate computes one, the others are made and judged in threads; 1 for none (default: one more than there are cores, at most 4)",
      ).argParser(jobs),
    );
  addTerms(addCandidate(command))
    .addOption(
      new Option(
        "--allow-refused <share>",
        `how many of the cases, the probes and the relations the kernel may refuse (docs/protocol.md), 0 to 1 (default: ${ALLOWED_REFUSED})`,
      ).argParser(real(0, 1)),
    )
    .addHelpText("after", `\n${findingsInHelp}`)
    .action(async (options: CheckOptions) => {
      if (options.replay === undefined) {
        process.exitCode = await (await import("./check-run.ts")).check(options);
      } else process.exitCode = await (await import("./check-replay.ts")).replay(options.replay, options);
    });
}
