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
      if (left >= 0) neighbours.push(left, symbol, 1);
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

// Every way in which a piece is two symbols joined: (left, right, piece). Trees of characters, from either end, find all
// beginnings and endings of a text in one walk each, so that long pieces cost no more than their length.
function splits(texts: readonly (string | undefined)[], symbols: ReadonlyMap<string, number>): number[] {
  const fromStart = tree(symbols, (text, i) => text.charCodeAt(i));
  const fromEnd = tree(symbols, (text, i) => text.charCodeAt(text.length - 1 - i));
  const found: number[] = [];
  for (const [piece, text] of texts.entries()) {
    if (text === undefined) continue;
    const lefts = fromStart(text);
    const rights = fromEnd(text);
    for (let length = 1; length < text.length; length++) {
      const [left, right] = [lefts[length], rights[text.length - length]];
      if (left >= 0 && right >= 0) found.push(left, right, piece);
    }
    if (found.length > MOST_SPLITS * 3)
      throw new RangeError(`pieces are joined in over ${MOST_SPLITS} ways, expected fewer`);
  }
  return found;
}

/** For a text that begins this way: the symbol of each length, −1 if there is none. */
function tree(
  symbols: ReadonlyMap<string, number>,
  unitAt: (text: string, i: number) => number,
): (text: string) => Int32Array {
  const children = new Map<number, number>();
  const symbolAt = [-1];
  const child = (node: number, text: string, i: number): number => node * BASIC_PLANE + unitAt(text, i);
  for (const [text, symbol] of symbols) {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const key = child(node, text, i);
      let next = children.get(key);
      if (next === undefined) {
        next = symbolAt.push(-1) - 1;
        children.set(key, next);
      }
      node = next;
    }
    symbolAt[node] = symbol;
  }
  return (text) => {
    const found = new Int32Array(text.length + 1).fill(-1);
    let node: number | undefined = 0;
    for (let i = 0; i < text.length; i++) {
      node = children.get(child(node, text, i));
      if (node === undefined) break;
      found[i + 1] = symbolAt[node];
    }
    return found;
  };
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
