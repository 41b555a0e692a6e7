// Counts as people write them: 1.4T, 4M, 2048. The digits must come out as a whole number.
import { InvalidArgumentError } from "commander";

/** What K, M, B and T stand for: powers of 1,000, as tokens of a run and parameters are counted. */
export const decimal: Readonly<Record<string, bigint>> = { K: 10n ** 3n, M: 10n ** 6n, B: 10n ** 9n, T: 10n ** 12n };
/** Powers of 1,024, as the tokens of a batch are counted: 4M are 2,048 sequences of 2,048. */
export const binary: Readonly<Record<string, bigint>> = { K: 1n << 10n, M: 1n << 20n };

/** A parser of counts from 1 to the largest safe integer. Throws InvalidArgumentError for anything else. */
export function quantity(units: Readonly<Record<string, bigint>>): (text: string) => number {
  return (text) => {
    const [, whole, fraction = "", unit] = /^(\d{1,20})(?:\.(\d{1,15}))?([A-Z]?)$/.exec(text) ?? [];
    const factor = unit === "" ? 1n : Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (whole !== undefined && factor !== undefined) {
      const scaled = BigInt(whole + fraction) * factor;
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
