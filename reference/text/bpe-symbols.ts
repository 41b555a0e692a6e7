// A vocabulary as numbers, for byte-pair encoding: a symbol is a piece, or a character within a piece.
import { pairTable } from "./bpe-pairs.ts";

export interface Symbols {
  /** The text of each symbol; "" for a piece without a text. */
  readonly texts: readonly string[];
  /** The symbol of a character; −1 if no piece holds it. */
  ofCharacter(codePoint: number): number;
  /** The symbol whose text is both texts joined; −1 if there is none that a merge may make. */
  merge(left: number, right: number): number;
  /** How many different scores are higher: 0 for the best. */
  readonly place: Int32Array;
  /** Whether the two characters stand side by side in some piece. If not, no merge ever spans them. */
  touch(left: number, right: number): boolean;
}

/** Code points of the basic plane have a table; the others, rare, a map. */
const BASIC_PLANE = 0x10000;
/** Sixty times as many as a vocabulary of 32,000 pieces has; only a contrived one has more. */
const MOST_SPLITS = 1 << 23;
/** Characters of pieces that are cut and looked up: a vocabulary of 256,000 pieces needs a tenth. */
const MOST_WORK = 1 << 28;

/**
 * The symbols of pieces: symbol i is piece i, and the characters that are not pieces follow. Pieces without a text (undefined)
 * cannot be made from text. Throws RangeError when there are more than 2²³ ways to join two symbols to a piece.
 */
export function symbolsOf(texts: readonly (string | undefined)[], scores: readonly number[]): Symbols {
  const symbols = new Map<string, number>();
  for (const [i, text] of texts.entries()) if (text !== undefined) symbols.set(text, i);

  const basic = new Int32Array(BASIC_PLANE).fill(-1);
  const others = new Map<number, number>();
  const neighbours: number[] = [];
  const touched = new Set<number>();
  function meet(left: number, right: number): void {
    const pair = left * 0x1000000 + right; // as long as pieces and their characters are fewer than 2²⁴
    if (touched.has(pair)) return;
    touched.add(pair);
    neighbours.push(left, right, 1);
  }
  const all = texts.map((text) => text ?? "");
  for (const text of texts) {
    let left = -1;
    for (const character of text ?? "") {
      const codePoint = character.codePointAt(0) ?? 0;
      let symbol = ofCharacter(codePoint);
      if (symbol < 0) {
        symbol = symbols.get(character) ?? all.push(character) - 1;
        if (codePoint < BASIC_PLANE) basic[codePoint] = symbol;
        else others.set(codePoint, symbol);
        symbols.set(character, symbol);
      }
      if (left >= 0) meet(left, symbol);
      left = symbol;
    }
  }

  function ofCharacter(codePoint: number): number {
    return codePoint < BASIC_PLANE ? basic[codePoint] : (others.get(codePoint) ?? -1);
  }

  const merges = pairTable(splits(texts, symbols));
  const touching = pairTable(neighbours);
  return {
    texts: all,
    ofCharacter,
    merge: merges.get,
    touch: (left, right) => touching.get(left, right) === 1,
    place: places(scores),
  };
}

// Every way in which a piece is two symbols joined: (left, right, piece). Only where symbols of both lengths exist is a text cut
// and looked up. Trees of all characters would need no limit on the work, but a hundred bytes of memory for each character.
function splits(texts: readonly (string | undefined)[], symbols: ReadonlyMap<string, number>): number[] {
  const lengths = new Set<number>();
  for (const text of symbols.keys()) lengths.add(text.length);
  const found: number[] = [];
  let work = 0;
  for (const [piece, text] of texts.entries()) {
    if (text === undefined) continue;
    for (let length = 1; length < text.length; length++) {
      if (!lengths.has(length) || !lengths.has(text.length - length)) continue;
      work += text.length;
      const left = symbols.get(text.slice(0, length));
      if (left === undefined) continue;
      const right = symbols.get(text.slice(length));
      if (right !== undefined) found.push(left, right, piece);
    }
    if (found.length > MOST_SPLITS * 3 || work > MOST_WORK)
      throw new RangeError(`pieces are joined in over ${MOST_SPLITS} ways, expected fewer`);
  }
  return found;
}

function places(scores: readonly number[]): Int32Array {
  const place = new Int32Array(scores.length);
  const order = scores.map((_, i) => i).toSorted((a, b) => compareDown(scores[a], scores[b]));
  for (let i = 1; i < order.length; i++) {
    place[order[i]] = place[order[i - 1]] + (scores[order[i]] === scores[order[i - 1]] ? 0 : 1);
  }
  return place;
}

// Not b − a: two infinities would give NaN.
function compareDown(a: number, b: number): number {
  if (a === b) return 0;
  return a > b ? -1 : 1;
}
