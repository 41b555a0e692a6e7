// What a file asks for in memory is held against what this machine has, before any of it is taken.
import { totalmem } from "node:os";
import { FormatError } from "./error.ts";

/** The share of the available memory that a file may take: what is made of it needs room too. */
const SHARE = 0.8;
/** What is smaller than this together is not worth a look. */
const LEAST = 2 ** 22;

/** Bytes that this process may still take. */
export function availableBytes(): number {
  // Only Linux says what its caches would give back.
  if (process.platform === "linux") return process.availableMemory();
  return Math.min(totalmem(), process.constrainedMemory() || Infinity) / 2;
}

let since = 0;

/**
 * Throws FormatError where `bytes` for `what` are more than this machine has. Called before they are taken; small ones are looked
 * at together, so that many of them are noticed too.
 */
export function checkRoom(path: string, what: string, bytes: number, available: () => number = availableBytes): void {
  since += bytes;
  if (since < LEAST) return;
  since = 0;
  const most = Math.floor(available() * SHARE);
  if (bytes <= most) return;
  const has = `expected at most ${inWords(most)}, for which this machine has room`;
  throw new FormatError(path, `${inWords(bytes)} of memory for ${what}, ${has}`);
}

/** Such as "8.0 GiB" or "12 MiB". */
export function inWords(bytes: number): string {
  const mebi = bytes / 2 ** 20;
  if (mebi < 1) return `${Math.ceil(bytes)} bytes`;
  return mebi < 1024 ? `${Math.ceil(mebi)} MiB` : `${(mebi / 1024).toFixed(1)} GiB`;
}
