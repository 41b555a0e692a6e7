import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../../formats/error.ts";
import { parseLlama2cTokenizer } from "../../formats/llama2c-tokenizer.ts";
import { encodeSentencePiece, parseSentencePiece, writeSentencePiece } from "../../formats/sentencepiece.ts";
import { readTokenizer, readTokenizerModel } from "../../formats/tokenizer.ts";
import { llamaFlags, type TokenizerModel } from "../../reference/text/tokenizer-model.ts";
import { sentencePiece } from "../../reference/text/tokenizer-sentencepiece.ts";
import { cli } from "../command.ts";
import { llama, prose, variants } from "./prose.ts";

const trained = {
  splitDigits: true,
  allowWhitespaceOnlyPieces: true,
  characterCoverage: 0.99,
  maxSentencepieceLength: 16,
};
const encoded = (model: TokenizerModel): Uint8Array => encodeSentencePiece(model, trained);
/** Few pieces, so that every byte can be tried. */
const small: TokenizerModel = { ...llama, pieces: [...llama.pieces.slice(0, 266), ...llama.pieces.slice(-8)] };

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "touchstone-tokenizer-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).not.toMatch(/[\n\r]/);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

/** llama2.c's file: longest, then score, length and bytes of each piece. */
function llama2c(model: TokenizerModel, longest?: number): Uint8Array {
  const pieces = model.pieces.map(({ text, score }) => ({ bytes: Buffer.from(text.replaceAll("\u2581", " ")), score }));
  const parts = pieces.flatMap(({ bytes, score }) => {
    const head = Buffer.alloc(8);
    head.writeFloatLE(score);
    head.writeInt32LE(bytes.length, 4);
    return [head, bytes];
  });
  const first = Buffer.alloc(4);
  first.writeInt32LE(longest ?? Math.max(...pieces.map(({ bytes }) => bytes.length)));
  return new Uint8Array(Buffer.concat([first, ...parts]));
}

// Round trips ---------------------------------------------------------------------------------------------------------

test.each(Object.entries(variants))("%s is read back as it was written", (_, model) => {
  const bytes = encoded(model);
  expect(parseSentencePiece("file", bytes)).toEqual(model);
  expect(encoded(parseSentencePiece("file", bytes))).toEqual(bytes);
});

test("either file is told by its content", () => {
  writeSentencePiece(at("a.bin"), llama, trained);
  fs.writeFileSync(at("b.model"), llama2c(llama));
  expect(readTokenizerModel(at("a.bin"))).toEqual(llama);
  const model = readTokenizerModel(at("b.model"));
  expect(model.pieces.map(({ type }) => type)).toEqual(llama.pieces.map(({ type }) => type));
  expect([...readTokenizer(at("b.model")).encode(prose)]).toEqual([...readTokenizer(at("a.bin")).encode(prose)]);
});

test("llama2.c's spaces are spaces: U+2581 is a character like any other", () => {
  const tokenizer = sentencePiece(parseLlama2cTokenizer("file", llama2c(llama)));
  const text = " \u2581 the\u2581merchant  ";
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  expect(tokenizer.encode(text).filter((id) => id === 3 + 0xe2)).toHaveLength(2);
});

// What protobuf says of fields ----------------------------------------------------------------------------------------

describe("a .model's fields", () => {
  const bytes = encoded(small);
  const message = (field: number, fill: (writer: BinaryWriter) => void): Uint8Array => {
    const writer = new BinaryWriter();
    fill(writer.tag(field, WireType.LengthDelimited).fork());
    return writer.join().finish();
  };
  const and = (...more: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat([bytes, ...more]));

  test("are merged where a message is repeated; the last value counts", () => {
    const more = message(3, (w) => w.tag(4, WireType.Varint).bool(true));
    expect(parseSentencePiece("file", and(more))).toEqual({ ...small, removeExtraWhitespaces: true });
  });

  test("take proto2's defaults where they are absent", () => {
    const model = parseSentencePiece("file", new Uint8Array(Buffer.concat([bytes.subarray(0, piecesEnd()), spec()])));
    const { pieces, ...flags } = model;
    expect(pieces).toEqual(small.pieces);
    expect(flags).toEqual({ ...llamaFlags, removeExtraWhitespaces: true });
  });
  function spec(): Uint8Array {
    return message(2, (w) => w.tag(3, WireType.Varint).int32(2).tag(35, WireType.Varint).bool(true));
  }
  /** Where the pieces end: pieces alone are a file without its two specs. */
  function piecesEnd(): number {
    const writer = new BinaryWriter();
    for (const { text, score, type } of small.pieces) {
      const number = ["normal", "unknown", "control", "user-defined", "unused", "byte"].indexOf(type) + 1;
      writer.tag(1, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(text).tag(2, WireType.Bit32).float(score);
      if (number > 1) writer.tag(3, WireType.Varint).int32(number);
      writer.join();
    }
    const alone = writer.finish();
    expect(bytes.subarray(0, alone.length)).toEqual(alone);
    return alone.length;
  }

  test("unknown fields, wire types and types are passed over", () => {
    const unknown = message(77, (w) => w.raw(Uint8Array.of(1, 2, 3)));
    const otherWire = new BinaryWriter().tag(3, WireType.Varint).int32(5).finish();
    const otherType = message(2, (w) => w.tag(3, WireType.Varint).int32(99).tag(35, WireType.Bit32).float(0));
    expect(parseSentencePiece("file", and(unknown, otherWire, otherType))).toEqual(small);
  });

  test("that change the mathematics and are not supported are refused by name", () => {
    const map = (field: number): Uint8Array =>
      message(field, (w) => w.tag(2, WireType.LengthDelimited).bytes(Uint8Array.of(1, 2, 3)));
    expect(refusal(() => parseSentencePiece("file", and(map(3))))).toBe(
      "file: normalizer_spec.precompiled_charsmap has 3 bytes, expected none (identity)",
    );
    expect(refusal(() => parseSentencePiece("file", and(map(5))))).toBe(
      "file: denormalizer_spec.precompiled_charsmap has 3 bytes, expected none (identity)",
    );
    const unigram = message(2, (w) => w.tag(3, WireType.Varint).int32(1));
    expect(refusal(() => parseSentencePiece("file", and(unigram)))).toBe(
      "file: trainer_spec.model_type is UNIGRAM, expected BPE",
    );
  });

  test("hold text, not broken UTF-8; a byte order mark is text", () => {
    const broken = message(1, (w) => w.tag(1, WireType.LengthDelimited).bytes(Uint8Array.of(0xff, 0x41)));
    expect(refusal(() => parseSentencePiece("file", and(broken)))).toContain("is not a SentencePiece model");
    const mark = message(1, (w) => w.tag(1, WireType.LengthDelimited).string("\ufeff"));
    expect(parseSentencePiece("file", and(mark)).pieces.at(-1)).toEqual({ text: "\ufeff", score: 0, type: "normal" });
  });
});

test("a vocabulary that a .model cannot say is not written", () => {
  expect(() => encoded({ ...llama, space: " " })).toThrow('a space is written " " in the pieces, expected U+2581');
  expect(() => encoded({ ...llama, pieces: [] })).toThrow("none of 0 pieces is the unknown one");
});

// Corrupted files -----------------------------------------------------------------------------------------------------

describe.each([
  ["sentencepiece", encoded(small), parseSentencePiece],
  ["llama2.c", llama2c(small), parseLlama2cTokenizer],
] as const)("a corrupted file of %s is refused in one line, or works", (_, bytes, parse) => {
  let refused = 0;
  function attempt(changed: Uint8Array): void {
    try {
      const tokenizer = sentencePiece(parse("file", changed));
      const ids = tokenizer.encode("the merchant\u2581 \0 🦙");
      expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
      tokenizer.decode(ids);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      expect(error.message).toMatch(/^file: [^\n\r]+, expected [^\n\r]+$|^file: is not a SentencePiece model/);
      refused++;
    }
  }

  test("truncated anywhere", () => {
    for (let length = 0; length < bytes.length; length++) attempt(bytes.slice(0, length));
    expect(refused).toBeGreaterThan(bytes.length / 2);
  });

  test("with any byte changed", () => {
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i] ^= 1 + ((i * 37) % 255); // Any change but none.
      attempt(changed);
    }
    expect(refused).toBeGreaterThan(bytes.length / 2);
  });
});

test("other files are refused in one line", () => {
  const wrong: [string, string | Uint8Array, string][] = [
    ["empty", "", "is empty, expected a tokenizer"],
    ["json", '{"model": {}}', "is JSON, expected a SentencePiece .model or a llama2.c .bin"],
    ["text", "A plain text.", "is not a SentencePiece model (premature EOF)"],
    ["short", "abc", "has 3 bytes, expected the longest piece as int32"],
    ["longest", llama2c(small, 3), "piece 0 at byte 4 has length 5, expected 1 to 3"],
    ["negative", Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255), "piece 0 at byte 4 has length -1"],
    ["few", llama2c({ ...small, pieces: small.pieces.slice(0, 9) }), "has 9 pieces, expected at least 259"],
    ["others", llama2c({ ...small, pieces: small.pieces.slice(1) }), 'piece 3 is "<0x01>", expected <0x00>'],
  ];
  for (const [name, content, message] of wrong) {
    fs.writeFileSync(at(name), content);
    expect(refusal(() => readTokenizer(at(name)))).toContain(`${at(name)}: ${message}`);
  }
  expect(refusal(() => readTokenizer(at("absent")))).toContain("cannot be read, no such file or directory");
  expect(refusal(() => readTokenizer(folder))).toContain("is not a regular file");
});

// The commands --------------------------------------------------------------------------------------------------------

describe("touchstone", () => {
  function touchstone(args: readonly string[], input?: string | Uint8Array) {
    return spawnSync(process.execPath, [cli, ...args], { input: input ?? "", encoding: "utf8" });
  }

  test("learns a vocabulary, encodes with it and decodes again", () => {
    fs.writeFileSync(at("prose.txt"), prose);
    const args = ["tokenizer", "train", "--text", at("prose.txt"), "--vocab-size", "450", "--out", at("v.model")];
    expect(touchstone(args)).toMatchObject({ status: 0, stdout: "" });
    const first = fs.readFileSync(at("v.model"));
    expect(touchstone([...args, "--overwrite"]).status).toBe(0);
    expect(fs.readFileSync(at("v.model")).equals(first)).toBe(true);

    const tokenizer = readTokenizer(at("v.model"));
    expect(tokenizer.vocabSize).toBe(450);
    const tokenize = ["tokenize", "--tokenizer", at("v.model")];
    const two = touchstone([...tokenize, "--bos", "--eos", "the merchant", "1024"]);
    const line = (text: string): string => tokenizer.encode(text, { bos: true, eos: true }).join(" ");
    expect(two).toMatchObject({ status: 0, stdout: `${line("the merchant")}\n${line("1024")}\n`, stderr: "" });
    const whole = touchstone(tokenize, prose);
    expect(whole.stdout).toBe(`${tokenizer.encode(prose).join(" ")}\n`);
    expect(touchstone([...tokenize, "--decode"], whole.stdout).stdout).toBe(prose);
    expect(touchstone(tokenize, Uint8Array.of(0x61, 0xff)).stdout).toBe(`${tokenizer.encode("a\ufffd").join(" ")}\n`);
  });

  test("answers bad input with one line and status 2", () => {
    fs.writeFileSync(at("prose.txt"), prose);
    fs.writeFileSync(at("nothing.txt"), "");
    writeSentencePiece(at("t.model"), llama, trained);
    const tokenize = ["tokenize", "--tokenizer", at("t.model")];
    const train = (text: string, size: string): string[] => {
      return ["tokenizer", "train", "--text", at(text), "--vocab-size", size, "--out", at("never.model")];
    };
    const cases: [string[], string][] = [
      [[...tokenize, ""], "touchstone: the text is empty, expected at least one character\n"],
      [tokenize, "touchstone: the text is empty, expected at least one character\n"],
      [[...tokenize, "--decode"], "touchstone: there are no token ids, expected at least one\n"],
      [
        [...tokenize, "--decode", "1 480"],
        "token id 480 is outside the vocabulary, expected an integer from 0 to 479\n",
      ],
      [[...tokenize, "--decode", "one"], 'touchstone: token id "one" is not a number, expected integers\n'],
      [train("nothing.txt", "400"), `the text is empty (${at("nothing.txt")}), expected at least one character\n`],
      [train("prose.txt", "300"), "a vocabulary of 300 pieces is too small, expected at least "],
      [train("prose.txt", "30000"), "a vocabulary of 30000 pieces is too large for the text, expected at most "],
      [train("absent.txt", "300"), "absent.txt: cannot be read, no such file or directory (ENOENT)"],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = touchstone(args);
      expect({ args, status, stdout, stderr: stderr.split("\n").slice(-2).join("\n") }).toEqual({
        args,
        status: 2,
        stdout: "",
        stderr: expect.stringContaining(message),
      });
    }
    expect(fs.existsSync(at("never.model"))).toBe(false);
  });
});
