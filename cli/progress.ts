// How far a command has come: a bar on a terminal, plain lines elsewhere. Both go to standard error.
import { SingleBar } from "cli-progress";
import { printable } from "../formats/printable.ts";
import { note } from "./output.ts";

export interface Progress {
  begin(what: string): void;
  /** `share` of step i is done, from 0 to 1. */
  advance(i: number, share: number): void;
  end(line: string): void;
  close(): void;
}

/** Progress over that many steps. */
export function openProgress(steps: number): Progress {
  return process.stderr.isTTY ? bar(steps) : lines(steps);
}

function bar(steps: number): Progress {
  const single = new SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage} % {what}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    hideCursor: true,
  });
  single.start(1000, 0, { what: "" });
  return {
    begin: (what) => single.update({ what: printable(what) }),
    advance: (i, share) => single.update(Math.round((1000 * (i + share)) / steps)),
    end: () => {},
    close: () => single.stop(),
  };
}

function lines(steps: number): Progress {
  let done = 0;
  return {
    begin: () => {},
    advance: () => {},
    end: (line) => {
      note(`[${++done}/${steps}] ${line}`);
    },
    close: () => {},
  };
}
