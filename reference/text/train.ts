// Learns a vocabulary by byte-pair encoding (Sennrich et al. 2016, algorithm 1): the pair of neighbours that is most frequent
// becomes a piece and is joined everywhere, again and again. Of equally frequent ones the shorter text comes first, then the
// one first in code units, so that the same words give the same pieces.
//
//   count(l, r) = Σ over words of (count of the word in the text) · (how often r follows l in it)
import { bytePiece, llamaFlags, type Piece, type TokenizerModel } from "./tokenizer-model.ts";
import { joined, type Shape, shapeOf } from "./train-shape.ts";
import { queue } from "./train-queue.ts";

export interface TrainingOptions {
  /** Pieces in all: three specials, 256 bytes, joined texts, characters. */
  readonly vocabSize: number;
  /** The share of the text's characters that become pieces; the rarest are left to the bytes. */
  readonly characterCoverage: number;
  /** Code points of a piece. */
  readonly longestPiece: number;
}

/** LLaMA's, and sentencepiece's. */
export const trainingDefaults = { characterCoverage: 0.99995, longestPiece: 16 } as const;

const SPECIALS = 3;
/** Two symbols as one number: there are fewer than 2²⁶. */
const SYMBOL = 1 << 26;
/** A character that is not a piece: it joins nothing. */
const NONE = -1;

interface Pair {
  readonly left: number;
  readonly right: number;
  readonly text: string;
  readonly shape: Shape;
  count: number;
  /** Places of the left symbol; some are out of date. */
  where: number[];
}

/**
 * A vocabulary, with LLaMA's flags, for words and their counts in a text, as WordCounter gives them. `progress` is called with
 * the share of the pieces found. Throws RangeError when the vocabulary is smaller than its specials, bytes and characters, or
 * larger than the text allows.
 */
export function trainTokenizer(
  words: ReadonlyMap<string, number>,
  options: TrainingOptions,
  progress: (share: number) => void = () => {},
): TokenizerModel {
  const characters = coveredCharacters(words, options.characterCoverage);
  const fixed = SPECIALS + 256 + characters.length;
  const wanted = options.vocabSize - fixed;
  if (!(wanted >= 0)) {
    throw new RangeError(
      `a vocabulary of ${options.vocabSize} pieces is too small, expected at least ${fixed}: ` +
        `${SPECIALS} specials, 256 bytes, ${characters.length} characters`,
    );
  }
  const learnt = learn(words, characters, wanted, options.longestPiece, progress);
  if (learnt.length < wanted) {
    throw new RangeError(
      `a vocabulary of ${options.vocabSize} pieces is too large for the text, expected at most ${fixed + learnt.length}`,
    );
  }
  const pieces: Piece[] = [
    { text: "<unk>", score: 0, type: "unknown" },
    { text: llamaFlags.bosPiece, score: 0, type: "control" },
    { text: llamaFlags.eosPiece, score: 0, type: "control" },
    ...Array.from({ length: 256 }, (_, byte): Piece => ({ text: bytePiece(byte), score: 0, type: "byte" })),
    ...[...learnt, ...characters].map((text, i): Piece => ({ text, score: 0 - i, type: "normal" })),
  ];
  return { ...llamaFlags, pieces };
}

/** The characters that make up that share of the text, the most frequent first; the space in any case. */
function coveredCharacters(words: ReadonlyMap<string, number>, coverage: number): string[] {
  const counts = new Map<string, number>();
  let all = 0;
  for (const [word, times] of words) {
    for (const character of word) {
      counts.set(character, (counts.get(character) ?? 0) + times);
      all += times;
    }
  }
  const sorted = [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  let covered = 0;
  const kept = sorted.filter(([character, count]) => {
    const isWanted = covered < coverage * all || character === llamaFlags.space;
    covered += count;
    return isWanted;
  });
  return kept.map(([character]) => character);
}

/** At most `expected` joined texts, in the order in which they are found. */
function learn(
  words: ReadonlyMap<string, number>,
  characters: readonly string[],
  wanted: number,
  longest: number,
  progress: (share: number) => void,
): string[] {
  const texts = [...characters];
  const shapes = characters.map(shapeOf);
  const symbols = new Map(characters.map((text, i) => [text, i]));
  const { sequence, weight } = layOut(words, symbols);
  // The neighbours that are left; a place that was joined to its left one is NONE, and no neighbour of anything.
  const next = Int32Array.from(sequence, (_, i) => i + 1);
  const previous = Int32Array.from(sequence, (_, i) => i - 1);

  const pairs = new Map<number, Pair | undefined>();
  const frequent = queue<{ readonly pair: Pair; readonly count: number }>(comesFirst);
  const grown = new Set<Pair>();

  function pairAt(at: number): Pair | undefined {
    const [left, right] = [sequence[at], sequence[next[at]]];
    if (!(left >= 0 && right >= 0)) return undefined;
    const key = left * SYMBOL + right;
    let pair = pairs.get(key);
    if (pair === undefined && !pairs.has(key)) {
      const shape = joined(shapes[left], shapes[right], longest);
      pair = shape && { left, right, text: texts[left] + texts[right], shape, count: 0, where: [] };
      pairs.set(key, pair);
    }
    return pair;
  }
  function gain(at: number): void {
    const pair = pairAt(at);
    if (pair === undefined) return;
    pair.count += weight[at];
    pair.where.push(at);
    grown.add(pair);
  }
  function lose(at: number): void {
    const pair = pairAt(at);
    if (pair !== undefined) pair.count -= weight[at];
  }
  function enqueueGrown(): void {
    for (const pair of grown) frequent.push({ pair, count: pair.count });
    grown.clear();
  }

  for (let at = 0; at < sequence.length; at++) gain(at);
  enqueueGrown();
  const learnt: string[] = [];
  while (learnt.length < wanted) {
    const entry = frequent.pop();
    if (entry === undefined) break;
    const { pair, count } = entry;
    if (count > pair.count && pair.count > 0) frequent.push({ pair, count: pair.count });
    if (count !== pair.count || count === 0) continue;
    // Two ways to one text are one piece: the second way is joined as well and adds none.
    let symbol = symbols.get(pair.text);
    if (symbol === undefined) {
      symbol = texts.push(pair.text) - 1;
      shapes.push(pair.shape);
      symbols.set(pair.text, symbol);
      learnt.push(pair.text);
      if (learnt.length % 64 === 0) progress(learnt.length / wanted);
    }
    // From left to right, since of three equal symbols the first two are joined.
    for (const at of pair.where.toSorted((a, b) => a - b)) {
      const right = next[at];
      if (sequence[at] !== pair.left || sequence[right] !== pair.right) continue;
      lose(at);
      if (previous[at] >= 0) lose(previous[at]);
      lose(right);
      sequence[at] = symbol;
      sequence[right] = NONE;
      next[at] = next[right];
      if (next[at] < sequence.length) previous[next[at]] = at;
      if (previous[at] >= 0) gain(previous[at]);
      gain(at);
    }
    pair.where = [];
    enqueueGrown();
  }
  return learnt;
}

/** The words one after the other, NONE after each, and the count of each place in the text. */
function layOut(
  words: ReadonlyMap<string, number>,
  symbols: ReadonlyMap<string, number>,
): { sequence: Int32Array; weight: Float64Array } {
  let size = 0;
  for (const word of words.keys()) size += word.length + 1;
  const sequence = new Int32Array(size).fill(NONE);
  const weight = new Float64Array(size);
  let at = 0;
  for (const [word, times] of words) {
    for (const character of word) {
      sequence[at] = symbols.get(character) ?? NONE;
      weight[at++] = times;
    }
    at++;
  }
  return { sequence: sequence.subarray(0, at), weight };
}

type Entry = { readonly pair: Pair; readonly count: number };

function comesFirst(a: Entry, b: Entry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.pair.shape.length !== b.pair.shape.length) return a.pair.shape.length < b.pair.shape.length;
  if (a.pair.text !== b.pair.text) return a.pair.text < b.pair.text;
  return a.pair.left < b.pair.left;
}
