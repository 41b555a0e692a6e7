// The command line of a program that `npm run` starts: `--help` says how it is used, and what does not fit is one line with exit status 2.
import { Command, InvalidArgumentError } from "commander";
import { useOneWording } from "../cli/command-errors.ts";
import { statuses } from "../cli/statuses.ts";
import { choose } from "../judge/choose.ts";

/** A command by its name in package.json, to which arguments and options are added. */
export function script(name: string, description: string): Command {
  const command = new Command(name)
    .description(description)
    .configureHelp({ commandUsage: (own) => `npm run ${own.name()} -- ${own.usage()}` })
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? statuses.good : statuses.badInput));
  useOneWording(command, name);
  return command;
}

/** A parser of several ops, such as attention or attention.forward; to their names. */
export function opNames(text: string, before: readonly string[] = []): string[] {
  try {
    return [...before, ...choose([text]).map(({ operation }) => operation.name)];
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
