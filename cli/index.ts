#!/usr/bin/env node
// The process of `touchstone <command>`.
import { note, unwritable } from "./output.ts";
import { run } from "./program.ts";
import { statuses } from "./statuses.ts";

// A reader that has gone (`| head`) is no error: the rest of the output is dropped. A full disk is bad input.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  note(`touchstone: ${unwritable(error).message}`);
  process.exit(statuses.badInput);
});

// Nobody is left to hear of an error of standard error.
process.stderr.on("error", () => {});

process.exitCode = await run(process.argv.slice(2));
// After using a device, Node never exits on its own. Flush stdout and stderr, then exit.
for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
process.exit();
