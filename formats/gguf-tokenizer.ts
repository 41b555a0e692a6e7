// A SentencePiece vocabulary as GGUF holds it (ggml, docs/gguf.md, "tokenizer"; llama.cpp, src/llama-vocab.cpp): model
// "llama", and for each piece its text, its score and its type.
import {
  checkModel,
  llamaFlags,
  type Piece,
  type PieceType,
  type TokenizerModel,
} from "../reference/text/tokenizer-model.ts";
import { FormatError } from "./error.ts";
import { describeField, type GgufField, type GgufMetadata } from "./gguf-header.ts";

/** The types in the order of llama.cpp's numbers, which start at 1. */
const types: readonly PieceType[] = ["normal", "unknown", "control", "user-defined", "unused", "byte"];
const prefix = "tokenizer.ggml.";
const space = "\u2581";

/** The fields tokenizer.* of a vocabulary. Throws RangeError for flags that GGUF cannot hold. */
export function tokenizerFields(model: TokenizerModel): GgufMetadata {
  const { pieces } = model;
  if (!model.escapeWhitespaces || model.treatWhitespaceAsSuffix) {
    throw new RangeError(
      "the tokenizer does not put U+2581 before words in place of spaces, for which GGUF has no flag",
    );
  }
  const fields = new Map<string, GgufField>();
  const set = (key: string, field: GgufField): unknown => fields.set(prefix + key, field);
  set("model", { type: "string", value: "llama" });
  set("tokens", { type: "string", value: pieces.map(({ text }) => text.replaceAll(model.space, space)) });
  set("scores", { type: "float32", value: Float32Array.from(pieces, ({ score }) => score) });
  set("token_type", { type: "int32", value: Int32Array.from(pieces, ({ type }) => types.indexOf(type) + 1) });
  for (const [key, id] of [
    ["bos_token_id", pieces.findIndex(({ type, text }) => type === "control" && text === model.bosPiece)],
    ["eos_token_id", pieces.findIndex(({ type, text }) => type === "control" && text === model.eosPiece)],
    ["unknown_token_id", pieces.findIndex(({ type }) => type === "unknown")],
  ] as const) {
    if (id >= 0) set(key, { type: "uint32", value: id });
  }
  set("add_space_prefix", { type: "bool", value: model.addDummyPrefix });
  set("remove_extra_whitespaces", { type: "bool", value: model.removeExtraWhitespaces });
  return fields;
}

/** The vocabulary in a file's metadata; `path` is named in messages. Throws FormatError unless it is of this kind. */
export function tokenizerModelOf(path: string, metadata: GgufMetadata): TokenizerModel {
  const field = (key: string): GgufField | undefined => metadata.get(prefix + key);
  const fail = (key: string, wanted: string): never => {
    throw new FormatError(path, `${prefix}${key} is ${describeField(field(key))}, expected ${wanted}`);
  };
  if (field("model")?.value !== "llama") fail("model", '"llama", a SentencePiece vocabulary');
  const tokens = field("tokens")?.value;
  if (!Array.isArray(tokens)) return fail("tokens", "an array of strings");
  const scores = field("scores")?.value;
  if (!(scores instanceof Float32Array && scores.length === tokens.length)) {
    return fail("scores", `${tokens.length} numbers (float32), one for each token`);
  }
  const tokenTypes = field("token_type")?.value;
  if (!(tokenTypes instanceof Int32Array && tokenTypes.length === tokens.length)) {
    return fail("token_type", `${tokens.length} numbers (int32), one for each token`);
  }
  const pieces = tokens.map((text: string, id): Piece => {
    const type = types[tokenTypes[id] - 1];
    if (type !== undefined) return { text, score: scores[id], type };
    throw new FormatError(path, `${prefix}token_type is ${tokenTypes[id]} at ${id}, expected 1 to ${types.length}`);
  });
  /** The text of the piece that a field names by its id. */
  const pieceOf = (key: string, otherwise: string): string => {
    const id = field(key)?.value;
    return typeof id === "number" ? (pieces[id]?.text ?? fail(key, `below ${pieces.length}`)) : otherwise;
  };
  const flag = (key: string, otherwise: boolean): boolean => {
    const value = field(key)?.value ?? otherwise;
    return typeof value === "boolean" ? value : fail(key, "true or false");
  };
  const model: TokenizerModel = {
    ...llamaFlags,
    pieces,
    byteFallback: pieces.some(({ type }) => type === "byte"),
    addDummyPrefix: flag("add_space_prefix", llamaFlags.addDummyPrefix),
    removeExtraWhitespaces: flag("remove_extra_whitespaces", llamaFlags.removeExtraWhitespaces),
    bosPiece: pieceOf("bos_token_id", llamaFlags.bosPiece),
    eosPiece: pieceOf("eos_token_id", llamaFlags.eosPiece),
  };
  try {
    checkModel(model);
  } catch (error) {
    if (error instanceof RangeError) throw new FormatError(path, `the tokenizer's ${error.message}`, { cause: error });
    throw error;
  }
  return model;
}
