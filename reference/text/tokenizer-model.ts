// A SentencePiece vocabulary: its pieces, and the flags for normalising text. The names are those of
// sentencepiece_model.proto.
import { toUtf8 } from "./tokenizer-utf8.ts";

export type PieceType = "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte";

export interface Piece {
  readonly text: string;
  /** Of two possible merges the one whose result has the higher score comes first. */
  readonly score: number;
  readonly type: PieceType;
}

export interface TokenizerModel {
  /** Its index is a piece's id. */
  readonly pieces: readonly Piece[];
  /** Whether an unknown character becomes the pieces of its UTF-8 bytes. */
  readonly byteFallback: boolean;
  /** Whether a space is put before the text (after it, when spaces are suffixes). */
  readonly addDummyPrefix: boolean;
  /** Whether spaces at both ends are removed, and runs of them become one. */
  readonly removeExtraWhitespaces: boolean;
  /** Whether a space in the text becomes `space`. */
  readonly escapeWhitespaces: boolean;
  readonly treatWhitespaceAsSuffix: boolean;
  /** The character for a space within the pieces: U+2581 in SentencePiece's files. */
  readonly space: string;
  /** The text to which the unknown piece decodes. */
  readonly unkSurface: string;
  /** The names of the begin and end tokens: control pieces, or absent. */
  readonly bosPiece: string;
  readonly eosPiece: string;
}

/** LLaMA's flags. */
export const llamaFlags = {
  byteFallback: true,
  addDummyPrefix: true,
  removeExtraWhitespaces: false,
  escapeWhitespaces: true,
  treatWhitespaceAsSuffix: false,
  space: "\u2581",
  unkSurface: " \u2047 ",
  bosPiece: "<s>",
  eosPiece: "</s>",
} as const satisfies Omit<TokenizerModel, "pieces">;

/** UTF-8 bytes of the longest piece that sentencepiece takes. */
const LONGEST_PIECE = 7999;
/** Pieces of a vocabulary: four times as many as the largest for LLaMAs has. */
export const MOST_PIECES = 1 << 20;
/** Characters in all pieces, twice as many as such a vocabulary has: encoding keeps two trees of them. */
const MOST_CHARACTERS = 1 << 22;

/** Whether text can become this piece: true for all except unknown, control and byte pieces. */
export function isOrdinary({ type }: Piece): boolean {
  return type === "normal" || type === "user-defined" || type === "unused";
}

/** The byte that "<0x00>" to "<0xFF>" stand for; −1 for any other text. */
export function byteOf(text: string): number {
  return /^<0x[0-9A-F]{2}>$/.test(text) ? Number.parseInt(text.slice(3, 5), 16) : -1;
}

/** "<0x00>" to "<0xFF>". */
export function bytePiece(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** Throws RangeError for pieces that sentencepiece would refuse as well, and for a score that is not a number. */
export function checkModel({ pieces, byteFallback }: TokenizerModel): void {
  const ordinary = new Set<string>();
  const reserved = new Set<string>();
  const bytes = new Set<number>();
  let unknowns = 0;
  let characters = 0;
  if (pieces.length > MOST_PIECES) {
    throw new RangeError(`vocabulary has ${pieces.length} pieces, expected at most ${MOST_PIECES}`);
  }
  for (const [id, piece] of pieces.entries()) {
    const { text, score, type } = piece;
    // A character has at most three bytes for each code unit, so a short text needs no measuring.
    const problem =
      text === ""
        ? "is empty, expected a text"
        : text.includes("\0")
          ? "holds a null character, expected none"
          : text.length * 3 > LONGEST_PIECE && toUtf8(text).length > LONGEST_PIECE
            ? `is ${toUtf8(text).length} bytes long, expected at most ${LONGEST_PIECE}`
            : Number.isNaN(score)
              ? "has score NaN, expected a number"
              : undefined;
    if (problem !== undefined) throw new RangeError(`piece ${id} ${problem}`);
    characters += text.length;
    if (characters > MOST_CHARACTERS) {
      throw new RangeError(`piece ${id} is one of over ${MOST_CHARACTERS} characters in all, expected fewer`);
    }
    const seen = isOrdinary(piece) ? ordinary : reserved;
    if (seen.has(text)) throw new RangeError(`piece ${id} repeats ${named(text)}, expected each once`);
    seen.add(text);
    if (type === "unknown" && ++unknowns > 1)
      throw new RangeError(`piece ${id} is a second unknown piece, expected one`);
    if (type === "byte") {
      if (!byteFallback) throw new RangeError(`piece ${id} is a byte, expected none without byte_fallback`);
      if (byteOf(text) < 0) throw new RangeError(`byte piece ${id} is ${named(text)}, expected <0x00> to <0xFF>`);
      bytes.add(byteOf(text));
    }
  }
  if (unknowns === 0) throw new RangeError(`none of ${pieces.length} pieces is the unknown one, expected one`);
  if (byteFallback && bytes.size < 256) {
    throw new RangeError(`${bytes.size} of the 256 byte pieces are there, expected all with byte_fallback`);
  }
}

function named(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
