#!/usr/bin/env node
// touchstone <command>: registers every command, and turns whatever is thrown into one line and an exit status.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import * as blame from "./blame.ts";
import * as check from "./check.ts";
import * as convert from "./convert.ts";
import * as diff from "./diff.ts";
import * as evaluate from "./evaluate.ts";
import * as generate from "./generate.ts";
import * as golden from "./golden.ts";
import * as inspect from "./inspect.ts";
import * as ops from "./ops.ts";
import * as plan from "./plan.ts";
import * as tokenize from "./tokenize.ts";
import * as tokenizer from "./tokenizer.ts";
import * as trace from "./trace.ts";
import * as train from "./train.ts";

// 0 good, 1 finding, 2 bad input or no device, 3 internal error, 130 interrupted.
const BAD_INPUT = 2;
const INTERNAL_ERROR = 3;
const badInput = new Set(["UserError", "RangeError", "FormatError", "ProtocolError", "NoDeviceError"]);
// What the engine itself throws under the name RangeError is a defect, not bad input.
const engineErrors = /^(Invalid (array|typed array|string) length|Maximum call stack|Array buffer allocation)/;

// Nobody reads any more (`| head`): what is still to be said goes nowhere. A full disk is bad input.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  process.stderr.write(`touchstone: standard output cannot be written: ${error.message}\n`);
  process.exit(BAD_INPUT);
});

const program = new Command("touchstone")
  .description("A LLaMA training step as a test oracle for GPU kernels.")
  .version(version())
  .exitOverride()
  .showSuggestionAfterError(false)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "touchstone: ")) });

const analysis = [blame, check, diff, golden, ops, plan, trace];
const models = [convert, evaluate, generate, inspect, tokenize, tokenizer, train];
for (const command of [...analysis, ...models]) command.register(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
// A process that has used a device does not end by itself; what it has said must have left it before.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit();

/** Says in one line what was thrown; the exit status. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : BAD_INPUT; // it has printed its line
  const { name, message } = error as Error;
  if (badInput.has(name) && !engineErrors.test(message)) {
    process.stderr.write(`touchstone: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`);
    return BAD_INPUT;
  }
  process.stderr.write(`touchstone: internal error: ${(error as Error).stack ?? String(error)}\n`);
  return INTERNAL_ERROR;
}

function version(): string {
  // Beside this folder in a checkout, one further up when built.
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return "unknown";
}
