// SentencePiece's `.model`: a ModelProto (sentencepiece_model.proto, proto2), read and written field by field.
//
//   ModelProto      1 pieces*  2 trainer_spec  3 normalizer_spec  5 denormalizer_spec
//   SentencePiece   1 piece  2 score  3 type
//   TrainerSpec     3 model_type  24 treat_whitespace_as_suffix  35 byte_fallback  44 unk_surface  46 bos_piece  47 eos_piece
//   NormalizerSpec  2 precompiled_charsmap  3 add_dummy_prefix  4 remove_extra_whitespaces  5 escape_whitespaces
//
// The other fields say how the vocabulary was trained; they change nothing afterwards and are skipped.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  checkModel,
  llamaFlags,
  MOST_PIECES,
  type Piece,
  type PieceType,
  type TokenizerModel,
} from "../reference/text/tokenizer-model.ts";
import { writeAtomically } from "./atomic.ts";
import { FormatError } from "./error.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** How the fields of a message are read, by number; a field of another wire type is unknown, as in every protobuf reader. */
type Fields = Readonly<Record<number, readonly [type: WireType, read: (reader: BinaryReader) => unknown]>>;

const { Varint, LengthDelimited, Bit32 } = WireType;
/** SentencePiece.Type, numbered from 1. Any other number is read as absent, as proto2 requires. */
const pieceTypes: readonly PieceType[] = ["normal", "unknown", "control", "user-defined", "unused", "byte"];
/** TrainerSpec.ModelType, likewise. */
const modelTypes: readonly (string | undefined)[] = [undefined, "UNIGRAM", "BPE", "WORD", "CHAR"];

/** How a vocabulary was trained, for those who read the file; the names are sentencepiece's. */
export interface TrainerSpec {
  readonly splitDigits: boolean;
  readonly allowWhitespaceOnlyPieces: boolean;
  readonly characterCoverage: number;
  readonly maxSentencepieceLength: number;
}

/**
 * The vocabulary in a `.model` file's bytes. Throws FormatError if they are not such a file, if sentencepiece would refuse the
 * pieces, or if something is not supported, which it names: a model other than BPE, or a character map (such as NFKC's).
 */
export function parseSentencePiece(path: string, bytes: Uint8Array): TokenizerModel {
  const model: Mutable<TokenizerModel> = {
    ...llamaFlags,
    // proto2's defaults, where LLaMA's vocabulary differs from them.
    byteFallback: false,
    removeExtraWhitespaces: true,
    pieces: [],
  };
  const pieces: Piece[] = [];
  let modelType = modelTypes[1];
  const refuseMap =
    (name: string) =>
    (reader: BinaryReader): void => {
      const { length } = reader.bytes();
      if (length > 0) throw new FormatError(path, `${name} has ${length} bytes, expected none (identity)`);
    };
  function add(piece: Piece): void {
    if (pieces.length === MOST_PIECES)
      throw new FormatError(path, `has more than ${MOST_PIECES} pieces, expected fewer`);
    pieces.push(piece);
  }
  const trainer: Fields = {
    3: [Varint, (r) => (modelType = modelTypes[r.int32()] ?? modelType)],
    24: [Varint, (r) => (model.treatWhitespaceAsSuffix = r.bool())],
    35: [Varint, (r) => (model.byteFallback = r.bool())],
    44: [LengthDelimited, (r) => (model.unkSurface = stringOf(r))],
    46: [LengthDelimited, (r) => (model.bosPiece = stringOf(r) || llamaFlags.bosPiece)],
    47: [LengthDelimited, (r) => (model.eosPiece = stringOf(r) || llamaFlags.eosPiece)],
  };
  const normalizer: Fields = {
    2: [LengthDelimited, refuseMap("normalizer_spec.precompiled_charsmap")],
    3: [Varint, (r) => (model.addDummyPrefix = r.bool())],
    4: [Varint, (r) => (model.removeExtraWhitespaces = r.bool())],
    5: [Varint, (r) => (model.escapeWhitespaces = r.bool())],
  };
  const denormalizer: Fields = { 2: [LengthDelimited, refuseMap("denormalizer_spec.precompiled_charsmap")] };
  try {
    readFields(bytes, {
      1: [LengthDelimited, (r) => add(readPiece(r.bytes()))],
      2: [LengthDelimited, (r) => readFields(r.bytes(), trainer)],
      3: [LengthDelimited, (r) => readFields(r.bytes(), normalizer)],
      5: [LengthDelimited, (r) => readFields(r.bytes(), denormalizer)],
    });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const why = (error as Error).message;
    throw new FormatError(path, `is not a SentencePiece model (${why}), expected a whole ModelProto`, { cause: error });
  }
  if (modelType !== "BPE") {
    throw new FormatError(path, `trainer_spec.model_type is ${modelType}, expected BPE`);
  }
  model.pieces = pieces;
  try {
    checkModel(model);
  } catch (error) {
    throw new FormatError(path, (error as Error).message, { cause: error });
  }
  return model;
}

/** The bytes of a `.model` file. Throws RangeError for a vocabulary that such a file cannot express. */
export function encodeSentencePiece(model: TokenizerModel, trained: TrainerSpec): Uint8Array {
  checkModel(model);
  if (model.space !== llamaFlags.space) {
    throw new RangeError(`a space is written ${JSON.stringify(model.space)} in the pieces, expected U+2581`);
  }
  const idOf = (name: string): number =>
    model.pieces.findIndex(({ text, type }) => text === name && type === "control");
  const unk = model.pieces.findIndex(({ type }) => type === "unknown");
  const writer = new BinaryWriter();
  for (const { text: piece, score, type } of model.pieces) {
    writer.tag(1, LengthDelimited).fork();
    writer.tag(1, LengthDelimited).string(piece).tag(2, Bit32).float(score);
    if (type !== "normal") writer.tag(3, Varint).int32(pieceTypes.indexOf(type) + 1);
    writer.join();
  }
  writer.tag(2, LengthDelimited).fork();
  writer.tag(3, Varint).int32(modelTypes.indexOf("BPE")).tag(4, Varint).int32(model.pieces.length);
  writer.tag(10, Bit32).float(trained.characterCoverage);
  writer.tag(20, Varint).int32(trained.maxSentencepieceLength);
  writer.tag(24, Varint).bool(model.treatWhitespaceAsSuffix);
  writer.tag(25, Varint).bool(trained.splitDigits);
  writer.tag(26, Varint).bool(trained.allowWhitespaceOnlyPieces);
  writer.tag(35, Varint).bool(model.byteFallback);
  writer
    .tag(40, Varint)
    .int32(unk)
    .tag(41, Varint)
    .int32(idOf(model.bosPiece))
    .tag(42, Varint)
    .int32(idOf(model.eosPiece));
  writer.tag(44, LengthDelimited).string(model.unkSurface);
  writer.tag(45, LengthDelimited).string(model.pieces[unk].text);
  writer.tag(46, LengthDelimited).string(model.bosPiece).tag(47, LengthDelimited).string(model.eosPiece);
  writer.join();
  writer.tag(3, LengthDelimited).fork();
  writer.tag(1, LengthDelimited).string("identity");
  writer.tag(3, Varint).bool(model.addDummyPrefix).tag(4, Varint).bool(model.removeExtraWhitespaces);
  writer.tag(5, Varint).bool(model.escapeWhitespaces);
  writer.join();
  return writer.finish();
}

/** Writes a `.model` file whole or not at all. Throws FormatError when it cannot be written, RangeError as encodeSentencePiece. */
export function writeSentencePiece(path: string, model: TokenizerModel, trained: TrainerSpec): void {
  const bytes = encodeSentencePiece(model, trained);
  writeAtomically(path, (write) => write(bytes));
}

function readPiece(bytes: Uint8Array): Piece {
  const piece: Mutable<Piece> = { text: "", score: 0, type: "normal" };
  readFields(bytes, {
    1: [LengthDelimited, (r) => (piece.text = stringOf(r))],
    2: [Bit32, (r) => (piece.score = r.float())],
    3: [Varint, (r) => (piece.type = pieceTypes[r.int32() - 1] ?? piece.type)],
  });
  return piece;
}

function readFields(bytes: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const field = fields[number];
    if (field !== undefined && field[0] === type) field[1](reader);
    else reader.skip(type, number);
    if (reader.pos > reader.len) throw new RangeError("premature EOF");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Decoding is strict: a piece of broken text could never be matched, and its id would decode to something else.
function stringOf(reader: BinaryReader): string {
  return utf8.decode(reader.bytes());
}
