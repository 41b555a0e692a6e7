import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type CheckpointFormat,
  dtypesOfFormat,
  openCheckpoint,
  type WeightTable,
  weightsOf,
  writeCheckpoint,
  type WrittenFormat,
  writtenFormats,
} from "../../../formats/checkpoint.ts";
import { fieldsOf, ggufNames } from "../../../formats/gguf.ts";
import { encodeGgufHeader, type GgufTensor } from "../../../formats/gguf-header.ts";
import { configText } from "../../../formats/huggingface-config.ts";
import { huggingfaceNames } from "../../../formats/huggingface.ts";
import { headSize, presets } from "../../../reference/config.ts";
import { sizeOf } from "../../../reference/tensor.ts";
import { countParameters, weightShapes } from "../../../reference/weights.ts";
import { sharedData } from "../../needs.ts";
import {
  bitsOf,
  paramsOf,
  randomWeights,
  refusal,
  scratch,
  small,
  torchFile,
  writeHollowTorchFile,
  writeJson,
} from "./files.ts";

const at = scratch();
const stories = sharedData("data/stories260K");
const demo = sharedData("data/demo_rand_params.pth");
const trace = sharedData("traces/gqa.f32.safetensors");
const suffix: Record<WrittenFormat, string> = {
  llama2c: ".bin",
  gguf: ".gguf",
  touchstone: ".safetensors",
  huggingface: "",
};

describe("real files", () => {
  const same = `stories260K has the same weights in llama2.c's format and in GGUF${stories.note}`;
  test.skipIf(stories.absent)(same, async () => {
    const bin = await openCheckpoint(join(stories.path, "stories260K.bin"));
    const gguf = await openCheckpoint(join(stories.path, "stories260K.gguf"));
    expect(bin.format).toBe("llama2c");
    expect(gguf.format).toBe("gguf");
    expect(bin.config).toEqual({
      dim: 64,
      ffnDim: 172,
      nLayers: 5,
      nHeads: 8,
      nKvHeads: 4,
      vocabSize: 512,
      maxSeqLen: 512,
      normEps: 1e-5,
      ropeTheta: 10_000,
      tiedEmbeddings: true,
    });
    expect(countParameters(bin.config)).toBe(260_032);
    // The GGUF file claims a longer context, and holds the head once more.
    expect(gguf.config).toEqual({ ...bin.config, maxSeqLen: 2048, tiedEmbeddings: false });
    const weights = bin.readWeights();
    const head = weights.get("tok_embeddings.weight")!;
    expect(bitsOf(gguf.readWeights())).toEqual(bitsOf(new Map([...weights, ["output.weight", head] as const])));
    bin.close();
    gguf.close();
  });

  test.skipIf(demo.absent)(`demo_rand_params.pth loads, by its own parameters${demo.note}`, async () => {
    const opened = await openCheckpoint(demo.path);
    expect(opened.format).toBe("meta");
    expect(opened.config).toMatchObject({ dim: 64, ffnDim: 172, nLayers: 5, nHeads: 8, nKvHeads: 8, vocabSize: 512 });
    expect(opened.ignored).toEqual([0, 1, 2, 3, 4].map((i) => `layers.${i}.attention.mask`));
    const weights = opened.readWeights();
    expect(weights.size).toBe(opened.tensors.length);
    let sum = 0;
    let squares = 0;
    let count = 0;
    for (const [name, { data: numbers }] of weights) {
      if (name.endsWith("norm.weight")) expect(numbers.every((x) => x === 1)).toBe(true);
      if (name !== "tok_embeddings.weight") continue;
      for (const x of numbers) {
        sum += x;
        squares += x * x;
        count++;
      }
    }
    // torch.nn.Embedding draws from the normal distribution: five standard errors of its mean and its mean square.
    expect(Math.abs(sum / count)).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(squares / count - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    opened.close();
  });

  test.skipIf(trace.absent)(`a recorded step's weights are a checkpoint${trace.note}`, async () => {
    const { format, config, tensors, close } = await openCheckpoint(trace.path);
    expect(format).toBe("touchstone");
    expect(tensors.map(({ name }) => name)).toEqual([...weightShapes(config).keys()]);
    close();
  });
});

describe("round trips", () => {
  for (const format of writtenFormats) {
    for (const dtype of dtypesOfFormat(format)) {
      for (const tiedEmbeddings of [true, false]) {
        test(`${format}, ${dtype}, ${tiedEmbeddings ? "tied" : "untied"}: the same bits`, async () => {
          const config = { ...small, tiedEmbeddings };
          const weights = randomWeights(config, dtype);
          const path = at(`${format}-${dtype}-${tiedEmbeddings}${suffix[format]}`);
          writeCheckpoint(path, format, config, weights, dtype);
          const opened = await openCheckpoint(path);
          expect(opened.format).toBe(format);
          expect(opened.config).toEqual(config);
          expect(opened.dtypes[0]).toBe(dtype);
          expect(opened.tensors.map(({ name }) => name)).toEqual([...weightShapes(config).keys()]);
          expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
          opened.close();
          expect(await refusal(() => opened.readWeight("norm.weight"))).toMatch(/closed/);
        });
      }
    }
  }

  test("through every format in turn, weight by weight, the bits stay", async () => {
    const weights = randomWeights(small, "float16");
    let table: WeightTable = weights;
    const chain: [WrittenFormat, "float32" | "float16"][] = [
      ["huggingface", "float16"],
      ["gguf", "float16"],
      ["touchstone", "float16"],
      ["llama2c", "float32"],
      ["huggingface", "float32"],
    ];
    for (const [i, [format, dtype]] of chain.entries()) {
      const path = at(`chain-${i}${suffix[format]}`);
      writeCheckpoint(path, format, small, table, dtype);
      const opened = await openCheckpoint(path);
      expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
      table = weightsOf(opened);
    }
  });

  test("a folder that training keeps is opened by its checkpoint", async () => {
    fs.mkdirSync(at("run"));
    const weights = randomWeights(small);
    writeCheckpoint(at("run/checkpoint.safetensors"), "touchstone", small, weights);
    const opened = await openCheckpoint(at("run"));
    expect(opened.format).toBe("touchstone");
    expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
  });

  test("Hugging Face, in shards: the index names them, and a file of the folder stands for the folder", async () => {
    const weights = randomWeights(small);
    const folder = at("shards");
    writeCheckpoint(folder, "huggingface", small, weights, "float32", { shardBytes: 1000 });
    const files = fs.readdirSync(folder).filter((name) => name.endsWith(".safetensors"));
    expect(files.length).toBeGreaterThan(3);
    const opened = await openCheckpoint(folder);
    expect(bitsOf(opened.readWeights())).toEqual(bitsOf(weights));
    const byFile = await openCheckpoint(join(folder, files[1]));
    expect(byFile.format).toBe("huggingface");
    expect(byFile.tensors).toEqual(opened.tensors);
    fs.rmSync(join(folder, files[2]));
    expect(await refusal(() => openCheckpoint(folder))).toMatch(/model-00003-of.*no such file/);
  });
});

describe("what is refused", () => {
  const write = (name: string, weights: ReturnType<typeof randomWeights>): string => {
    fs.writeFileSync(at(`${name}.pth`), torchFile(weights));
    writeJson(at(`${name}.json`), paramsOf(small));
    return at(`${name}.pth`);
  };

  test("a missing weight, one left over, one of another shape: named, with what was expected", async () => {
    const missing = randomWeights(small);
    missing.delete("layers.1.attention.wk.weight");
    expect(await refusal(() => openCheckpoint(write("missing", missing)))).toMatch(
      /"layers\.1\.attention\.wk\.weight" is missing, expected shape \[4,8\]/,
    );
    const extra = randomWeights(small);
    extra.set("layers.1.attention.wq.bias", { data: new Float32Array(8), shape: [8] });
    expect(await refusal(() => openCheckpoint(write("extra", extra)))).toMatch(
      /wq\.bias" of shape \[8\] is not one of the weights/,
    );
    const other = randomWeights(small);
    other.set("layers.0.feed_forward.w2.weight", { data: new Float32Array(96), shape: [12, 8] });
    expect(await refusal(() => openCheckpoint(write("other", other)))).toMatch(
      /w2\.weight" has shape \[12,8\], expected \[8,12\]/,
    );
  });

  test("what a format cannot hold", () => {
    const weights = randomWeights(small);
    const path = at("never");
    expect(() => writeCheckpoint(path, "llama2c", small, weights, "float16")).toThrow(/stores float32, not float16/);
    expect(() => writeCheckpoint(path, "llama2c", { ...small, normEps: 1e-6 }, weights)).toThrow(
      /normEps is 0\.000001/,
    );
    expect(() => writeCheckpoint(path, "llama2c", { ...small, ropeTheta: 5e5 }, weights)).toThrow(
      /ropeTheta is 500000/,
    );
    expect(() => writeCheckpoint(path, "gguf", { ...small, nHeads: 3 }, weights)).toThrow(/not divisible/);
    const halves = randomWeights(small, "float16");
    halves.set("norm.weight", { data: Float32Array.of(0, 1, 65_520, 0, 0, 0, 0, 0), shape: [8] });
    for (const format of ["huggingface", "touchstone"] as const) {
      const run = (): void => writeCheckpoint(path, format, small, halves, "float16");
      expect(run).toThrow(/norm\.weight holds 65520 at element 2, expected what float16 can hold/);
    }
    weights.delete("norm.weight");
    for (const format of writtenFormats) {
      expect(() => writeCheckpoint(path, format, small, weights)).toThrow(
        /norm\.weight is missing, expected shape \[8\]/,
      );
      const lazy: WeightTable = { get: (name) => weights.get(name) };
      expect(() => writeCheckpoint(path, format, small, lazy)).toThrow(/norm\.weight is missing, expected shape \[8\]/);
    }
    expect(fs.existsSync(path)).toBe(false);
    expect(fs.readdirSync(at("")).filter((name) => name.startsWith(".touchstone"))).toEqual([]);
  });

  test("65,504 and just below 65,520 fit float16", async () => {
    const weights = randomWeights(small);
    for (const { data: numbers } of weights.values()) numbers.fill(65_519.996);
    writeCheckpoint(at("edge.safetensors"), "touchstone", small, weights, "float16");
    const { readWeight } = await openCheckpoint(at("edge.safetensors"));
    expect(readWeight("norm.weight").data[0]).toBe(65_504);
  });

  test("a folder that is not empty is left as it is", () => {
    fs.mkdirSync(at("occupied"));
    fs.writeFileSync(at("occupied/mine"), "mine");
    expect(() => writeCheckpoint(at("occupied"), "huggingface", small, randomWeights(small))).toThrow(
      /1 entries, expected a free/,
    );
    expect(fs.readdirSync(at("occupied"))).toEqual(["mine"]);
    fs.rmSync(at("occupied/mine"));
    writeCheckpoint(at("occupied"), "huggingface", small, randomWeights(small));
    expect(fs.readdirSync(at("occupied")).toSorted()).toEqual(["config.json", "model.safetensors"]);
  });

  test("a llama2.c file with a byte more than its header says", async () => {
    writeCheckpoint(at("longer.bin"), "llama2c", small, randomWeights(small));
    fs.appendFileSync(at("longer.bin"), "x");
    expect(await refusal(() => openCheckpoint(at("longer.bin")))).toMatch(
      /bytes long, expected \d+ for llama2\.c's version 0/,
    );
  });

  test("what is no checkpoint", async () => {
    expect(await refusal(() => openCheckpoint(at("absent")))).toMatch(/no such file/);
    fs.mkdirSync(at("empty"));
    expect(await refusal(() => openCheckpoint(at("empty")))).toMatch(/expected a folder with config\.json/);
    expect(await refusal(() => openCheckpoint("/dev/null"))).toMatch(/not a regular file/);
    for (const [name, text] of [
      ["a.bin", ""],
      ["a.gguf", "x"],
      ["a.pth", "PK"],
      ["a.safetensors", "{}"],
      ["a.txt", "Call me Ishmael."],
    ]) {
      fs.writeFileSync(at(name), text);
      expect((await refusal(() => openCheckpoint(at(name)))).startsWith(at(name))).toBe(true);
    }
    const later = Buffer.alloc(256);
    later.writeUInt32LE(0x616b3432, 0);
    later.writeInt32LE(2, 4);
    fs.writeFileSync(at("later.bin"), later);
    expect(await refusal(() => openCheckpoint(at("later.bin")))).toMatch(
      /is llama2\.c's version 2, expected version 0/,
    );
  });
});

describe("files larger than memory", () => {
  const large = { ...presets["65B"], normEps: 1e-5 };
  const bytes = 4 * countParameters(large);

  /** Makes what describes a 65B in float32, and leaves its numbers as holes. */
  const hollow: Record<CheckpointFormat, (path: string) => void> = {
    llama2c: (path) => {
      const { dim, ffnDim, nLayers, nHeads, nKvHeads, vocabSize, maxSeqLen } = large;
      const header = Int32Array.of(dim, ffnDim, nLayers, nHeads, nKvHeads, -vocabSize, maxSeqLen);
      fs.writeFileSync(path, new Uint8Array(header.buffer));
      fs.truncateSync(path, header.byteLength + bytes + 4 * maxSeqLen * headSize(large));
    },
    gguf: (path) => {
      const metadata = fieldsOf(large, "float32", "large");
      const tensors = new Map<string, GgufTensor>();
      let offset = 0;
      for (const [name, shape] of weightShapes(large)) {
        tensors.set(ggufNames.fileNameOf(name), { type: 0, shape, offset });
        offset += 4 * sizeOf(shape);
      }
      const header = encodeGgufHeader(new Map(metadata), tensors);
      fs.writeFileSync(path, header);
      fs.truncateSync(path, header.length + bytes);
    },
    touchstone: (path) => hollowSafetensors(path, (name) => `weights.${name}`, { config: JSON.stringify(large) }),
    huggingface: (path) => {
      fs.mkdirSync(path);
      fs.writeFileSync(join(path, "config.json"), configText(large, "float32"));
      hollowSafetensors(join(path, "model.safetensors"), huggingfaceNames.fileNameOf, { format: "pt" });
    },
    meta: (path) => {
      fs.mkdirSync(path);
      writeJson(join(path, "params.json"), { ...paramsOf(large), multiple_of: 256, ffn_dim_multiplier: 1 });
      writeHollowTorchFile(join(path, "consolidated.00.pth"), large);
    },
  };

  function hollowSafetensors(path: string, nameOf: (name: string) => string, metadata: Record<string, string>): void {
    const entries: Record<string, unknown> = { __metadata__: metadata };
    let end = 0;
    for (const [name, shape] of weightShapes(large)) {
      const begin = end;
      end += 4 * sizeOf(shape);
      entries[nameOf(name)] = { dtype: "F32", shape, data_offsets: [begin, end] };
    }
    const header = Buffer.from(JSON.stringify(entries));
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    fs.writeFileSync(path, Buffer.concat([length, header]));
    fs.truncateSync(path, 8 + header.length + end);
  }

  for (const [format, make] of Object.entries(hollow)) {
    test(`${format}: 65B in float32, 261 GB, is listed in seconds and a few MB, and one weight is read`, async () => {
      const path = at(`large-${format}`);
      make(path);
      const before = process.memoryUsage();
      const start = performance.now();
      const opened = await openCheckpoint(path);
      const seconds = (performance.now() - start) / 1000;
      const after = process.memoryUsage();
      expect(opened.format).toBe(format);
      expect({ ...opened.config, normEps: 1e-5 }).toEqual(large);
      expect(opened.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)).toBe(bytes);
      expect(seconds).toBeLessThan(5);
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 24);
      expect(after.rss - before.rss).toBeLessThan(2 ** 28);
      expect(opened.readWeight("layers.79.ffn_norm.weight").data).toEqual(new Float32Array(8192));
      opened.close();
      fs.rmSync(path, { recursive: true });
    });
  }
});
