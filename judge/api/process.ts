// A process as a candidate, for programs that use the library: the judge supplies the op and the dtype.
import type { Candidate } from "../../reference/candidate.ts";
import { ownTimeout } from "../candidates/limited.ts";
import { startProcess } from "../candidates/process.ts";
import { checkFields, fieldsOf, shown } from "./input.ts";

/**
 * How a process is run.
 *
 * @example
 * ```ts
 * import { processCandidate, type ProcessCandidateOptions } from "touchstone-llama/node";
 *
 * const options: ProcessCandidateOptions = { timeout: 5_000 };
 * const candidate = processCandidate("python3 mine.py", options);
 * ```
 */
export interface ProcessCandidateOptions {
  /** Milliseconds that one case may take; those of the judge if left out, and 30,000 where it has none either. */
  readonly timeout?: number;
}

/**
 * A program in any language as a candidate: it starts with the first case, lives in a process of its own, and answers one
 * JSON line a case (docs/protocol.md). A crash, a hang, a wrong answer or a corrupt file is a finding, and its files are kept.
 * `judge` ends it. Throws TypeError or RangeError for an empty command or bad options.
 *
 * @example
 * ```ts
 * import { judge, targets } from "touchstone-llama";
 * import { processCandidate } from "touchstone-llama/node";
 *
 * const kernel = processCandidate("python3 mine.py"); // serves touchstone.serve(kernel), golden/clients/python
 * const { passed, findings } = await judge("rmsnorm.forward", kernel, { runs: 5, target: targets.cuda });
 * ```
 */
export function processCandidate(command: string, options: ProcessCandidateOptions = {}): Candidate {
  if (typeof command !== "string") throw new TypeError(`command: got ${shown(command)}, expected a line for the shell`);
  if (command.trim() === "")
    throw new RangeError('command is empty, expected a line for the shell, such as "python3 mine.py"');
  checkFields(fieldsOf(options, "options", "{ timeout }"), "options", ["timeout"]);
  const { timeout } = options;
  if (timeout !== undefined && typeof timeout !== "number")
    throw new TypeError(`options.timeout: got ${shown(timeout)}, expected milliseconds`);
  if (timeout !== undefined && !(timeout > 0 && timeout < Infinity)) {
    throw new RangeError(`options.timeout: got ${timeout}, expected a positive number of milliseconds`);
  }
  return {
    name: command,
    run: () => Promise.reject(new Error("the process does not know its op yet, expected a run by judge")),
    under: (operation, dtype, signal, asked) => {
      const terms = { command, operation, dtype, timeout: ownTimeout(timeout, asked) };
      return startProcess({ ...terms, ...(signal === undefined ? {} : { signal }) });
    },
  };
}
