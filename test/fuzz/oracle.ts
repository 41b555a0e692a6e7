// What a reader may do with a bad input: take it, or refuse it in one line of this project's.
import { InvalidArgumentError } from "commander";
import { UserError } from "../../cli/errors.ts";
import { FormatError } from "../../formats/error.ts";

/** How engines and libraries word errors that nobody has foreseen. */
const unforeseen = [
  /Cannot (read|set|assign|convert|destructure|mix|redefine|create|delete|add)/,
  /is not (a function|iterable|defined|a constructor|an object)/,
  /Invalid (array|typed array|string|data view|count|array buffer|Array)/,
  /Maximum call stack|Array buffer allocation|allocation failed|out of memory|heap/i,
  /(outside|out of) (the )?bounds|out of range|Reduce of empty|must be (an? )?(integer|type|of type)|byte length of/,
  /undefined|\[object |NaN is|\bnull\b is/,
];

/** Of a message that is final, and of one that the command line still cuts. */
const longest = { own: 500, others: 20_000 };

/** Why an error is not one that a user should see; undefined if it is fine. */
export function complaintAbout(error: unknown): string | undefined {
  const isOurs =
    error instanceof FormatError ||
    error instanceof UserError ||
    error instanceof InvalidArgumentError ||
    error instanceof RangeError ||
    error instanceof TypeError;
  if (!isOurs) return `threw ${String((error as Error)?.stack ?? error)}`;
  const { message, name } = error;
  const isFinal = !(error instanceof RangeError || error instanceof TypeError);
  if (isFinal && /[\n\r]/.test(message)) return `${name} of several lines: ${message}`;
  const most = isFinal ? longest.own : longest.others;
  if (message.length > most) return `${name} of ${message.length} characters: ${message.slice(0, 200)}`;
  const pattern = unforeseen.find((one) => one.test(message.replaceAll(/"(\\.|[^"\\])*"/g, '""')));
  if (pattern !== undefined) return `${name} that matches ${pattern}: ${error.stack ?? message}`;
  const isEngines = error instanceof RangeError || error instanceof TypeError;
  return isEngines && !message.includes("expected") ? `${name} without "expected": ${error.stack}` : undefined;
}
