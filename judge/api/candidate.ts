// A candidate as a user gives it: a function, or something with a name and `run`, and how long it may take.
import type { Candidate } from "../../reference/candidate.ts";
import { functionCandidate } from "../candidates/function.ts";
import { DEFAULT_TIMEOUT } from "../candidates/limited.ts";
import type { Chosen } from "../choose.ts";
import type { Terms } from "../terms.ts";
import { shown } from "./input.ts";
import { termsFields } from "./terms.ts";

/** Throws TypeError unless it is one. */
export function candidateOf({ operation }: Chosen, candidate: unknown): Candidate {
  if (typeof candidate === "function") {
    return functionCandidate(candidate.name || "the kernel", operation, candidate as never);
  }
  return asCandidate(candidate, "candidate", "a function or { name, run }");
}

function asCandidate(value: unknown, where: string, expected = "{ name, run }"): Candidate {
  const { name, run } = (value ?? {}) as Partial<Candidate>;
  if (typeof name === "string" && typeof run === "function") return value as Candidate;
  throw new TypeError(`${where}: got ${shown(value)}, expected ${expected}`);
}

/** The candidate for one op and dtype, and its limit for a run; what knows its op and dtype keeps to a limit of its own. */
export function readyUnder(
  judged: Candidate,
  { operation }: Chosen,
  { dtype }: Terms,
  { signal, timeout }: { readonly signal?: AbortSignal | undefined; readonly timeout?: number | undefined },
): { readonly ready: Candidate; readonly timeout: number } {
  if (judged.under === undefined) return { ready: judged, timeout: timeout ?? DEFAULT_TIMEOUT };
  const ready = judged.under(operation, dtype, signal, timeout);
  return { ready: asCandidate(ready, "what candidate.under returns"), timeout: Infinity };
}

/** The fields of some options that are terms. */
export function termsIn(options: Readonly<Record<string, unknown>> | object): Record<string, unknown> {
  const isTerm = (name: string): boolean => (termsFields as readonly string[]).includes(name);
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => isTerm(name) && value !== undefined));
}

/** A positive number, or undefined where there is none. Throws TypeError or RangeError for anything else. */
export function positive(given: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw new TypeError(`options.${name}: got ${shown(value)}, expected a number`);
  if (value > 0 && value < Infinity) return value;
  throw new RangeError(`options.${name}: got ${shown(value)}, expected a positive number`);
}
