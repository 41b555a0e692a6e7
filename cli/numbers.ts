// Numbers as people write them on a command line, and one wording for those that do not fit.
import { InvalidArgumentError, Option } from "commander";
import { mostJobs, PER_CORE } from "../judge/jobs/most.ts";
import { ALLOWED_UNJUDGED } from "../judge/conclusion.ts";

/** What K, M, B and T stand for: powers of 1,000, as tokens of a run and parameters are counted. */
export const decimal: Readonly<Record<string, bigint>> = { K: 10n ** 3n, M: 10n ** 6n, B: 10n ** 9n, T: 10n ** 12n };
/** Powers of 1,024, as the tokens of a batch are counted: 4M are 2,048 sequences of 2,048. */
export const binary: Readonly<Record<string, bigint>> = { K: 1n << 10n, M: 1n << 20n };
/** Powers of 1,000, as memory is sold. */
export const bytes: Readonly<Record<string, bigint>> = { K: 10n ** 3n, M: 10n ** 6n, G: 10n ** 9n, T: 10n ** 12n };

/** The largest seed: generators take 32 bits. */
export const LARGEST_SEED = 2 ** 32 - 1;

/** A parser of whole numbers from `min` to `max`. It throws InvalidArgumentError, before which commander puts the option. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number ${range}`);
  };
}

/** A parser of a number of cases in hand at once. */
export function jobs(text: string): number {
  const most = mostJobs();
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= most) return value;
  throw new InvalidArgumentError(
    `expected a whole number from 1 to ${most}: ${PER_CORE} for each core of this machine, and at most 16`,
  );
}

/** A parser of numbers from `min` to `max`, such as 0.5 or 1e-11; `above` leaves `min` itself out. */
export function real(min: number, max = Infinity, above = false): (text: string) => number {
  const least = above ? `above ${min}` : max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = /^(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    if ((above ? value > min : value >= min) && value <= max && value < Infinity) return value;
    throw new InvalidArgumentError(`expected a number ${least}`);
  };
}

/** A parser of lists such as 1,10. */
export function list(one: (text: string) => number): (text: string) => number[] {
  return (text) => text.split(",").map(one);
}

/** A parser of counts from 1 to the largest safe integer, such as 1.4T, 4M or 2048. */
export function quantity(units: Readonly<Record<string, bigint>>): (text: string) => number {
  return (text) => {
    const [, digits, fraction = "", unit] = /^(\d{1,20})(?:\.(\d{1,15}))?([A-Z]?)$/.exec(text) ?? [];
    const factor = unit === "" ? 1n : Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (digits !== undefined && factor !== undefined) {
      const scaled = BigInt(digits + fraction) * factor;
      const divisor = 10n ** BigInt(fraction.length);
      const value = Number(scaled / divisor);
      if (scaled % divisor === 0n && value >= 1 && Number.isSafeInteger(value)) return value;
    }
    const [first, last] = [Object.keys(units)[0], Object.keys(units).at(-1)];
    throw new InvalidArgumentError(
      `expected a whole number of at least 1, such as 2048, or with a unit ${first} … ${last}, such as 1.5${last}`,
    );
  };
}

/** The option of every command that judges elements. */
export function allowUnjudged(): Option {
  return new Option(
    "--allow-unjudged <share>",
    `how much of an output may have no finite bound, 0 to 1 (default: ${ALLOWED_UNJUDGED})`,
  ).argParser(real(0, 1));
}
