import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../formats/checkpoint.ts";
import { parseParams } from "../../../formats/meta.ts";
import { storageTypes, unpickleTensors } from "../../../formats/pickle.ts";
import type { FloatDType } from "../../../formats/stored.ts";
import { presets } from "../../../reference/config.ts";
import type { Tensor } from "../../../reference/tensor.ts";
import {
  bitsOf,
  paramsOf,
  pickle,
  pickled,
  randomWeights,
  refusal,
  scratch,
  small,
  torchFile,
  type TorchEntry,
  writeJson,
  zipped,
} from "./files.ts";

const at = scratch();
type Weights = Map<string, Tensor<Float32Array>>;

/** A folder as Meta's, of these shards. */
function folderOf(name: string, shards: readonly Uint8Array[], params: unknown = paramsOf(small)): string {
  fs.mkdirSync(at(name));
  writeJson(at(`${name}/params.json`), params);
  for (const [rank, bytes] of shards.entries()) fs.writeFileSync(at(`${name}/consolidated.0${rank}.pth`), bytes);
  return at(name);
}

/** Part `rank` of a matrix of 2 ranks along an axis. */
function half(
  { data, shape: [rows, columns] }: Tensor<Float32Array>,
  rank: number,
  axis: number,
): Tensor<Float32Array> {
  const shape = axis === 0 ? [rows / 2, columns] : [rows, columns / 2];
  const [r0, c0] = axis === 0 ? [rank * shape[0], 0] : [0, rank * shape[1]];
  const part = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => {
    return data[(r0 + Math.floor(i / shape[1])) * columns + c0 + (i % shape[1])];
  });
  return { data: part, shape };
}

function shard(weights: Weights, rank: number, embeddingAxis: number): Weights {
  return new Map(
    [...weights].map(([name, w]) => {
      if (w.shape.length === 1) return [name, w];
      const byColumns = /\.(wo|w2)\.weight$/.test(name);
      const axis = name === "tok_embeddings.weight" ? embeddingAxis : Number(byColumns);
      return [name, half(w, rank, axis)];
    }),
  );
}

describe("weights", () => {
  for (const dtype of ["float32", "float16", "bfloat16"] as FloatDType[]) {
    test(`${dtype}, in one file, widened exactly`, async () => {
      const weights = randomWeights(small, dtype);
      const opened = await openCheckpoint(folderOf(`one-${dtype}`, [torchFile(weights, dtype)]));
      expect(opened.config).toEqual(small);
      expect(opened.dtypes).toEqual([dtype]);
      expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
      opened.close();
    });
  }

  for (const [name, axis] of [
    ["as LLaMA 1 and 2, by columns", 1],
    ["as LLaMA 3, by rows", 0],
  ] as const) {
    test(`two ranks of tensor parallelism are merged, the embedding ${name}`, async () => {
      const config = { ...small, nKvHeads: 2, vocabSize: 6 };
      const weights = randomWeights(config);
      const shards = [0, 1].map((rank) => torchFile(shard(weights, rank, axis)));
      const folder = folderOf(`two-${axis}`, shards, paramsOf(config));
      for (const path of [folder, join(folder, "consolidated.01.pth")]) {
        const opened = await openCheckpoint(path);
        expect(opened.config).toEqual(config);
        expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
        opened.close();
      }
      fs.rmSync(join(folder, "consolidated.00.pth"));
      expect(await refusal(() => openCheckpoint(folder))).toMatch(/expected/);
    });
  }

  test("shards that differ in names or shapes are refused by name", async () => {
    const weights = randomWeights({ ...small, nKvHeads: 2, vocabSize: 6 });
    const [a, b] = [0, 1].map((rank) => shard(weights, rank, 1));
    b.set("norm.weight", { data: new Float32Array(4), shape: [4] });
    expect(await refusal(() => openCheckpoint(folderOf("shapes", [torchFile(a), torchFile(b)])))).toMatch(
      /01\.pth: "norm\.weight" has shape \[4\]/,
    );
    b.delete("norm.weight");
    expect(await refusal(() => openCheckpoint(folderOf("fewer", [torchFile(a), torchFile(b)])))).toMatch(
      /01\.pth: has no tensor "norm\.weight"/,
    );
    expect(await refusal(() => openCheckpoint(folderOf("more", [torchFile(b), torchFile(a)])))).toMatch(
      /01\.pth: has a tensor "norm\.weight"/,
    );
  });

  test("buffers are ignored; a transposed view and a slice of a storage are read as they stand", async () => {
    const weights = randomWeights(small);
    const wo = weights.get("layers.0.attention.wo.weight")!;
    const entries: TorchEntry[] = [];
    const data: Record<string, Uint8Array> = {};
    for (const [i, [name, w]] of [...weights].entries()) {
      const stored = new Float32Array(w.data.length + 3);
      stored.set(w.data, 3);
      if (w === wo) for (let r = 0; r < 8; r++) for (let c = 0; c < 8; c++) stored[3 + c * 8 + r] = w.data[r * 8 + c];
      data[`x/data/${i}`] = new Uint8Array(stored.buffer);
      const strides = w === wo ? { strides: [1, 8] } : {};
      entries.push({
        name,
        key: String(i),
        type: "FloatStorage",
        length: stored.length,
        offset: 3,
        shape: w.shape,
        ...strides,
      });
    }
    entries.push({ name: "rope.freqs", key: "0", type: "FloatStorage", length: 43, shape: [2] });
    entries.push({ name: "layers.1.attention.mask", key: "0", type: "FloatStorage", length: 43, shape: [1] });
    const opened = await openCheckpoint(folderOf("views", [zipped({ "x/data.pkl": pickled(entries), ...data })]));
    expect(opened.ignored).toEqual(["rope.freqs", "layers.1.attention.mask"]);
    expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
  });

  test("a tensor beyond its storage, of shared numbers, or of a storage of another size is refused", async () => {
    const numbers = { "x/data/0": new Uint8Array(64) };
    const params = { ...paramsOf(small), vocab_size: 5 };
    const refuse = (entry: Partial<TorchEntry>, name: string): Promise<string> => {
      const whole = { name: "norm.weight", key: "0", type: "FloatStorage", length: 16, shape: [8], ...entry };
      return refusal(() =>
        openCheckpoint(folderOf(name, [zipped({ "x/data.pkl": pickled([whole]), ...numbers })], params)),
      );
    };
    expect(await refuse({ offset: 9 }, "offset")).toMatch(/expected each element to have its own number/);
    expect(await refuse({ shape: [2], strides: [16] }, "stride")).toMatch(
      /expected each element to have its own number/,
    );
    expect(await refuse({ shape: [17] }, "length")).toMatch(/expected each element to have its own number/);
    expect(await refuse({ shape: [1_000_000_000, 1_000_000_000], strides: [0, 0] }, "expanded")).toMatch(
      /each element to have its own number/,
    );
    expect(await refuse({ shape: [4, 4], strides: [2, 1] }, "overlap")).toMatch(/each element to have its own number/);
    expect(await refuse({ length: 15, shape: [8] }, "storage")).toMatch(/a storage of 64 bytes, expected 60/);
    expect(await refuse({ key: "1" }, "absent")).toMatch(/no entry "x\/data\/1"/);
    expect(await refuse({ key: "../../0" }, "outside")).toMatch(/no entry/);
    expect(await refuse({ type: "DoubleStorage", length: 8 }, "double")).toMatch(
      /DoubleStorage, expected one of FloatStorage/,
    );
  });
});

describe("params.json", () => {
  const bytes = torchFile(randomWeights(small));
  const refuse = (name: string, change: Record<string, unknown>): Promise<string> =>
    refusal(() => openCheckpoint(folderOf(name, [bytes], { ...paramsOf(small), ...change })));

  test("what changes the mathematics, is missing, or is unknown is refused by name", async () => {
    expect(await refuse("scaled", { use_scaled_rope: true })).toMatch(/use_scaled_rope is true/);
    expect(await refuse("experts", { moe: { num_experts: 8 } })).toMatch(/"moe" is not supported/);
    expect(await refuse("word", { dim: "8" })).toMatch(/dim is "8", expected a number/);
    expect(await refuse("missing", { n_layers: undefined })).toMatch(/n_layers is missing/);
    expect(await refuse("multiple", { multiple_of: 0 })).toMatch(/multiple_of is 0/);
    expect(await refuse("many", { n_layers: 1e9 })).toMatch(/nLayers is 1000000000, expected at most 4096/);
    expect(await refuse("layers", { n_layers: 4096 })).toMatch(/"layers\.2\.attention_norm\.weight" is missing/);
    expect(await refuse("vocabulary", { vocab_size: 7 })).toMatch(/expected \[7,8\]/);
  });

  test("the papers' widths come from multiple_of and ffn_dim_multiplier", () => {
    const width = (params: Record<string, number>): number => {
      writeJson(at("widths.json"), { ...paramsOf(small), ffn_dim_multiplier: undefined, ...params });
      return parseParams(at("widths.json"), 32_000).ffnDim;
    };
    for (const { dim, ffnDim } of [presets["7B"], presets["13B"], presets["33B"], presets["65B"]]) {
      expect(width({ dim, multiple_of: 256 })).toBe(ffnDim);
    }
    // LLaMA 2 70B, LLaMA 3 8B and 70B.
    expect(width({ dim: 8192, multiple_of: 4096, ffn_dim_multiplier: 1.3 })).toBe(28_672);
    expect(width({ dim: 4096, multiple_of: 1024, ffn_dim_multiplier: 1.3 })).toBe(14_336);
    expect(width({ dim: 8192, multiple_of: 1024, ffn_dim_multiplier: 1.3 })).toBe(28_672);
  });

  test("a vocabulary of −1 is the head's rows; where there is none, it is missed by name", async () => {
    writeJson(at("vocabulary.json"), paramsOf(small));
    expect(parseParams(at("vocabulary.json"), 37).vocabSize).toBe(37);
    const weights = randomWeights(small);
    weights.delete("output.weight");
    const folder = folderOf("headless", [torchFile(weights)]);
    expect(await refusal(() => openCheckpoint(folder))).toMatch(/vocab_size is -1, expected .*"output\.weight"/);
  });
});

describe("a pickle is a program that is not run", () => {
  const { begin, stop, mark, tuple, reduce, global, text, emptyTuple, none } = pickle;
  const evidence = (name: string): string => at(`${name}.ran`);

  /** Pickles that Python would run, each with the name that must be refused. */
  function hostile(path: string): Record<string, [Buffer, RegExp]> {
    const command = text(`touch ${path}`);
    const short = (value: string): Buffer => Buffer.concat([Buffer.from([0x8c, value.length]), Buffer.from(value)]);
    const call = (module: string, name: string): Buffer =>
      Buffer.concat([begin, global(module, name), mark, command, tuple, reduce, stop]);
    const line = (value: string): Buffer => Buffer.from(value);
    return {
      "os.system": [call("os", "system"), /"os\.system"/],
      "posix.system": [call("posix", "system"), /"posix\.system"/],
      "builtins.eval": [call("builtins", "eval"), /"builtins\.eval"/],
      "__builtin__.exec": [call("__builtin__", "exec"), /"__builtin__\.exec"/],
      "subprocess.Popen": [call("subprocess", "Popen"), /"subprocess\.Popen"/],
      "torch.load": [call("torch", "load"), /"torch\.load"/],
      "torch.hub.load": [call("torch.hub", "load"), /"torch\.hub\.load"/],
      "torch.constructor": [call("torch", "constructor"), /"torch\.constructor"/],
      "a call of what is no function": [
        Buffer.concat([begin, global("torch", "FloatStorage"), mark, command, tuple, reduce, stop]),
        /a call of torch\.FloatStorage/,
      ],
      STACK_GLOBAL: [
        Buffer.concat([begin, short("os"), short("system"), Buffer.from([0x93]), mark, command, tuple, reduce, stop]),
        /SHORT_BINUNICODE/,
      ],
      "STACK_GLOBAL of old strings": [
        Buffer.concat([begin, text("os"), text("system"), Buffer.from([0x93]), mark, command, tuple, reduce, stop]),
        /STACK_GLOBAL/,
      ],
      INST: [Buffer.concat([begin, mark, command, line("ios\nsystem\n"), stop]), /INST/],
      OBJ: [Buffer.concat([begin, mark, none, command, line("o"), stop]), /OBJ/],
      NEWOBJ: [Buffer.concat([begin, none, mark, command, tuple, Buffer.from([0x81]), stop]), /NEWOBJ/],
      NEWOBJ_EX: [Buffer.concat([begin, none, emptyTuple, none, Buffer.from([0x92]), stop]), /NEWOBJ_EX/],
      EXT1: [Buffer.concat([begin, Buffer.from([0x82, 1]), stop]), /EXT1/],
      "BUILD on what is no dictionary": [
        Buffer.concat([begin, text("x"), Buffer.from("}"), Buffer.from("b"), stop]),
        /attributes given to the string "x"/,
      ],
      "protocol 0": [line(`cos\nsystem\n(S'touch ${path}'\ntR.`), /first byte, expected 0x80/],
      "protocol 4": [Buffer.concat([Buffer.from([0x80, 4]), stop]), /protocol 4, expected 2/],
    };
  }

  for (const name of Object.keys(hostile(""))) {
    test(`${name} is refused by name, and has no effect`, async () => {
      const path = evidence(name.replaceAll(/\W/g, "_"));
      const [program, pattern] = hostile(path)[name];
      const folder = folderOf(`run ${name}`, [zipped({ "x/data.pkl": program })]);
      expect(await refusal(() => openCheckpoint(folder))).toMatch(pattern);
      expect(fs.existsSync(path)).toBe(false);
      expect(await refusal(() => unpickleTensors("a pickle", program))).toMatch(pattern);
    });
  }

  test("what a dictionary of tensors may not hold is refused by name", async () => {
    const dictionary = (...items: Buffer[]): Buffer =>
      Buffer.concat([begin, Buffer.from("}"), mark, ...items, Buffer.from("u"), stop]);
    const refuse = (bytes: Buffer): Promise<string> => refusal(() => unpickleTensors("a pickle", bytes));
    expect(await refuse(dictionary(text("model"), Buffer.from("}")))).toMatch(
      /a dictionary under "model", expected a tensor/,
    );
    expect(await refuse(dictionary(text("lr"), pickle.integer(-3)))).toMatch(/-3 under "lr", expected a tensor/);
    expect(await refuse(dictionary(pickle.integer(1), none))).toMatch(/1 as a key/);
    expect(await refuse(dictionary(text("odd")))).toMatch(/as a key|expected/);
    expect(await refuse(Buffer.concat([begin, none, stop]))).toMatch(/holds None, expected a dictionary/);
    expect(await refuse(Buffer.concat([begin, none, none, stop]))).toMatch(/1 values left over/);
    expect(await refuse(Buffer.concat([begin, Buffer.from("}."), none]))).toMatch(/1 byte after its end/);
    expect(await refuse(Buffer.concat([begin, Buffer.from("h"), Buffer.from([7]), stop]))).toMatch(/memo 7/);
    expect(await refuse(Buffer.concat([begin, Buffer.from("X"), Buffer.from([255, 255, 255, 255]), stop]))).toMatch(
      /end inside/,
    );
    expect(await refuse(Buffer.from([]))).toMatch(/end inside/);
    expect(await refuse(Buffer.from([0x80]))).toMatch(/end inside/);
    expect(unpickleTensors("a pickle", dictionary()).size).toBe(0);
  });

  test("names such as __proto__ are names", () => {
    const named = pickled([{ name: "__proto__", key: "0", type: "FloatStorage", length: 1, shape: [1] }]);
    expect([...unpickleTensors("a pickle", named).keys()]).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
    expect(Object.keys(storageTypes)).toContain("HalfStorage");
  });
});

describe("the zip", () => {
  const entry = pickled([{ name: "norm.weight", key: "0", type: "FloatStorage", length: 1, shape: [1] }]);
  const refuse = (name: string, bytes: Uint8Array): Promise<string> =>
    refusal(() => openCheckpoint(folderOf(`zip ${name}`, [bytes])));

  test("what is no checkpoint's is refused", async () => {
    expect(await refuse("none", zipped({ "x/other": entry }))).toMatch(/0 entries data\.pkl/);
    expect(await refuse("two", zipped({ "x/data.pkl": entry, "y/data.pkl": entry }))).toMatch(/2 entries data\.pkl/);
    const big = { "x/data.pkl": entry, "x/byteorder": Buffer.from("big"), "x/data/0": new Uint8Array(4) };
    expect(await refuse("big-endian", zipped(big))).toMatch(/byteorder says "big", expected "little"/);
    const twice = zipped({ "x/data.pkl": entry, "x/data/0": new Uint8Array(4), "x/data/1": new Uint8Array(4) });
    const renamed = Buffer.from(twice.toString("latin1").replaceAll("x/data/1", "x/data/0"), "latin1");
    expect(await refuse("same names", renamed)).toMatch(/two entries "x\/data\/0"/);
    const deflated = Buffer.from(zipped({ "x/data.pkl": entry, "x/data/0": new Uint8Array(4) }));
    deflated.writeUInt16LE(8, deflated.indexOf("PK\u0001\u0002") + 10);
    expect(await refuse("deflated", deflated)).toMatch(/compressed or encrypted/);
    expect(await refuse("old", Buffer.from([0x80, 2, 0x8a, 0x0a]))).toMatch(/not a zip/);
  });
});
