// Cases that a candidate refuses: it says that it does not support them, which is no failure.
//
// A refusal may hide a fault, so it is held to three things. It is the same each time on the same inputs; it leaves inputs as they are
// and no outputs behind; and a candidate that refuses some numbers of sizes of which it answers others is never passed.
import { Unsupported } from "../../reference/candidate.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { thrownLine } from "./result.ts";

/** Longer reasons end here. */
const LONGEST_REASON = 200;
/** Inputs of more numbers are not remembered. */
const MOST_NUMBERS = 1 << 13;

/** Whether a candidate threw that it does not support a case. Its class may be another copy of the package's, and what it threw may be hostile. */
export function isUnsupported(thrown: unknown): boolean {
  try {
    return (thrown as { readonly name?: unknown } | null | undefined)?.name === "Unsupported";
  } catch {
    return false;
  }
}

/** The refusal of a candidate's own error: its reason in one short line. */
export function refusalOf(thrown: unknown): Unsupported {
  return new Unsupported(reasonIn(thrownLine(thrown)));
}

/** A reason, whatever it is, in one short line without control characters. */
export function reasonIn(text: string): string {
  const line = thrownLine({ message: text }).trim();
  if (line === "") return "no reason given";
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}…` : line;
}

/** Inputs: their sizes, and a fingerprint of their numbers unless these are too many. */
interface Key {
  readonly sizes: string;
  readonly numbers?: string;
}

/** What a candidate refused and answered, by sizes and by numbers. */
export class Refusing {
  /** Reasons for refusing numbers of sizes of which others were answered. */
  readonly byNumbers = new Set<string>();
  private readonly reasons = new Map<string, string>();
  private readonly haveAnswers = new Set<string>();
  private readonly known = new Map<string, "answered" | "refused">();

  keyOf(inputs: Inputs, scalars: Scalars): Key {
    const list = Object.values(inputs);
    const sizes = JSON.stringify([list.map(({ shape }) => shape), scalars]);
    if (list.reduce((sum, { data }) => sum + data.length, 0) > MOST_NUMBERS) return { sizes };
    return { sizes, numbers: [sizes, ...list.map(({ data }) => hashOf(data))].join(" ") };
  }

  /** Throws an Error where the candidate has refused the same inputs before. */
  answered(key: Key): void {
    this.note(key, "answered");
    this.haveAnswers.add(key.sizes);
    const reason = this.reasons.get(key.sizes);
    if (reason !== undefined) this.byNumbers.add(reason);
  }

  /** Throws an Error where the candidate has answered the same inputs before. */
  refused(key: Key, reason: string): void {
    this.note(key, "refused");
    this.reasons.set(key.sizes, reason);
    if (this.haveAnswers.has(key.sizes)) this.byNumbers.add(reason);
  }

  private note({ numbers }: Key, now: "answered" | "refused"): void {
    if (numbers === undefined) return;
    const before = this.known.get(numbers);
    this.known.set(numbers, now);
    if (before !== undefined && before !== now)
      throw new Error(`${now} a case that it had ${before} before, expected the same for the same inputs`);
  }
}

/** 64 bits of all bytes: FNV-1a over words, twice, from two beginnings. */
function hashOf(data: Inputs[string]["data"]): string {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.byteLength / Uint32Array.BYTES_PER_ELEMENT);
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ (word >>> 7) ^ (word << 25), 0x85ebca6b);
  }
  return `${(a >>> 0).toString(16)}${(b >>> 0).toString(16)}`;
}
