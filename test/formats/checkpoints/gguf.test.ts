import fs from "node:fs";
import { describe, expect, test } from "vitest";
import { openCheckpoint, writeCheckpoint } from "../../../formats/checkpoint.ts";
import { bytesOf } from "../../../formats/bytes.ts";
import { fieldsOf, ggufNames } from "../../../formats/gguf.ts";
import {
  alignedUp,
  encodeGgufHeader,
  type GgufField,
  type GgufTensor,
  readGgufHeader,
} from "../../../formats/gguf-header.ts";
import { tokenizerFields, tokenizerModelOf } from "../../../formats/gguf-tokenizer.ts";
import { openInput } from "../../../formats/input.ts";
import type { LlamaConfig } from "../../../reference/config.ts";
import { sizeOf } from "../../../reference/tensor.ts";
import { bytePiece, llamaFlags, type Piece } from "../../../reference/text/tokenizer-model.ts";
import { weightShapes } from "../../../reference/weights.ts";
import { bitsOf, randomWeights, refusal, scratch, small } from "./files.ts";

const at = scratch();

interface Changes {
  readonly fields?: Record<string, GgufField | undefined>;
  readonly tensor?: (name: string, tensor: GgufTensor) => GgufTensor | undefined;
  readonly config?: LlamaConfig;
}

/** A small model as a file, of zeros, with fields and tensors changed. */
function changed(name: string, { fields = {}, tensor = (_, t) => t, config = small }: Changes): string {
  const metadata = new Map(fieldsOf(config, "float32", "small"));
  for (const [key, field] of Object.entries(fields)) {
    if (field === undefined) metadata.delete(key);
    else metadata.set(key, field);
  }
  const tensors = new Map<string, GgufTensor>();
  let offset = 0;
  for (const [weight, shape] of weightShapes(config)) {
    const fileName = ggufNames.fileNameOf(weight);
    const found = tensor(fileName, { type: 0, shape, offset });
    if (found !== undefined) tensors.set(fileName, found);
    offset += alignedUp(4 * sizeOf(shape), 32);
  }
  fs.writeFileSync(at(name), Buffer.concat([encodeGgufHeader(metadata, tensors), Buffer.alloc(offset)]));
  return at(name);
}
const refuse = (name: string, changes: Changes): Promise<string> =>
  refusal(() => openCheckpoint(changed(name, changes)));
const uint32 = (value: number): GgufField => ({ type: "uint32", value });
const string = (value: string): GgufField => ({ type: "string", value });

describe("reading", () => {
  test("q8_0 is d · q, exactly, block by block", async () => {
    const config = { ...small, dim: 64, ffnDim: 32, nHeads: 4, nKvHeads: 4 };
    const tensors = new Map<string, GgufTensor>();
    const parts: Buffer[] = [];
    const wanted = new Map<string, { data: Float32Array; shape: readonly number[] }>();
    let offset = 0;
    let seed = 1;
    for (const [name, shape] of weightShapes(config)) {
      const count = sizeOf(shape);
      const data = new Float32Array(count);
      const blocks: Buffer[] = [];
      for (let i = 0; i < count; i += 32) {
        // Every scale but NaN: the subnormals of float16 and its infinity's neighbours included.
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        const bits = seed % 0x7c00;
        const scale = Buffer.alloc(2);
        scale.writeUInt16LE(bits);
        const q = Int8Array.from({ length: 32 }, (_, j) => ((i + j * 37) % 256) - 128);
        const exponent = bits >> 10;
        const d = exponent === 0 ? bits * 2 ** -24 : (1024 + (bits & 0x3ff)) * 2 ** (exponent - 25);
        for (let j = 0; j < 32; j++) data[i + j] = d * q[j];
        expect(data.subarray(i, i + 32).every((w, j) => w === d * q[j])).toBe(true); // exact in float32
        blocks.push(scale, Buffer.from(q.buffer));
      }
      const isNorm = shape.length === 1;
      const bytes = isNorm ? Buffer.from(bytesOf(data)) : Buffer.concat(blocks);
      const padded = Buffer.alloc(alignedUp(bytes.length, 32));
      bytes.copy(padded);
      parts.push(padded);
      tensors.set(ggufNames.fileNameOf(name), { type: isNorm ? 0 : 8, shape, offset });
      wanted.set(name, { data, shape });
      offset += padded.length;
    }
    fs.writeFileSync(
      at("q8.gguf"),
      Buffer.concat([encodeGgufHeader(new Map(fieldsOf(config, "float16", "q8")), tensors), ...parts]),
    );
    const opened = await openCheckpoint(at("q8.gguf"));
    expect(opened.dtypes).toEqual(["q8_0", "float32"]);
    expect(bitsOf(opened.readWeights())).toEqual(bitsOf(wanted));
  });

  test("fields that are missing have llama.cpp's defaults; a missing head is a tied one", async () => {
    const plain = { ...small, nKvHeads: 2 };
    const absent = ["attention.head_count_kv", "rope.freq_base", "rope.dimension_count", "vocab_size"];
    const fields = Object.fromEntries(absent.map((key) => [`llama.${key}`, undefined]));
    expect((await openCheckpoint(changed("defaults.gguf", { config: plain, fields }))).config).toEqual(plain);
    const tied = changed("tied.gguf", { tensor: (name, t) => (name === "output.weight" ? undefined : t) });
    const { config } = await openCheckpoint(tied);
    expect(config).toEqual({ ...small, tiedEmbeddings: true });
  });

  test("integers of any width are numbers, and float32 the decimal that was meant", async () => {
    const { config } = await openCheckpoint(
      changed("types.gguf", {
        fields: {
          "llama.block_count": { type: "uint64", value: 2n },
          "llama.context_length": { type: "uint16", value: 6 },
          "llama.attention.layer_norm_rms_epsilon": { type: "float32", value: 1e-6 },
          "llama.rope.freq_base": { type: "float64", value: 12_345.678 },
        },
      }),
    );
    expect(config).toEqual({ ...small, normEps: 1e-6, ropeTheta: 12_345.678 });
  });

  test("every type of field comes back as it was written", () => {
    const fields: Record<string, GgufField> = {
      "a.uint8": { type: "uint8", value: 200 },
      "a.int8": { type: "int8", value: -100 },
      "a.int16": { type: "int16", value: -30_000 },
      "a.int32": { type: "int32", value: -(2 ** 31) },
      "a.int64": { type: "int64", value: -(2n ** 63n) },
      "a.uint64": { type: "uint64", value: 2n ** 64n - 1n },
      "a.float64": { type: "float64", value: Math.PI },
      "a.bool": { type: "bool", value: true },
      "a.string": { type: "string", value: "▁naïve \u{1f999}\0" },
      "a.strings": { type: "string", value: ["", "▁", "\ufeffx"] },
      "a.halves": { type: "uint16", value: Uint16Array.of(1, 2) },
      "a.none": { type: "int32", value: new Int32Array() },
      "a.longs": { type: "int64", value: BigInt64Array.of(-1n) },
      "a.bools": { type: "bool", value: Uint8Array.of(0, 1) },
    };
    const file = openInput(changed("fields.gguf", { fields }), "a GGUF file");
    const { metadata } = readGgufHeader(file);
    file.close();
    for (const [key, field] of Object.entries(fields)) expect(metadata.get(key), key).toEqual(field);
  });
});

describe("what is refused", () => {
  test("another architecture, and every field that changes the mathematics, by name", async () => {
    const refused: Record<string, GgufField | undefined> = {
      "general.architecture": string("qwen2"),
      "llama.rope.scaling.type": string("yarn"),
      "llama.rope.scaling.factor": { type: "float32", value: 8 },
      "llama.rope.dimension_count": uint32(2),
      "llama.attention.key_length": uint32(16),
      "llama.expert_count": uint32(8),
      "llama.attention.sliding_window": uint32(4096),
      "llama.logit_scale": { type: "float32", value: 2 },
      "llama.vocab_size": uint32(6),
      "llama.block_count": string("2"),
      "llama.embedding_length": undefined,
      "llama.attention.head_count_kv": { type: "uint32", value: Uint32Array.of(1, 2) },
      "general.alignment": uint32(24),
      "tokenizer.ggml.tokens": { type: "string", value: ["a", "b"] },
    };
    for (const [key, field] of Object.entries(refused)) {
      expect(await refuse("field.gguf", { fields: { [key]: field } }), key).toContain(key);
    }
    expect(await refuse("many.gguf", { fields: { "llama.block_count": uint32(2 ** 32 - 1) } })).toMatch(
      /nLayers is 4294967295, expected at most 4096/,
    );
    expect(await refuse("layers.gguf", { fields: { "llama.block_count": uint32(4096) } })).toMatch(
      /"blk\.2\.attn_norm\.weight" \(layers\.2\.attention_norm\.weight\) is missing/,
    );
  });

  test("tensors of other types, beyond the end, over each other, with a name of their own", async () => {
    const only = (name: string, change: Partial<GgufTensor>): Changes => ({
      tensor: (fileName, t) => (fileName === name ? { ...t, ...change } : t),
    });
    expect(await refuse("type.gguf", only("output_norm.weight", { type: 12 }))).toMatch(
      /output_norm\.weight" is stored as q4_K, expected one of float32, float16, q8_0, bfloat16/,
    );
    expect(await refuse("rows.gguf", only("output_norm.weight", { type: 8 }))).toMatch(
      /rows of 8, expected whole blocks of 32/,
    );
    expect(await refuse("end.gguf", only("output.weight", { offset: 2 ** 40 }))).toMatch(
      /output\.weight" ends at byte/,
    );
    expect(await refuse("huge.gguf", only("output.weight", { shape: [2 ** 50, 2 ** 50] }))).toMatch(/ends at byte/);
    expect(await refuse("over.gguf", only("output.weight", { offset: 32 }))).toMatch(/inside/);
    expect(await refuse("odd.gguf", only("output.weight", { offset: 33 }))).toMatch(
      /offset 33, expected a multiple of 32/,
    );
    expect(await refuse("shape.gguf", only("output.weight", { shape: [8, 5] }))).toMatch(
      /has shape \[8,5\], expected \[5,8\]/,
    );
  });

  test("a tensor under the table's own name, which is not llama.cpp's", async () => {
    const path = changed("names.gguf", {});
    const bytes = fs.readFileSync(path);
    // As long as the name it replaces.
    bytes.write("norm.weight-------", bytes.indexOf("output_norm.weight"));
    fs.writeFileSync(path, bytes);
    expect(await refusal(() => openCheckpoint(path))).toMatch(/"output_norm\.weight" \(norm\.weight\) is missing/);
    expect(ggufNames.nameOf("layers.0.attention.wq.weight")).toBe("?layers.0.attention.wq.weight");
    expect(ggufNames.nameOf("blk.0.attn_rot_embd.weight")).toBe("?blk.0.attn_rot_embd.weight");
    expect(ggufNames.nameOf("blk.00.attn_q.weight")).toBe("?blk.00.attn_q.weight");
  });

  test("counts and lengths that the file has no room for", async () => {
    const bytes = fs.readFileSync(changed("counts.gguf", {}));
    const cases: [string, (b: Buffer) => void, RegExp][] = [
      ["tensors", (b) => b.writeBigUInt64LE(2n ** 40n, 8), /1099511627776 tensors/],
      ["more than 2⁵³ fields", (b) => b.writeBigUInt64LE(2n ** 60n, 16), /number of fields is 1152921504606846976/],
      ["a key", (b) => b.writeBigUInt64LE(2n ** 32n, 24), /bytes of the key of field 0/],
      ["version 1", (b) => b.writeUInt32LE(1, 4), /version 1, expected 2 or 3/],
      ["big-endian", (b) => b.writeUInt32BE(3, 4), /big-endian/],
    ];
    for (const [name, change, pattern] of cases) {
      const copy = Buffer.from(bytes);
      change(copy);
      fs.writeFileSync(at("count.gguf"), copy);
      expect(await refusal(() => openCheckpoint(at("count.gguf"))), name).toMatch(pattern);
    }
  });
});

describe("the tokenizer", () => {
  const piece = (text: string, type: Piece["type"], score = 0): Piece => ({ text, type, score });
  const bytes = Array.from({ length: 256 }, (_, byte) => piece(bytePiece(byte), "byte"));
  const pieces = [
    piece("<unk>", "unknown"),
    piece("<s>", "control"),
    piece("</s>", "control"),
    ...bytes,
    piece("▁a", "normal", -1.5),
    piece("<user>", "user-defined"),
    piece("old", "unused"),
  ];
  const config = { ...small, vocabSize: pieces.length };

  test("is written when given, and read back the same; a conversion hands it on", async () => {
    for (const removeExtraWhitespaces of [true, false]) {
      const model = { ...llamaFlags, pieces, removeExtraWhitespaces };
      const tokenizer = tokenizerFields(model);
      writeCheckpoint(at("tokens.gguf"), "gguf", config, randomWeights(config), "float32", { tokenizer });
      const { metadata } = await openCheckpoint(at("tokens.gguf"));
      expect(tokenizerModelOf("tokens.gguf", metadata!)).toEqual(model);
      const tokens = new Map([...metadata!].filter(([key]) => key.startsWith("tokenizer.")));
      expect(tokens).toEqual(new Map(tokenizer));
    }
  });

  test("of another size than the embedding is refused", () => {
    const run = (): void =>
      writeCheckpoint(at("x.gguf"), "gguf", small, randomWeights(small), "float32", {
        tokenizer: tokenizerFields({ ...llamaFlags, pieces }),
      });
    expect(run).toThrow(/the tokenizer has 262 pieces, but the model's vocabulary is 5/);
  });

  test("an ill-formed one is refused by name", () => {
    const good = new Map(tokenizerFields({ ...llamaFlags, pieces }));
    const refused: Record<string, GgufField | undefined> = {
      "tokenizer.ggml.model": string("gpt2"),
      "tokenizer.ggml.tokens": uint32(1),
      "tokenizer.ggml.scores": { type: "float32", value: Float32Array.of(1) },
      "tokenizer.ggml.token_type": { type: "int32", value: new Int32Array(pieces.length) },
      "tokenizer.ggml.add_space_prefix": uint32(1),
      "tokenizer.ggml.bos_token_id": uint32(999),
    };
    for (const [key, field] of Object.entries(refused)) {
      const fields = new Map([...good, [key, field!] as const]);
      expect(() => tokenizerModelOf("x.gguf", fields), key).toThrow(`x.gguf: ${key} is`);
      fields.delete(key);
      if (/model|tokens|scores|token_type$/.test(key))
        expect(() => tokenizerModelOf("x.gguf", fields)).toThrow(/missing/);
    }
  });
});
