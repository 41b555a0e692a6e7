// Small files that ask for much: for each reader, the shapes of input that cost the most memory a byte.
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** The readers, by what the file claims to be. */
export type Reader =
  | "checkpoint"
  | "safetensors"
  | "recording"
  | "fixture"
  | "tokenizer"
  | "text"
  | "documents"
  | "tasks"
  | "mixture"
  | "target"
  | "manifest";

export interface Hostile {
  readonly name: string;
  readonly reader: Reader;
  /** The name of the file, whose suffix may matter. */
  readonly file: string;
  readonly write: (path: string, bytes: number) => void;
}

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);
const filled = (unit: string | Uint8Array, bytes: number): Buffer => Buffer.alloc(bytes, unit);
const join = (...pieces: (Uint8Array | string)[]): Buffer =>
  Buffer.concat(pieces.map((piece) => Buffer.from(piece as string)));

function uint(bytes: 4 | 8, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 4) view.setUint32(0, value, true);
  else view.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(view.buffer);
}

/** A file that seems this long and holds only its beginning. */
function sparse(path: string, begin: Uint8Array, size: number): void {
  const file = openSync(path, "w");
  writeSync(file, begin);
  ftruncateSync(file, size);
  closeSync(file);
}

function varint(value: number): Uint8Array {
  return value < 128 ? Uint8Array.of(value) : Uint8Array.of((value % 128) + 128, Math.floor(value / 128));
}

const safetensors = (header: Uint8Array, data: Uint8Array | string = ""): Buffer =>
  join(uint(8, header.length), header, data);
/** As many parts as fit. */
function parts(bytes: number, part: (i: number) => string): string {
  const count = Math.floor(bytes / (part(1_000_000).length + 1));
  return Array.from({ length: count }, (_, i) => part(i)).join(",");
}

const empty = `{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`;
const config = `{"dim":8,"nLayers":1,"nHeads":1,"nKvHeads":1,"ffnDim":8,"vocabSize":8,"normEps":1e-5,"ropeTheta":1e4,"tiedEmbeddings":true,"maxSeqLen":8}`;

/** A zip of one stored entry archive/data.pkl. */
function zipOf(name: string, data: Uint8Array): Buffer {
  const local = join("PK\u0003\u0004", new Uint8Array(22), uint(4, name.length), name);
  local.writeUInt32LE(data.length, 18);
  local.writeUInt32LE(data.length, 22);
  const central = join("PK\u0001\u0002", new Uint8Array(42), name);
  central.writeUInt32LE(data.length, 20);
  central.writeUInt32LE(data.length, 24);
  central.writeUInt16LE(name.length, 28);
  return join(local, data, central, zipEnd(1, central.length, local.length + data.length));
}

function zipEnd(count: number, length: number, at: number): Buffer {
  const end = join("PK\u0005\u0006", new Uint8Array(18));
  end.writeUInt16LE(Math.min(count, 0xffff), 8);
  end.writeUInt16LE(Math.min(count, 0xffff), 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(at, 16);
  return end;
}

function pickle(name: string, program: (bytes: number) => Uint8Array): Hostile {
  return {
    name: `pickle of ${name}`,
    reader: "checkpoint",
    file: "consolidated.00.pth",
    write: (path, bytes) => {
      const code = join(Uint8Array.of(0x80, 2), program(Math.min(bytes, 2 ** 22 - 64)));
      writeFileSync(path, zipOf("archive/data.pkl", code));
    },
  };
}

/** begin, and then strings or numbers. */
const gguf = (tensors: number, fields: number, rest: Uint8Array): Buffer =>
  join("GGUF", uint(4, 3), uint(8, tensors), uint(8, fields), rest);
const ggufString = (value: string): Buffer => join(uint(8, value.length), value);
const ggufArray = (key: string, type: number, length: number): Buffer =>
  join(ggufString(key), uint(4, 9), uint(4, type), uint(8, length));

function repeated(bytes: number, make: (i: number) => Uint8Array): { all: Buffer; count: number } {
  const size = make(10_000_000).length;
  const count = Math.floor(bytes / size);
  return { count, all: Buffer.concat(Array.from({ length: count }, (_, i) => make(10_000_000 + i))) };
}

export const hostileFiles: readonly Hostile[] = [
  pickle("dictionaries", (bytes) => filled("}", bytes)),
  pickle("marks", (bytes) => filled("(", bytes)),
  pickle("tuples", (bytes) => filled(")", bytes)),
  pickle("nested tuples", (bytes) => join("N", filled(Uint8Array.of(0x85), bytes))),
  pickle("numbers", (bytes) => filled(Uint8Array.of(0x4a, 1, 2, 3, 4), bytes)),
  pickle("empty strings", (bytes) => filled(Uint8Array.of(0x58, 0, 0, 0, 0), bytes)),
  pickle("globals", (bytes) => filled("ctorch\nHalfStorage\n", bytes)),
  pickle("memos", (bytes) => join("N", repeated(bytes, (i) => join("r", uint(4, i))).all)),
  pickle("recalls", (bytes) => join("}q\0", filled("h\0", bytes))),
  pickle("items", (bytes) => join("}", "(", repeated(bytes, (i) => join("X", uint(4, 8), String(i), "N")).all, "u")),
  {
    name: "zip of entries",
    reader: "checkpoint",
    file: "consolidated.00.pth",
    write: (path, bytes) => {
      const count = Math.min(65_000, Math.floor(bytes / 246));
      const entry = (i: number): Buffer => {
        const name = String(i).padStart(200, "x");
        const central = join("PK\u0001\u0002", new Uint8Array(42), name);
        central.writeUInt16LE(name.length, 28);
        return central;
      };
      const central = Buffer.concat(Array.from({ length: count }, (_, i) => entry(i)));
      writeFileSync(path, join("PK\u0003\u0004", central, zipEnd(count, central.length, 4)));
    },
  },
  {
    name: "llama2.c of 100,000 layers, sparse",
    reader: "checkpoint",
    file: "model.bin",
    write: (path) => {
      const [dim, ffn, layers, vocabulary, positions] = [2, 1, 100_000, 1, 1];
      const numbers = vocabulary * dim + layers * (2 * dim + 4 * dim * dim + 3 * dim * ffn) + dim + positions * dim;
      sparse(
        path,
        new Uint8Array(Int32Array.of(dim, ffn, layers, 1, 1, vocabulary, positions).buffer),
        28 + 4 * numbers,
      );
    },
  },
  {
    name: "GGUF of strings",
    reader: "checkpoint",
    file: "model.gguf",
    write: (path, bytes) => {
      const count = Math.floor(bytes / 8);
      writeFileSync(path, gguf(0, 1, join(ggufArray("k", 8, count), new Uint8Array(8 * count))));
    },
  },
  {
    name: "GGUF of fields",
    reader: "checkpoint",
    file: "model.gguf",
    write: (path, bytes) => {
      const { all, count } = repeated(bytes, (i) => join(ggufString(String(i)), uint(4, 0), "\0"));
      writeFileSync(path, gguf(0, count, all));
    },
  },
  {
    name: "GGUF of tensors",
    reader: "checkpoint",
    file: "model.gguf",
    write: (path, bytes) => {
      const { all, count } = repeated(bytes, (i) => join(ggufString(String(i)), uint(4, 0), uint(4, 0), uint(8, 0)));
      writeFileSync(path, gguf(count, 0, all));
    },
  },
  {
    name: "GGUF of bytes, sparse",
    reader: "checkpoint",
    file: "model.gguf",
    write: (path) => sparse(path, gguf(0, 1, ggufArray("k", 0, 99_000_000)), 2 ** 40),
  },
  {
    name: "safetensors of tensors",
    reader: "safetensors",
    file: "x.safetensors",
    write: (path, bytes) => writeFileSync(path, safetensors(utf8(`{${parts(bytes, (i) => `"${i}":${empty}`)}}`))),
  },
  {
    name: "safetensors of metadata",
    reader: "safetensors",
    file: "x.safetensors",
    write: (path, bytes) => {
      writeFileSync(path, safetensors(utf8(`{"__metadata__":{${parts(bytes, (i) => `"${i}":""`)}}}`)));
    },
  },
  {
    name: "safetensors of spaces, sparse",
    reader: "safetensors",
    file: "x.safetensors",
    write: (path) => sparse(path, join(uint(8, 100_000_000), "{"), 2 ** 40),
  },
  {
    name: "Touchstone's configuration of arrays",
    reader: "checkpoint",
    file: "x.safetensors",
    write: (path, bytes) => {
      const nested = JSON.stringify(`[${parts(bytes, () => "[]")}]`);
      writeFileSync(path, safetensors(utf8(`{"__metadata__":{"config":${nested}}}`)));
    },
  },
  {
    name: "recording of a configuration of arrays",
    reader: "recording",
    file: "x.safetensors",
    write: (path, bytes) => {
      const nested = JSON.stringify(`[${parts(bytes, () => "[]")}]`);
      writeFileSync(path, safetensors(utf8(`{"__metadata__":{"config":${nested}}}`)));
    },
  },
  {
    name: "recording of steps",
    reader: "recording",
    file: "x.safetensors",
    write: (path, bytes) => {
      const count = Math.floor(bytes / 8);
      const ids = (begin: number): string =>
        `{"dtype":"I32","shape":[${count},1,1],"data_offsets":[${begin},${begin + 4 * count}]}`;
      const header = `{"__metadata__":{"config":${JSON.stringify(config)}},"tokens":${ids(0)},"targets":${ids(4 * count)}}`;
      writeFileSync(path, safetensors(utf8(header), new Uint8Array(8 * count)));
    },
  },
  {
    name: "recording of 64 GiB, sparse",
    reader: "recording",
    file: "x.safetensors",
    write: (path) => {
      const ids = (begin: number): string =>
        `{"dtype":"I32","shape":[1,1,${2 ** 33}],"data_offsets":[${begin},${begin + 2 ** 35}]}`;
      const header = utf8(
        `{"__metadata__":{"config":${JSON.stringify(config)}},"tokens":${ids(0)},"targets":${ids(2 ** 35)}}`,
      );
      sparse(path, join(uint(8, header.length), header), 8 + header.length + 2 ** 36);
    },
  },
  {
    name: "fixture of 64 GiB, sparse",
    reader: "fixture",
    file: "add.forward.0.float32.safetensors",
    write: (path) => {
      const header = utf8(`{"in.a":{"dtype":"F32","shape":[${2 ** 34}],"data_offsets":[0,${2 ** 36}]}}`);
      sparse(path, join(uint(8, header.length), header), 8 + header.length + 2 ** 36);
    },
  },
  {
    name: "weights of 64 GiB, sparse",
    reader: "checkpoint",
    file: "x.safetensors",
    write: (path) => {
      const header = utf8(
        `{"__metadata__":{"config":${JSON.stringify(config)}},"weights.tok_embeddings.weight":{"dtype":"F32","shape":[${2 ** 34}],"data_offsets":[0,${2 ** 36}]}}`,
      );
      sparse(path, join(uint(8, header.length), header), 8 + header.length + 2 ** 36);
    },
  },
  {
    name: "SentencePiece of empty pieces",
    reader: "tokenizer",
    file: "t.model",
    write: (path, bytes) => writeFileSync(path, filled(Uint8Array.of(0x0a, 0), bytes)),
  },
  {
    name: "SentencePiece of pieces",
    reader: "tokenizer",
    file: "t.model",
    write: (path, bytes) => {
      const { all } = repeated(bytes, (i) => join(Uint8Array.of(0x0a, 10, 0x0a, 8), String(i)));
      writeFileSync(path, all);
    },
  },
  ...["long pieces", "long pieces of one letter"].map((name): Hostile => ({
    name: `SentencePiece of ${name}`,
    reader: "tokenizer",
    file: "t.model",
    write: (path, bytes) => {
      const piece = (letters: string, type: string): Buffer => {
        const inner = join("\n", varint(letters.length), letters, type);
        return join("\n", varint(inner.length), inner);
      };
      const length = 7900;
      const pieces = Array.from({ length: Math.floor(Math.min(bytes, 2 ** 22) / (length + 8)) }, (_, i) =>
        piece(name.endsWith("letter") ? "a".repeat(length - i) : `${i} `.repeat(length).slice(0, length), ""),
      );
      writeFileSync(path, join(piece("<unk>", "\u0018\u0002"), ...pieces, "\u0012\u0002\u0018\u0002"));
    },
  })),
  {
    name: "SentencePiece of specifications",
    reader: "tokenizer",
    file: "t.model",
    write: (path, bytes) => writeFileSync(path, filled(Uint8Array.of(0x12, 0), bytes)),
  },
  {
    name: "llama2.c's tokenizer of pieces",
    reader: "tokenizer",
    file: "t.bin",
    write: (path, bytes) => {
      const { all } = repeated(bytes, (i) => join(uint(4, 0), uint(4, 8), String(i)));
      writeFileSync(path, join(uint(4, 9), all));
    },
  },
  {
    name: "gzip of 64 GiB",
    reader: "text",
    file: "t.txt.gz",
    write: (path) => {
      const member = gzipSync(new Uint8Array(2 ** 28), { level: 9 });
      writeFileSync(path, Buffer.concat(Array.from({ length: 256 }, () => member)));
    },
  },
  {
    name: "folder of gzips",
    reader: "documents",
    file: "t.txt.gz",
    write: (path) => {
      const member = gzipSync(new Uint8Array(2 ** 28 - 1).fill(0x61), { level: 1 });
      for (let i = 0; i < 8; i++) writeFileSync(path.replace("t.txt", `t${i}.txt`), member);
    },
  },
  {
    name: "documents of one letter",
    reader: "documents",
    file: "t.jsonl",
    write: (path, bytes) => writeFileSync(path, filled('{"text":"a"}\n', bytes - (bytes % 13))),
  },
  {
    name: "text of a device's size, sparse",
    reader: "text",
    file: "t.txt",
    write: (path) => sparse(path, utf8("a"), 2 ** 40),
  },
  {
    name: "tasks of empty lines",
    reader: "tasks",
    file: "t.jsonl",
    write: (path, bytes) => writeFileSync(path, filled("\n", bytes)),
  },
  {
    name: "tasks of items",
    reader: "tasks",
    file: "t.jsonl",
    write: (path, bytes) => {
      const line = '{"kind":"perplexity","text":"a"}\n';
      writeFileSync(path, filled(line, bytes - (bytes % line.length)));
    },
  },
  {
    name: "tasks of choices",
    reader: "tasks",
    file: "t.jsonl",
    write: (path, bytes) => {
      const choices = Array.from({ length: bytes / 4 }, () => '"a"').join(",");
      writeFileSync(path, `{"kind":"choice","context":"","answer":0,"choices":[${choices}]}\n`);
    },
  },
  ...(["mixture", "target", "manifest"] as const).map((reader): Hostile => ({
    name: `${reader} of arrays`,
    reader,
    file: reader === "manifest" ? "manifest.json" : "x.json",
    write: (path, bytes) => writeFileSync(path, `{"sources":[${parts(bytes, () => "[]")}]}`),
  })),
  {
    name: "mixture of sources",
    reader: "mixture",
    file: "x.json",
    write: (path, bytes) => {
      const source = (i: number): string => `{"name":"${i}","weight":1,"files":["x"]}`;
      writeFileSync(path, `{"sources":[${parts(Math.min(bytes, 2 ** 22 - 64), source)}]}`);
    },
  },
  ...["config.json", "params.json"].map((file): Hostile => ({
    name: `${file} of arrays`,
    reader: "checkpoint",
    file: "consolidated.00.pth",
    write: (path, bytes) => {
      writeFileSync(path.replace("consolidated.00.pth", file), `{"dim":[${parts(bytes, () => "[]")}]}`);
      writeFileSync(path.replace("consolidated.00.pth", "model.safetensors"), safetensors(utf8("{}")));
    },
  })),
];
