import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTokenizer } from "../../formats/tokenizer.ts";
import type { Tokenizer } from "../../reference/text/tokenizer.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { llamaFlags, type Piece, type TokenizerModel } from "../../reference/text/tokenizer-model.ts";
import { sentencePiece } from "../../reference/text/tokenizer-sentencepiece.ts";
import { fromUtf8, toUtf8 } from "../../reference/text/tokenizer-utf8.ts";
import { sharedData } from "../needs.ts";
import { llama, prose, variants } from "./prose.ts";
import vectors from "./vectors.json" with { type: "json" };

const tokenizers: Readonly<Record<string, Tokenizer>> = {
  bytes: byteTokenizer,
  ...Object.fromEntries(Object.entries(variants).map(([name, model]) => [name, sentencePiece(model)])),
};

/** Any sequence of code units, half surrogate pairs included, and what tokenizers trip over. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ..." \n\t\u2581\ufffd\0\ufeff<>s/019aetrhxy",
        "the",
        "<s>",
        "<0x41>",
        "  ",
        "é",
        "中",
        "🦙",
        "\u0301",
      ),
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.integer({ min: 0x10000, max: 0x10ffff }).map((point) => String.fromCodePoint(point)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));
const wholeText = anyText.map((text) => text.replaceAll(/\p{Surrogate}/gu, "?"));

function lines(text: string): number[] {
  return text === "" ? [] : text.split(" ").map(Number);
}

// Against Google's sentencepiece --------------------------------------------------------------------------------------

describe("what sentencepiece gave, made by make-vectors.ts", () => {
  test.each(Object.entries(vectors))("%s", (name, cases) => {
    expect(cases.length).toBeGreaterThan(40);
    for (const [text, ids, decoded] of cases) {
      expect([text, [...tokenizers[name].encode(text)]]).toEqual([text, lines(ids)]);
      expect(tokenizers[name].decode(lines(ids))).toBe(decoded);
    }
  });

  test("every variant has its vectors, and they differ", () => {
    expect(Object.keys(vectors)).toEqual(Object.keys(variants));
    expect(new Set(Object.values(vectors).map((cases) => JSON.stringify(cases))).size).toBe(
      Object.keys(vectors).length,
    );
  });
});

const openllama = sharedData("data/tokenizer/openllama.model");
const openllamaVectors = sharedData("data/tokenizer/openllama.vectors.json");
test.skipIf(openllama.absent)(`openllama${openllama.note}`, () => {
  const tokenizer = readTokenizer(openllama.path);
  expect(tokenizer).toMatchObject({ vocabSize: 32_000, unk: 0, bos: 1, eos: 2 });
  const cases = JSON.parse(readFileSync(openllamaVectors.path, "utf8")) as {
    text: string;
    ids: number[];
    decoded: string;
  }[];
  expect(cases.length).toBeGreaterThan(20);
  for (const { text, ids, decoded } of cases) {
    expect([text, [...tokenizer.encode(text)]]).toEqual([text, ids]);
    expect(tokenizer.decode(ids)).toBe(decoded);
  }
});

const tok512 = sharedData("data/stories260K/tok512.bin");
const expectedStory = sharedData("data/stories260K/expected-200-greedy.txt");
test.skipIf(tok512.absent)(`llama2.c's tok512${tok512.note}`, () => {
  const tokenizer = readTokenizer(tok512.path);
  expect(tokenizer).toMatchObject({ vocabSize: 512, unk: 0, bos: 1, eos: 2 });
  const story = readFileSync(expectedStory.path, "utf8");
  expect(tokenizer.decode(tokenizer.encode(story, { bos: true }))).toBe(story);
  expect([...tokenizer.encode("Once upon a time", { bos: true })]).toEqual([1, 403, 407, 261, 378]);
  // U+2581 is a character like any other there: three bytes.
  expect([...tokenizer.encode("\u2581")].slice(1)).toEqual([0xe2 + 3, 0x96 + 3, 0x81 + 3]);
  fc.assert(fc.property(wholeText, (text) => tokenizer.decode(tokenizer.encode(text)) === text));
});

// Properties ----------------------------------------------------------------------------------------------------------

describe.each(Object.entries(tokenizers))("%s", (name, tokenizer) => {
  test("takes any string, and gives ids of the vocabulary", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = tokenizer.encode(text);
        expect(ids).toBeInstanceOf(Int32Array);
        expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
        tokenizer.decode(ids);
      }),
    );
  });

  test("decodes one id at a time to what all give together", () => {
    const ids = fc.array(fc.oneof(fc.nat(tokenizer.vocabSize - 1), fc.nat(Math.min(262, tokenizer.vocabSize - 1))));
    fc.assert(
      fc.property(ids, (given) => {
        const decoder = tokenizer.decoder();
        const text = given.map((id) => decoder.push(id)).join("") + decoder.end();
        expect(text).toBe(tokenizer.decode(given));
      }),
    );
  });

  test("refuses an id outside", () => {
    for (const id of [-1, tokenizer.vocabSize, 0.5, NaN, Infinity]) {
      expect(() => tokenizer.decode([id])).toThrow(`token id ${id} is outside the vocabulary`);
    }
  });

  if (["bytes", "llama", "noDummyPrefix", "equalScores", "unused"].includes(name)) {
    test("decoding gives the text again", () => {
      const marked = name === "bytes" ? wholeText : wholeText.map((text) => text.replaceAll("\u2581", "_"));
      fc.assert(fc.property(marked, (text) => tokenizer.decode(tokenizer.encode(text)) === text));
      expect(tokenizer.decode(tokenizer.encode(prose))).toBe(prose);
    });
  }
});

test("begin and end tokens stand where asked, and a vocabulary without them says so", () => {
  const { encode } = tokenizers.llama;
  const ids = [...encode("the text")];
  expect([...encode("the text", { bos: true, eos: true })]).toEqual([1, ...ids, 2]);
  expect([...encode("", { bos: true })]).toEqual([1]);
  const without = sentencePiece({ ...llama, bosPiece: "<none>", eosPiece: "the" });
  expect(without).toMatchObject({ bos: -1, eos: -1 });
  expect(() => without.encode("a", { bos: true })).toThrow("the vocabulary has no begin token");
  expect(() => without.encode("a", { eos: true })).toThrow("the vocabulary has no end token");
});

test("half a surrogate pair is read as U+FFFD", () => {
  for (const tokenizer of Object.values(tokenizers)) {
    expect([...tokenizer.encode("a\ud800b\udc00")]).toEqual([...tokenizer.encode("a\ufffdb\ufffd")]);
  }
});

test("a control piece is never taken from text, where sentencepiece fails", () => {
  const model = withPieces(["x", "control"], ["<", "normal"], ["s", "normal"], [">", "normal"], ["<s", "normal"]);
  const both = { ...model, pieces: [...model.pieces, piece("<s>", "normal")] };
  const { encode } = sentencePiece(both);
  expect(encode("<s>x").includes(1)).toBe(false);
  expect([...encode("x")].slice(-1)).toEqual([3 + 0x78]);
});

test("long texts without a seam take no more than n log n", () => {
  for (const text of ["a".repeat(400_000), "the".repeat(100_000), " ".repeat(200_000), "🦙".repeat(50_000)]) {
    expect(tokenizers.llama.decode(tokenizers.llama.encode(text))).toBe(text);
  }
});

// UTF-8 ---------------------------------------------------------------------------------------------------------------

test("well-formed UTF-8 as the platform's decoder, of any other each byte U+FFFD", () => {
  fc.assert(fc.property(wholeText, (text) => fromUtf8(toUtf8(text)) === text));
  const platform = new TextEncoder();
  fc.assert(fc.property(anyText, (text) => Buffer.compare(toUtf8(text), platform.encode(text)) === 0));
  const broken: [number[], string][] = [
    [[0x80], "\ufffd"],
    [[0xc0, 0xaf], "\ufffd\ufffd"],
    [[0xe2, 0x82], "\ufffd\ufffd"],
    [[0xe2, 0x82, 0x41], "\ufffd\ufffdA"],
    [[0xe0, 0x80, 0x80], "\ufffd\ufffd\ufffd"],
    [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
    [[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"],
    [[0xf0, 0x9f, 0xf0, 0x9f, 0xa6, 0x99], "\ufffd\ufffd🦙"],
    [[0xef, 0xbb, 0xbf, 0x41], "\ufeffA"],
  ];
  for (const [bytes, text] of broken) {
    expect(fromUtf8(Uint8Array.from(bytes))).toBe(text);
    expect(byteTokenizer.decode(bytes.map((byte) => byte + 3))).toBe(text);
    expect(tokenizers.llama.decode(bytes.map((byte) => byte + 3))).toBe(text);
  }
  const bytes = fc.uint8Array({ maxLength: 30 });
  fc.assert(
    fc.property(bytes, (given) => byteTokenizer.decode([...given].map((byte) => byte + 3)) === fromUtf8(given)),
  );
});

// Vocabularies that are refused ---------------------------------------------------------------------------------------

function piece(text: string, type: Piece["type"] = "normal", score = 0): Piece {
  return { text, type, score };
}
function withPieces(...added: readonly (readonly [string, Piece["type"], number?])[]): TokenizerModel {
  const start = llama.pieces.slice(0, 259);
  return { ...llamaFlags, pieces: [...start, ...added.map(([text, type, score]) => piece(text, type, score))] };
}

test.each<[string, TokenizerModel, string]>([
  ["nothing", { ...llamaFlags, pieces: [] }, "none of 0 pieces is the unknown one"],
  ["an empty piece", withPieces(["", "normal"]), "piece 259 is empty"],
  ["a null character", withPieces(["a\0", "normal"]), "piece 259 holds a null character"],
  ["a long piece", withPieces(["é".repeat(4000), "normal"]), "piece 259 is 8000 bytes long, expected at most 7999"],
  ["no number", withPieces(["a", "normal", NaN]), "piece 259 has score NaN"],
  ["a repeated piece", withPieces(["a", "normal"], ["a", "unused"]), 'piece 260 repeats "a"'],
  ["a repeated control piece", withPieces(["<s>", "control"]), 'piece 259 repeats "<s>"'],
  ["two unknown pieces", withPieces(["?", "unknown"]), "piece 259 is a second unknown piece"],
  ["a byte that is none", withPieces(["<0x0g>", "byte"]), 'byte piece 259 is "<0x0g>"'],
  [
    "bytes without the flag",
    { ...withPieces(), byteFallback: false },
    "piece 3 is a byte, expected none without byte_fallback",
  ],
  [
    "255 bytes",
    { ...llamaFlags, pieces: llama.pieces.filter(({ text }) => text !== "<0x7F>") },
    "255 of the 256 byte pieces are there",
  ],
])("%s is refused", (_, model, message) => {
  expect(() => sentencePiece(model)).toThrow(RangeError);
  expect(() => sentencePiece(model)).toThrow(message);
});
