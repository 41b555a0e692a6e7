// UTF-8 as sentencepiece reads it: a byte that begins no well-formed character becomes U+FFFD, and the next byte is tried.
//
// Well-formed is Unicode's table 3-7: the shortest form, no surrogates, at most U+10FFFF. Other decoders (WHATWG's among
// them) put one U+FFFD for several bytes of an unfinished character.

/** The replacement for a byte that is not text. */
export const REPLACEMENT = "\ufffd";

const leastOfLength = [0, 0, 0x80, 0x800, 0x10000];
// Code units joined at once: an engine limits the arguments of a call.
const CHUNK = 4096;

/** Bytes → text. */
export function fromUtf8(bytes: Uint8Array): string {
  const parts: string[] = [];
  let chunk: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const found = codePointAt(bytes, at);
    at += found < 0 ? 1 : utf8Length(found);
    if (found < 0x10000) chunk.push(found < 0 ? 0xfffd : found);
    else chunk.push(0xd800 + ((found - 0x10000) >> 10), 0xdc00 + (found & 0x3ff));
    if (chunk.length >= CHUNK) {
      parts.push(String.fromCharCode(...chunk));
      chunk = [];
    }
  }
  parts.push(String.fromCharCode(...chunk));
  return parts.join("");
}

/** Bytes of a code point in UTF-8. */
export function utf8Length(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

/** Byte i of a code point in UTF-8, i < utf8Length(codePoint). */
export function utf8Byte(codePoint: number, i: number): number {
  const length = utf8Length(codePoint);
  const bits = codePoint >> (6 * (length - 1 - i));
  if (i > 0) return 0x80 | (bits & 0x3f);
  return length === 1 ? bits : ((0xf00 >> length) & 0xff) | bits;
}

/** Text → bytes; half a surrogate pair becomes U+FFFD. */
export function toUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3); // A code unit takes at most three.
  let size = 0;
  for (const character of text.replaceAll(/\p{Surrogate}/gu, REPLACEMENT)) {
    const codePoint = character.codePointAt(0) ?? 0;
    for (let i = 0; i < utf8Length(codePoint); i++) bytes[size++] = utf8Byte(codePoint, i);
  }
  return bytes.slice(0, size);
}

/** Bytes one at a time → text; the results of push and end, joined, are fromUtf8 of all the bytes. */
export interface Utf8Decoder {
  push(byte: number): string;
  end(): string;
}

export function utf8Decoder(): Utf8Decoder {
  let pending: number[] = [];
  return {
    push(byte) {
      pending.push(byte);
      let text = "";
      while (pending.length > 0 && !isUnfinished(pending)) {
        const found = codePointAt(pending, 0);
        text += found < 0 ? REPLACEMENT : String.fromCodePoint(found);
        pending = pending.slice(found < 0 ? 1 : utf8Length(found));
      }
      return text;
    },
    end() {
      const text = REPLACEMENT.repeat(pending.length);
      pending = [];
      return text;
    },
  };
}

// The well-formed character that begins there, or −1.
function codePointAt(bytes: ArrayLike<number>, at: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return lead;
  const length = lengthOf(lead);
  if (length === 0 || at + length > bytes.length) return -1;
  let codePoint = lead & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    if (!isTrail(bytes[at + i])) return -1;
    codePoint = (codePoint << 6) | (bytes[at + i] & 0x3f);
  }
  const isSurrogate = codePoint >= 0xd800 && codePoint < 0xe000;
  return codePoint >= leastOfLength[length] && codePoint <= 0x10ffff && !isSurrogate ? codePoint : -1;
}

// The length that a first byte above 0x7f announces; 0 if it is none.
function lengthOf(lead: number): number {
  if (lead >> 5 === 0b110) return 2;
  if (lead >> 4 === 0b1110) return 3;
  return lead >> 3 === 0b11110 ? 4 : 0;
}

function isTrail(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function isUnfinished(bytes: readonly number[]): boolean {
  return bytes.length < lengthOf(bytes[0]) && bytes.slice(1).every(isTrail);
}
