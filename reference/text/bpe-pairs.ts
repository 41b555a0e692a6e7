// A table from pairs of small numbers to a number: open addressing, since a Map would need a key object for each look-up.

export interface PairTable {
  /** The value put for the pair; −1 if none was. */
  get(left: number, right: number): number;
}

/** A table of (left, right, value), flat, three numbers each: non-negative integers below 2³¹. The last of equal pairs counts. */
export function pairTable(entries: readonly number[]): PairTable {
  // At most half full, so that a chain of occupied places is short.
  let size = 16;
  while (size < (entries.length / 3) * 2) size *= 2;
  const mask = size - 1;
  const lefts = new Int32Array(size).fill(-1);
  const rights = new Int32Array(size);
  const values = new Int32Array(size);

  function find(left: number, right: number): number {
    let at = hash(left, right) & mask;
    while (lefts[at] !== -1 && (lefts[at] !== left || rights[at] !== right)) at = (at + 1) & mask;
    return at;
  }

  for (let i = 0; i < entries.length; i += 3) {
    const at = find(entries[i], entries[i + 1]);
    lefts[at] = entries[i];
    rights[at] = entries[i + 1];
    values[at] = entries[i + 2];
  }
  return {
    get(left, right) {
      const at = find(left, right);
      return lefts[at] === -1 ? -1 : values[at];
    },
  };
}

// Two rounds of multiplication and shift, so that both numbers reach the low bits.
function hash(left: number, right: number): number {
  const word = Math.imul(left ^ Math.imul(right, 0x9e3779b1), 0x85ebca6b);
  return word ^ (word >>> 15);
}
