// touchstone check: the project's kernels, property-tested against the oracle on this machine's own device.
import { type Command, InvalidArgumentError, Option } from "commander";

export interface CheckOptions {
  readonly op?: string[];
  readonly adapter: "auto" | "gpu" | "software";
  readonly runs?: number;
  readonly budget?: number;
  readonly seed?: number;
  readonly json?: string;
  readonly replay?: string;
}

export function register(program: Command): void {
  program
    .command("check")
    .description("property-test the WebGPU kernels against the oracle, within derived bounds")
    .option("--op <name...>", "ops to check, such as attention or attention.forward (all of them without this)")
    .addOption(new Option("--adapter <which>", "which device").choices(["auto", "gpu", "software"]).default("auto"))
    .addOption(new Option("--runs <n>", "cases drawn for each kernel (default: 100)").argParser(whole(1, 1_000_000)))
    .addOption(
      new Option("--budget <seconds>", "time to spend in all, in place of a number of cases")
        .argParser(whole(1, 1_000_000))
        .conflicts("runs"),
    )
    .addOption(
      new Option("--seed <n>", "seed of the cases (default: drawn anew and printed)").argParser(whole(0, 0x7fffffff)),
    )
    .option("--json <file>", "write the results to a file")
    .addOption(
      new Option("--replay <case>", "run one case, as a failure printed it").conflicts([
        "op",
        "runs",
        "budget",
        "seed",
        "json",
      ]),
    )
    .action(async (options: CheckOptions) => {
      const { check, replay } = await import("./check-run.ts");
      process.exitCode = options.replay === undefined ? await check(options) : await replay(options.replay, options);
    });
}

/** A whole number between two others. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
    }
    return value;
  };
}
