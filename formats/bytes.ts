// Whole reads and whole writes: the operating system may move fewer bytes than asked, and at most 2³¹ − 1 at once.
import { readSync, writeSync } from "node:fs";
import { endianness } from "node:os";

// The formats are little-endian, and typed arrays have the machine's order.
if (endianness() !== "LE") throw new TypeError("this machine is big-endian, expected a little-endian one");

const largestCall = 2 ** 30;

/** The memory of a typed array as bytes (not a copy). */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The same in pieces, since an array of bytes ends at 2³² of them in Node 20, and numbers may take more. */
export function* piecesOf(data: ArrayBufferView, most = largestCall): Generator<Uint8Array> {
  for (let at = 0; at < data.byteLength; at += most) {
    yield new Uint8Array(data.buffer, data.byteOffset + at, Math.min(data.byteLength - at, most));
  }
}

/** Fills `into` from `position` on. Returns how many bytes there were: fewer only where the file ends. */
export function readAt(file: number, position: number, into: Uint8Array): number {
  let done = 0;
  while (done < into.length) {
    const count = readSync(file, into, done, Math.min(into.length - done, largestCall), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all bytes at the file's current position. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, largestCall));
  }
}
