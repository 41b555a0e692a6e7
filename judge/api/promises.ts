// Options that judge and invariance share: what a kernel promises, its seed, its limits, and the signal that ends it.
import { Deadline } from "../deadline.ts";
import { positive } from "./candidate.ts";
import { checkFields, checkWhole, fieldsOf, shown } from "./input.ts";
import { termsFields } from "./terms.ts";

const promisesFields = ["seed", "seconds", "timeout", "nondeterministic", "bitwise", "sizes", "signal"] as const;

/** The options with their defaults; those that were left out altogether are not among them. */
export interface Promised {
  readonly seed: number;
  readonly nondeterministic: boolean;
  readonly bitwise: boolean;
  readonly signal: AbortSignal | undefined;
  readonly deadline: Deadline;
}

/** Checks them, and that every other option is known. Throws TypeError or RangeError. */
export function promisesOf(
  options: unknown,
  others: readonly string[] = [],
): Promised & { readonly given: Readonly<Record<string, unknown>> } {
  const fields = fieldsOf(options, "options", "an object");
  checkFields(fields, "options", [...termsFields, ...others, ...promisesFields]);
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const { seed = 1, nondeterministic = false, bitwise = false, signal } = given;
  checkWhole(seed, "options.seed", 0, 0x7fffffff);
  for (const [name, value] of Object.entries({ nondeterministic, bitwise })) {
    if (typeof value !== "boolean") throw new TypeError(`options.${name}: got ${shown(value)}, expected a boolean`);
  }
  if (nondeterministic === true && bitwise === true) {
    throw new RangeError("options.bitwise: got true with options.nondeterministic, expected only one of them");
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`options.signal: got ${shown(signal)}, expected an AbortSignal`);
  }
  positive(given, "timeout");
  const deadline = new Deadline({ seconds: positive(given, "seconds"), signal });
  return { seed, nondeterministic, bitwise, signal, deadline, given } as ReturnType<typeof promisesOf>;
}

/** A text that says which sizes there are, or undefined. Throws TypeError for anything else. */
export function sizesIn({ sizes }: Readonly<Record<string, unknown>>, example: string): string | undefined {
  if (sizes === undefined || typeof sizes === "string") return sizes;
  throw new TypeError(`options.sizes: got ${shown(sizes)}, expected a text such as ${JSON.stringify(example)}`);
}
