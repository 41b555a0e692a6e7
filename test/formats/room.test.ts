// What a file asks for in memory is held against what the machine has before any of it is taken: sparse files with valid headers
// whose numbers would be a tebibyte.
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { piecesOf } from "../../formats/bytes.ts";
import { openCheckpoint } from "../../formats/checkpoint.ts";
import { fieldsOf } from "../../formats/gguf.ts";
import { encodeGgufHeader } from "../../formats/gguf-header.ts";
import { availableBytes, checkRoom } from "../../formats/memory.ts";
import { openSafetensors, readSafetensors } from "../../formats/safetensors.ts";
import { countParameters } from "../../reference/weights.ts";
import { inProcess } from "../cli/in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-room-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HUGE = 2 ** 40;

function sparse(name: string, begin: Uint8Array, size: number): string {
  const path = join(folder, name);
  const file = openSync(path, "w");
  writeSync(file, begin);
  ftruncateSync(file, size);
  closeSync(file);
  return path;
}

function safetensors(name: string, dtype: string, size: number, count = 1): string {
  const bytes = HUGE / count;
  const entries = Array.from({ length: count }, (_, i) => {
    return `"t${i}":{"dtype":"${dtype}","shape":[${bytes / size}],"data_offsets":[${i * bytes},${(i + 1) * bytes}]}`;
  });
  const header = new TextEncoder().encode(`{${entries.join(",")}}`);
  const begin = new Uint8Array(8 + header.length);
  new DataView(begin.buffer).setUint32(0, header.length, true);
  begin.set(header, 8);
  return sparse(name, begin, begin.length + HUGE);
}

const refused = /: [\d.]+ GiB of memory for .*, expected at most [\d.]+ (GiB|MiB), for which this machine has room$/;

test.each(["F64", "F32", "BF16", "I64", "BOOL"])("one tensor of %s", (dtype) => {
  const size = { F64: 8, F32: 4, BF16: 2, I64: 8, BOOL: 1 }[dtype]!;
  const path = safetensors("one.safetensors", dtype, size);
  const file = openSafetensors(path);
  expect(() => file.read("t0")).toThrow(refused);
  expect(() => readSafetensors(path)).toThrow(refused);
  file.close();
});

test("many tensors are counted together before the first is read", () => {
  const path = safetensors("many.safetensors", "F32", 4, 2 ** 14);
  expect(() => readSafetensors(path)).toThrow(/: 1024\.0 GiB of memory for 16384 tensors, expected/);
});

test("touchstone diff", async () => {
  const path = safetensors("diff.safetensors", "F32", 4);
  const { code, err } = await inProcess(["diff", path, path]);
  expect([code, err]).toEqual([
    2,
    expect.stringMatching(/^touchstone: .* of memory for tensor "t0", expected at most .*\n$/),
  ]);
});

const config = {
  dim: 1024,
  nLayers: 1,
  nHeads: 1,
  nKvHeads: 1,
  ffnDim: 4,
  vocabSize: 2 ** 28,
  maxSeqLen: 4,
  tiedEmbeddings: true,
  normEps: 1e-5,
  ropeTheta: 10_000,
};

test("a checkpoint of llama2.c", async () => {
  const header = Int32Array.of(1024, 4, 1, 1, 1, 2 ** 28, 4);
  const size = header.byteLength + 4 * (countParameters(config) + config.maxSeqLen * config.dim);
  const opened = await openCheckpoint(sparse("huge.bin", new Uint8Array(header.buffer), size));
  expect(() => opened.readWeight("tok_embeddings.weight")).toThrow(refused);
  expect(() => opened.readWeights()).toThrow(/10\d\d\.\d GiB of memory for the weights in float32/);
  opened.close();
});

test("a checkpoint in GGUF", async () => {
  const { openGguf, ggufNames } = await import("../../formats/gguf.ts");
  const tensors = new Map([
    [ggufNames.fileNameOf("tok_embeddings.weight"), { type: 0, shape: [2 ** 28, 1024], offset: 0 }],
  ]);
  const header = encodeGgufHeader(new Map(fieldsOf(config, "float32", "huge")), tensors);
  const opened = openGguf(sparse("huge.gguf", header, header.length + HUGE));
  expect(() => opened.weights.get("tok_embeddings.weight")!.read()).toThrow(refused);
  opened.close();
});

test("what fits is taken, and small requests are counted together", () => {
  const has = (): number => 2 ** 30;
  expect(availableBytes()).toBeGreaterThan(0);
  expect(() => checkRoom("f", "x", 2 ** 29, has)).not.toThrow();
  expect(() => checkRoom("f", "x", 2 ** 30, has)).toThrow(
    "f: 1.0 GiB of memory for x, expected at most 820 MiB, for which this machine has room",
  );
  let looks = 0;
  const counting = (): number => (looks++, 2 ** 30);
  for (let i = 0; i < 64; i++) checkRoom("f", "x", 2 ** 18, counting);
  expect(looks).toBe(4);
});

test("numbers of more bytes than one array of bytes can hold are moved in pieces", () => {
  const data = Uint8Array.from({ length: 10 }, (_, i) => i);
  const pieces = [...piecesOf(data.subarray(1), 4)].map((piece) => piece.join());
  expect(pieces).toEqual(["1,2,3,4", "5,6,7,8", "9"]);
});
