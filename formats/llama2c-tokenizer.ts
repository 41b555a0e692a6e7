// llama2.c's tokenizer file: int32 longest piece, then for each piece float32 score, int32 length, bytes; little-endian.
//
// The file does not say what its pieces are; llama2.c's run.c fixes that: ids 0 unknown, 1 begin, 2 end, 3 + byte the 256 bytes.
// A space is written as a space, so U+2581 in a text is a character like any other, as in run.c; the merges, the dummy
// space before the text and the fallback to bytes are SentencePiece's, which run.c imitates. Where run.c falls short, this follows
// sentencepiece: a null character is a byte (C ends the text there), and scores below −10¹⁰ merge too.
import {
  bytePiece,
  checkModel,
  llamaFlags,
  MOST_PIECES,
  type Piece,
  type TokenizerModel,
} from "../reference/text/tokenizer-model.ts";
import { FormatError } from "./error.ts";

const FIRST_BYTE = 3;
const FIRST_NORMAL = FIRST_BYTE + 256;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The vocabulary in the bytes of such a file. Throws FormatError for a file that is cut, or whose first pieces are not those. */
export function parseLlama2cTokenizer(path: string, bytes: Uint8Array): TokenizerModel {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) throw new FormatError(path, `has ${bytes.length} bytes, expected the longest piece as int32`);
  const longest = view.getInt32(0, true);
  const pieces: Piece[] = [];
  for (let at = 4; at < bytes.length;) {
    const id = pieces.length;
    const where = `piece ${id} at byte ${at}`;
    if (at + 8 > bytes.length) throw new FormatError(path, `${where} is cut, expected its score and length`);
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    at += 8;
    if (!(length > 0 && length <= longest && at + length <= bytes.length)) {
      const most = Math.min(longest, bytes.length - at);
      throw new FormatError(path, `${where} has length ${length}, expected 1 to ${most}`);
    }
    if (id === MOST_PIECES) throw new FormatError(path, `has more than ${MOST_PIECES} pieces, expected fewer`);
    pieces.push({ text: textOf(path, where, bytes.subarray(at, at + length)), score, type: typeOf(id) });
    at += length;
  }
  if (pieces.length < FIRST_NORMAL) {
    throw new FormatError(
      path,
      `has ${pieces.length} pieces, expected at least ${FIRST_NORMAL}: three specials and 256 bytes`,
    );
  }
  for (let byte = 0; byte < 256; byte++) {
    const { text } = pieces[FIRST_BYTE + byte];
    if (text !== bytePiece(byte)) {
      throw new FormatError(path, `piece ${FIRST_BYTE + byte} is ${JSON.stringify(text)}, expected ${bytePiece(byte)}`);
    }
  }
  const model: TokenizerModel = {
    ...llamaFlags,
    pieces,
    space: " ",
    bosPiece: pieces[1].text,
    eosPiece: pieces[2].text,
  };
  try {
    checkModel(model);
  } catch (error) {
    throw new FormatError(path, (error as Error).message, { cause: error });
  }
  return model;
}

function typeOf(id: number): Piece["type"] {
  if (id === 0) return "unknown";
  if (id < FIRST_BYTE) return "control";
  return id < FIRST_NORMAL ? "byte" : "normal";
}

function textOf(path: string, where: string, bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new FormatError(path, `${where} is not UTF-8, expected text`, { cause: error });
  }
}
