// touchstone <command>: registers every command, runs one, and turns whatever is thrown into one line and an exit status.
import { inspect as valueOf } from "node:util";
import { Command, CommanderError } from "commander";
import { asFormatError } from "../formats/system-error.ts";
import * as blame from "./blame.ts";
import * as check from "./check.ts";
import { useOneWording } from "./command-errors.ts";
import * as convert from "./convert.ts";
import * as diff from "./diff.ts";
import * as evaluate from "./evaluate.ts";
import * as generate from "./generate.ts";
import * as golden from "./golden.ts";
import * as inspect from "./inspect.ts";
import * as invariance from "./invariance.ts";
import * as ops from "./ops.ts";
import * as order from "./order.ts";
import { messageLine } from "../formats/printable.ts";
import { leaveStandardOutput, note, refuseNames } from "./output.ts";
import * as plan from "./plan.ts";
import * as tokenize from "./tokenize.ts";
import * as tokenizer from "./tokenizer.ts";
import * as trace from "./trace.ts";
import { inHelp, statuses } from "./statuses.ts";
import * as train from "./train.ts";
import { version } from "./version.ts";

const badInput = new Set(["UserError", "RangeError", "FormatError", "ProtocolError", "NoDeviceError"]);
// A RangeError of the engine itself is a defect, not bad input.
const engineErrors = /^(Invalid (array|typed array|string) length|Maximum call stack|Array buffer allocation)/;

/** Runs a command line, without "touchstone"; returns the exit status. */
export async function run(words: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(words, { from: "user" });
    return Number(process.exitCode ?? statuses.good);
  } catch (error) {
    return report(error);
  } finally {
    process.exitCode = undefined;
    leaveStandardOutput();
  }
}

/** Every command. */
export function program(): Command {
  const touchstone = new Command("touchstone")
    .description("A LLaMA training step as a test oracle for GPU kernels.")
    .version(version())
    .exitOverride()
    .hook("preAction", (_, command) => refuseNames(command))
    .addHelpText("after", `\n${inHelp}`);
  const analysis = [blame, check, diff, golden, invariance, ops, order, plan, trace];
  const models = [convert, evaluate, generate, inspect, tokenize, tokenizer, train];
  for (const command of [...analysis, ...models]) command.register(touchstone);
  useOneWording(touchstone);
  return touchstone;
}

/** Prints in one line what was thrown, whatever that is, and returns the exit status. */
export function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? statuses.good : statuses.badInput; // commander has printed its line
  const { path, what } = placeOf(thrown);
  const { name, message } = (asFormatError(thrown, path, what, "it to succeed") ?? {}) as Partial<Error>;
  if (badInput.has(String(name)) && !engineErrors.test(String(message))) {
    note(`touchstone: ${messageLine(String(message))}`);
    return statuses.badInput;
  }
  note(name === "WorkerEnded" ? `touchstone: internal error: ${messageLine(String(message))}` : internalError(thrown));
  return statuses.internalError;
}

/** Where an error of the operating system comes from that no reader or writer has put into words. */
function placeOf(thrown: unknown): { path: string; what: string } {
  const { path, syscall } = (thrown ?? {}) as Partial<NodeJS.ErrnoException>;
  return { path: path ?? "this machine", what: `${syscall ?? "a system call"} fails` };
}

/** What was thrown in a line, and the frames of its stack. */
function internalError(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [`touchstone: internal error: ${valueOf(thrown)} was thrown`];
  const frames = String(thrown.stack)
    .split("\n")
    .filter((line) => /^ +at /.test(line));
  return [`touchstone: internal error: ${thrown.name}: ${thrown.message}`, ...frames];
}
