// Files of each format, cut short and with every byte of their headers changed: each gives one clear line, or a model whose
// every tensor fits the file. Nothing larger than the file is asked of memory.
import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type CheckpointFormat, openCheckpoint, writeCheckpoint } from "../../../formats/checkpoint.ts";
import { FormatError } from "../../../formats/error.ts";
import { tokenizerFields } from "../../../formats/gguf-tokenizer.ts";
import { sizeOf } from "../../../reference/tensor.ts";
import { llamaFlags } from "../../../reference/text/tokenizer-model.ts";
import { weightShapes } from "../../../reference/weights.ts";
import { paramsOf, randomWeights, scratch, small, torchFile, writeJson } from "./files.ts";

const at = scratch();
const config = { ...small, nLayers: 1 };
const weights = randomWeights(config);

interface Specimen {
  /** What is opened. */
  readonly path: string;
  /** The file that is changed. */
  readonly file: string;
  /** The places of the bytes that describe the weights, rather than being theirs. */
  readonly header: (bytes: Buffer) => number[];
}

/** Those bytes that are in no run that is all of a weight's numbers. */
function outsideWeights(bytes: Buffer): number[] {
  const spans = findWeights(bytes);
  return [...bytes.keys()].filter((place) => !spans.some(([begin, end]) => begin <= place && place < end));
}

function findWeights(bytes: Buffer): [number, number][] {
  return [...weights.values()].flatMap(({ data }): [number, number][] => {
    const begin = bytes.indexOf(Buffer.from(data.buffer));
    return begin < 0 ? [] : [[begin, begin + data.byteLength]];
  });
}

const firstBytes = (length: number): number[] => Array.from({ length }, (_, place) => place);

const specimens: Record<string, () => Specimen> = {
  llama2c: () => {
    writeCheckpoint(at("a.bin"), "llama2c", config, weights);
    return { path: at("a.bin"), file: at("a.bin"), header: () => firstBytes(28) };
  },
  gguf: () => {
    const pieces = ["<unk>", "<s>", "</s>", "a", "b"].map((text, id) => ({
      text,
      score: -id,
      type: (["unknown", "control", "control", "normal", "normal"] as const)[id],
    }));
    const tokenizer = tokenizerFields({ ...llamaFlags, byteFallback: false, pieces });
    writeCheckpoint(at("a.gguf"), "gguf", config, weights, "float32", { tokenizer });
    return { path: at("a.gguf"), file: at("a.gguf"), header: outsideWeights };
  },
  touchstone: () => {
    writeCheckpoint(at("a.safetensors"), "touchstone", config, weights);
    return { path: at("a.safetensors"), file: at("a.safetensors"), header: outsideWeights };
  },
  "huggingface, the weights": () => {
    writeCheckpoint(at("weights"), "huggingface", config, weights);
    // Rows of wq and wk are reordered there, so the header's length is what tells.
    const header = (bytes: Buffer): number[] => firstBytes(8 + Number(bytes.readBigUInt64LE(0)));
    return { path: at("weights"), file: at("weights/model.safetensors"), header };
  },
  "huggingface, the configuration": () => {
    writeCheckpoint(at("configuration"), "huggingface", config, weights);
    return {
      path: at("configuration"),
      file: at("configuration/config.json"),
      header: (bytes) => firstBytes(bytes.length),
    };
  },
  "huggingface, the index": () => {
    writeCheckpoint(at("index"), "huggingface", config, weights, "float32", { shardBytes: 2000 });
    return {
      path: at("index"),
      file: at("index/model.safetensors.index.json"),
      header: (bytes) => firstBytes(bytes.length),
    };
  },
  "meta, the weights": () => {
    fs.mkdirSync(at("meta"));
    writeJson(at("meta/params.json"), paramsOf(config));
    fs.writeFileSync(at("meta/consolidated.00.pth"), torchFile(weights));
    return { path: at("meta"), file: at("meta/consolidated.00.pth"), header: outsideWeights };
  },
  "meta, the parameters": () => {
    fs.mkdirSync(at("parameters"));
    writeJson(at("parameters/params.json"), paramsOf(config));
    fs.writeFileSync(at("parameters/consolidated.00.pth"), torchFile(weights));
    return { path: at("parameters"), file: at("parameters/params.json"), header: (bytes) => firstBytes(bytes.length) };
  },
};

/** What came of opening and reading everything: anything but a model that fits or one clear line is thrown. */
async function outcome(path: string, totalBytes: number): Promise<"read" | "refused"> {
  try {
    const opened = await openCheckpoint(path);
    try {
      // Plain comparisons: this runs some ten thousand times.
      const { config: found, tensors } = opened;
      const shapes = weightShapes(found);
      for (const [name, { data, shape }] of opened.readWeights()) {
        const wanted = shapes.get(name);
        if (shape.join() !== wanted?.join() || data.length !== sizeOf(shape)) throw new Error(`${name} does not fit`);
      }
      if (!tensors.every(({ bytes }) => bytes <= totalBytes)) throw new Error("a weight is larger than the file");
      return "read";
    } finally {
      opened.close();
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    if (/[\n\r]/.test(error.message) || error.message.length > 2000) throw new Error("no clear line", { cause: error });
    return "refused";
  }
}

/** Runs with the largest array that is asked for watched, in bytes; arrays over existing memory are not asked for. */
async function largestAllocation(run: () => Promise<unknown>): Promise<number> {
  let largest = 0;
  const watched = ["Uint8Array", "Uint16Array", "Float32Array", "Int32Array", "Float64Array"] as const;
  const originals = watched.map((name) => globalThis[name]);
  for (const [i, name] of watched.entries()) {
    const Original = originals[i];
    const proxy = new Proxy(Original, {
      construct(target, args: unknown[], newTarget: new () => unknown) {
        if (typeof args[0] === "number") largest = Math.max(largest, args[0] * Original.BYTES_PER_ELEMENT);
        return Reflect.construct(target, args, newTarget);
      },
    });
    Object.defineProperty(globalThis, name, { value: proxy, configurable: true, writable: true });
  }
  try {
    await run();
  } finally {
    for (const [i, name] of watched.entries()) {
      Object.defineProperty(globalThis, name, { value: originals[i], configurable: true, writable: true });
    }
  }
  return largest;
}

/** The readers' own windows and tables, which do not grow with what a file claims: 65,536 halves as float32. */
const constantBuffers = 2 ** 18;

function sizeOnDisk(path: string): number {
  if (!fs.statSync(path).isDirectory()) return fs.statSync(path).size;
  return fs.readdirSync(path).reduce((sum, name) => sum + fs.statSync(join(path, name)).size, 0);
}

for (const [name, make] of Object.entries(specimens)) {
  describe(name, () => {
    test("every byte of what describes the weights: inverted, and with one bit changed", async () => {
      const { path, file, header } = make();
      const bytes = fs.readFileSync(file);
      const total = sizeOnDisk(path);
      const places = header(bytes);
      expect(places.length).toBeGreaterThan(20);
      expect(await outcome(path, total)).toBe("read");
      let refused = 0;
      const handle = fs.openSync(file, "r+");
      const largest = await largestAllocation(async () => {
        for (const place of places) {
          for (const mask of [0xff, 1 << (place % 8)]) {
            fs.writeSync(handle, Uint8Array.of(bytes[place] ^ mask), 0, 1, place);
            if ((await outcome(path, total)) === "refused") refused++;
          }
          fs.writeSync(handle, bytes, place, 1, place);
        }
      });
      fs.closeSync(handle);
      expect(refused).toBeGreaterThan(places.length / 2);
      // The files are float32, as are the numbers in memory.
      expect(largest).toBeLessThanOrEqual(Math.max(total, constantBuffers));
      expect(await outcome(path, total)).toBe("read");
      fs.rmSync(path, { recursive: true });
    });

    test("cut at every length of what describes the weights, and around every tensor's ends", async () => {
      const { path, file, header } = make();
      const bytes = fs.readFileSync(file);
      const lengths = new Set(header(bytes));
      for (const ends of findWeights(bytes)) {
        for (const end of ends) for (const length of [end - 1, end, end + 1]) lengths.add(length);
      }
      lengths.add(bytes.length - 1);
      const total = sizeOnDisk(path);
      let read = 0;
      for (const length of [...lengths].toSorted((a, b) => b - a)) {
        if (length >= bytes.length) continue;
        fs.truncateSync(file, length);
        if ((await outcome(path, total - bytes.length + length)) === "read") read++;
      }
      // The padding behind the last tensor of a GGUF file may go, and the last line's end of a text.
      expect(read).toBeLessThan(32);
      fs.rmSync(path, { recursive: true });
    });
  });
}

test("every format is among the specimens", () => {
  const formats: Record<CheckpointFormat, true> = {
    llama2c: true,
    huggingface: true,
    meta: true,
    gguf: true,
    touchstone: true,
  };
  const tried = new Set(Object.keys(specimens).map((name) => name.split(",")[0]));
  expect([...tried].toSorted()).toEqual(Object.keys(formats).toSorted());
});
