// A text of the tests' own, and vocabularies learnt from it: one as LLaMA's, the others with one flag or kind of piece changed.
import type { Piece, TokenizerModel } from "../../reference/text/tokenizer-model.ts";
import { trainTokenizer } from "../../reference/text/train.ts";
import { wordCounter } from "../../reference/text/train-words.ts";

export const prose = `A tokenizer cuts a text into pieces, and the pieces into the text must join again without a seam.
The merchant counted the tokens: the first, the second, the third; then she counted them again, and there were 1024 of them.
"There are too many," said the merchant's daughter, "and the best of them are the longest."
They merged the most frequent pair, then the next most frequent pair, then the next, until there was nothing left to merge.
    if (there.is(nothing)) {
        return the.rest;   // as it is
    }
In the café on the corner a naïve guest ordered “déjà vu” – twice, for 3.50 € and 4.75 €.
Привет, мир! Привет, мерчант! Привет ещё раз.
中文和日本語のテキストもここにある。中文和日本語。
\tA tab begins this line, and another\tstands within it.
The tokens were counted, the pairs were merged, the rest of the text was returned to the merchant of the tokens.
`;

/** Learnt from `prose`. */
export const llama: TokenizerModel = trainTokenizer(words(prose), {
  vocabSize: 480,
  characterCoverage: 0.99,
  longestPiece: 16,
});

/** With further pieces; one of the same text and kind gives way. */
const add = (...pieces: readonly (readonly [text: string, type: Piece["type"], score?: number])[]): TokenizerModel => ({
  ...llama,
  pieces: [
    ...llama.pieces.filter(({ text, type }) => type !== "normal" || pieces.every(([given]) => given !== text)),
    ...pieces.map(([text, type, score = 0]) => ({ text, type, score })),
  ],
});
const change = (alter: (piece: Piece, id: number) => Piece): TokenizerModel => ({
  ...llama,
  pieces: llama.pieces.map(alter),
});

export const variants: Readonly<Record<string, TokenizerModel>> = {
  llama,
  removeExtraWhitespaces: { ...llama, removeExtraWhitespaces: true },
  noDummyPrefix: { ...llama, addDummyPrefix: false },
  noDummyPrefixRemoveExtra: { ...llama, addDummyPrefix: false, removeExtraWhitespaces: true },
  suffix: { ...llama, treatWhitespaceAsSuffix: true },
  suffixRemoveExtra: { ...llama, treatWhitespaceAsSuffix: true, removeExtraWhitespaces: true },
  noEscape: { ...llama, escapeWhitespaces: false },
  noBytes: {
    ...llama,
    byteFallback: false,
    unkSurface: " (?) ",
    pieces: llama.pieces.filter(({ type }) => type !== "byte"),
  },
  userDefined: add(
    ["the", "user-defined"],
    ["there", "user-defined"],
    ["\n\n", "user-defined"],
    ["<sep>", "user-defined"],
    ["\u2581\u2581", "user-defined"],
    ["<ctl>", "control"],
  ),
  userDefinedSpaces: {
    ...add(["  ", "user-defined"], [" x", "user-defined"], ["y ", "user-defined"], ["<a b>", "user-defined"]),
    removeExtraWhitespaces: true,
  },
  unused: change((piece, id) => (piece.type === "normal" && id % 3 === 0 ? { ...piece, type: "unused" } : piece)),
  equalScores: change((piece) => ({ ...piece, score: Math.ceil(piece.score / 20) })),
  infiniteScores: change((piece, id) => ({
    ...piece,
    score: id % 5 === 0 ? Infinity : id % 7 === 0 ? -Infinity : piece.score,
  })),
  reservedNames: add(
    ["<0x41>", "normal", 9],
    ["1>", "normal", 8],
    ["<0x4", "normal", 7],
    ["<0x", "normal", 6],
    ["<0", "normal", 5],
  ),
};

/** Words and their counts. */
export function words(text: string): ReadonlyMap<string, number> {
  const counter = wordCounter();
  counter.add(text);
  return counter.finish();
}
