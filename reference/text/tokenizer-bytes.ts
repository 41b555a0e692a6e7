// The byte vocabulary as a tokenizer: LLaMA's byte fallback alone, no merges.
import { BEGIN, BYTE_VOCABULARY, decode, encode, END } from "./bytes.ts";
import { between, checkId, decodeAll, type Decoder, type Tokenizer } from "./tokenizer.ts";
import { toUtf8, utf8Decoder } from "./tokenizer-utf8.ts";

const ids = { bos: BEGIN, eos: END, unk: 0 };

function decoder(): Decoder {
  const bytes = utf8Decoder();
  return {
    push(id) {
      checkId(id, BYTE_VOCABULARY);
      const [byte] = decode([id]);
      return byte === undefined ? bytes.end() : bytes.push(byte);
    },
    end: () => bytes.end(),
  };
}

/** 259 ids: three specials, which decode to nothing, and the 256 bytes of UTF-8. */
export const byteTokenizer: Tokenizer = {
  vocabSize: BYTE_VOCABULARY,
  ...ids,
  encode: (text, ends) => between(ids, encode(toUtf8(text)), ends),
  decode: (given) => decodeAll(decoder(), given),
  decoder,
};
