// The byte vocabulary: LLaMA's byte fallback alone. Ids 0 unknown, 1 begin, 2 end, then 3 + byte.

/** 256 bytes and three specials. */
export const BYTE_VOCABULARY = 259;
export const BEGIN = 1;
export const END = 2;

const FIRST_BYTE = 3;

/** Bytes → ids. */
export function encode(bytes: Uint8Array): Int32Array {
  return Int32Array.from(bytes, (byte) => FIRST_BYTE + byte);
}

/** Ids → bytes; the specials stand for none. Throws RangeError for an id outside the vocabulary. */
export function decode(ids: Iterable<number>): Uint8Array {
  const bytes: number[] = [];
  for (const id of ids) {
    if (!(Number.isInteger(id) && id >= 0 && id < BYTE_VOCABULARY)) {
      throw new RangeError(`${id} is not an id of the byte vocabulary, expected an integer in [0, ${BYTE_VOCABULARY})`);
    }
    if (id >= FIRST_BYTE) bytes.push(id - FIRST_BYTE);
  }
  return Uint8Array.from(bytes);
}
