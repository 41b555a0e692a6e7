#!/usr/bin/env node
// The process of `touchstone <command>`.
import { note, unwritable } from "./output.ts";
import { report, run } from "./program.ts";
import { statuses } from "./statuses.ts";

/** Node's exit status where nothing is left that could settle what a module awaits. */
const UNSETTLED = 13;

// A reader that has gone (`| head`) is no error: the rest of the output is dropped. A full disk is bad input.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  note(`touchstone: ${unwritable(error).message}`);
  process.exit(statuses.badInput);
});

// Nobody is left to hear of an error of standard error.
process.stderr.on("error", () => {});

// What nobody caught is a defect. Node's own exit statuses, 1 and 13, would say that a kernel is wrong, or nothing.
process.on("uncaughtException", (thrown) => process.exit(report(thrown)));
process.on("exit", () => {
  if (process.exitCode !== UNSETTLED) return;
  note("touchstone: internal error: nothing is left that the command could wait for");
  process.exitCode = statuses.internalError;
});

process.exitCode = await run(process.argv.slice(2));
// After using a device, Node never exits on its own. Flush stdout and stderr, then exit.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit();
