// SentencePiece's BPE, encoding and decoding exactly as Google's implementation does (Kudo and Richardson 2018).
//
//   text → spaces marked → characters, user-defined pieces whole → merges by score → ids; unknown characters as UTF-8 bytes
import { merger } from "./bpe.ts";
import { symbolsOf } from "./bpe-symbols.ts";
import { between, checkId, type Decoder, decodeAll, type Tokenizer } from "./tokenizer.ts";
import { matcher } from "./tokenizer-matcher.ts";
import { byteOf, checkModel, isOrdinary, type Piece, type TokenizerModel } from "./tokenizer-model.ts";
import { normalize } from "./tokenizer-normalize.ts";
import { toUtf8, utf8Decoder } from "./tokenizer-utf8.ts";

/** A piece taken whole is written as its id and this, which merges with nothing; an unknown character c as −1 − c. */
const WHOLE = 1 << 30;

/**
 * The tokenizer of a vocabulary. Throws RangeError for pieces that sentencepiece refuses: empty, repeated, no or two unknown
 * ones, byte pieces missing. One departure: where sentencepiece fails on a text, because a control piece is also an
 * ordinary piece or a single character, the control piece is never taken from text.
 */
export function sentencePiece(model: TokenizerModel): Tokenizer {
  checkModel(model);
  const { pieces } = model;
  const reserved = new Map(pieces.flatMap((piece, id) => (isOrdinary(piece) ? [] : [[piece.text, id] as const])));
  const controlId = (name: string): number => {
    const id = reserved.get(name);
    return id !== undefined && pieces[id].type === "control" ? id : -1;
  };
  const ids = {
    bos: controlId(model.bosPiece),
    eos: controlId(model.eosPiece),
    unk: pieces.findIndex(({ type }) => type === "unknown"),
  };
  const encode = encoder(model, ids.unk, reserved);
  const newDecoder = decoders(model, reserved);
  return {
    vocabSize: pieces.length,
    ...ids,
    encode: (text, ends) => between(ids, encode(text), ends),
    decode: (given) => decodeAll(newDecoder(), given),
    decoder: newDecoder,
  };
}

/** `reserved`: the unknown, control and byte pieces. Such a name counts before an ordinary piece of the same name. */
function encoder(
  model: TokenizerModel,
  unk: number,
  reserved: ReadonlyMap<string, number>,
): (text: string) => Int32Array {
  const { pieces, byteFallback } = model;
  const symbols = symbolsOf(
    pieces.map((piece) => (isOrdinary(piece) ? piece.text : undefined)),
    pieces.map(({ score }) => score),
  );
  const userDefined = pieces.flatMap(({ text, type }, id) => (type === "user-defined" ? [[text, id] as const] : []));
  const match = matcher(new Map(userDefined));
  // The id of a symbol. A character that is not a piece may still be the name of a reserved one.
  const idOf = symbols.texts.map((text, symbol) => {
    const first = reserved.get(text);
    if (first !== undefined && pieces[first].type !== "control") return first;
    return symbol < pieces.length ? symbol : unk;
  });
  const byteIds = new Int32Array(256);
  for (const [id, { text, type }] of pieces.entries()) if (type === "byte") byteIds[byteOf(text)] = id;
  // An unused piece is taken apart by the last way in which it could have been made, wherever in the text that was: such a
  // vocabulary cannot be merged part by part.
  const isUnused = (id: number): boolean => pieces[id].type === "unused";
  const hasUnused = pieces.some((_, id) => isUnused(id));

  return (text) => {
    const form = normalize(text, model, match);
    const halves = new Map<number, readonly [left: number, right: number]>();
    const merges = merger(symbols, (merged, left, right) => {
      if (hasUnused && isUnused(merged)) halves.set(merged, [left, right]);
    });
    const ids = numbers();
    let isAfterUnknown = false;

    function emit(symbol: number): void {
      const whole = symbol >= WHOLE ? symbol - WHOLE : symbol;
      const id = whole < 0 ? unk : idOf[whole];
      const parts = isUnused(id) ? halves.get(whole) : undefined;
      if (parts !== undefined) {
        emit(parts[0]);
        emit(parts[1]);
        return;
      }
      if (id !== unk) ids.push(id);
      else if (byteFallback)
        for (const byte of toUtf8(symbol < 0 ? String.fromCodePoint(-1 - symbol) : symbols.texts[whole]))
          ids.push(byteIds[byte]);
      else if (!isAfterUnknown) ids.push(unk);
      isAfterUnknown = id === unk;
    }

    const part = numbers();
    function flush(): void {
      const count = merges.run(part.data, part.length);
      for (let i = 0; i < count; i++) emit(part.data[i]);
      part.length = 0;
    }
    for (let at = 0; at < form.length;) {
      const found = match(form, at);
      const codePoint = form.codePointAt(at) ?? 0;
      const known = found === undefined ? symbols.ofCharacter(codePoint) : WHOLE + found.word;
      const symbol = known < 0 ? -1 - codePoint : known;
      at += found?.length ?? (codePoint < 0x10000 ? 1 : 2);
      if (!hasUnused && part.length > 0 && !symbols.touch(part.data[part.length - 1], symbol)) flush();
      part.push(symbol);
    }
    flush();
    return ids.data.slice(0, ids.length);
  };
}

function decoders(model: TokenizerModel, reserved: ReadonlyMap<string, number>): () => Decoder {
  const { pieces, space, unkSurface } = model;
  // sentencepiece decodes names, so an ordinary piece named like a reserved one is that one.
  const named = pieces.map((piece) => pieces[reserved.get(piece.text) ?? -1] ?? piece);
  const stripsSpaces = model.addDummyPrefix || model.removeExtraWhitespaces;

  return () => {
    const bytes = utf8Decoder();
    /** Whether a space at the beginning is still to be left out. */
    let isAtBeginning = stripsSpaces;
    let isBlank = true;

    function show(text: string): string {
      if (text !== "") isBlank = false;
      return text;
    }
    function textOf({ text, type }: Piece): string {
      if (!isBlank) isAtBeginning = false;
      if (type === "control") return "";
      if (type === "unknown") return unkSurface;
      const isStripped = isAtBeginning && text.startsWith(space);
      // All spaces at the beginning are removed if extra ones are; otherwise only the dummy is.
      if (isStripped && !model.removeExtraWhitespaces) isAtBeginning = false;
      return (isStripped ? text.slice(space.length) : text).replaceAll(space, " ");
    }
    return {
      push(id) {
        checkId(id, pieces.length);
        const piece = named[id];
        if (piece.type === "byte") return show(bytes.push(byteOf(piece.text)));
        const unfinished = show(bytes.end());
        return unfinished + show(textOf(piece));
      },
      end: () => bytes.end(),
    };
  };
}

interface Numbers {
  /** The first `length` count. */
  data: Int32Array;
  length: number;
  push(value: number): void;
}

function numbers(): Numbers {
  return {
    data: new Int32Array(64),
    length: 0,
    push(value) {
      if (this.length === this.data.length) {
        const larger = new Int32Array(this.length * 2);
        larger.set(this.data);
        this.data = larger;
      }
      this.data[this.length++] = value;
    },
  };
}
