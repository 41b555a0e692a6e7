// The inputs that the fuzzer starts from, each with the readers that it goes to.
import { paperHyperparameters } from "../../reference/training/hyperparameters.ts";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { UserError } from "../../cli/errors.ts";
import { list, decimal, quantity, real, whole } from "../../cli/numbers.ts";
import { chooseTarget, declare } from "../../cli/terms.ts";
import { policyOf } from "../../cli/step-options.ts";
import { openCheckpoint, writeCheckpoint } from "../../formats/checkpoint.ts";
import { encodeSentencePiece } from "../../formats/sentencepiece.ts";
import { tokenizerFields, tokenizerModelOf } from "../../formats/gguf-tokenizer.ts";
import { parseRecord } from "../../formats/json.ts";
import { unpickleTensors } from "../../formats/pickle.ts";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { readTokenizer } from "../../formats/tokenizer.ts";
import { writeCase } from "../../golden/fixtures/fixture.ts";
import { readFixture } from "../../golden/fixtures/read.ts";
import { readManifest, writeManifest } from "../../golden/fixtures/manifest.ts";
import { verifyFile } from "../../golden/fixtures/verify.ts";
import { checkAnswer } from "../../judge/candidates/answer.ts";
import { choose } from "../../judge/choose.ts";
import { blameRecording } from "../../judge/blame-recording.ts";
import { parseReplay } from "../../judge/replay.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { bytePiece, llamaFlags, type TokenizerModel } from "../../reference/text/tokenizer-model.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { readTraceInput } from "../../trace/input.ts";
import { loadCheckpoint, saveCheckpoint } from "../../training/checkpoint.ts";
import { openDocuments } from "../../training/documents.ts";
import { readMixture } from "../../training/mixture.ts";
import { readTasks, textItem } from "../../training/tasks.ts";
import { paramsOf, pickled, randomWeights, small, torchFile } from "../formats/checkpoints/files.ts";

export interface Seed {
  readonly name: string;
  /** Bytes, which are changed as such; or a value, whose JSON is changed in structure and in its bytes. */
  readonly from: { readonly bytes: Uint8Array } | { readonly json: unknown };
  /** Reads the changed input. */
  readonly read: (bytes: Uint8Array) => unknown;
}

const hyperparameters = {
  learningRate: 0.01,
  warmupSteps: 1,
  totalSteps: 8,
  ...paperHyperparameters,
};

const vocabulary: TokenizerModel = {
  ...llamaFlags,
  pieces: [
    { text: "<unk>", score: 0, type: "unknown" },
    { text: "<s>", score: 0, type: "control" },
    { text: "</s>", score: 0, type: "control" },
    ...Array.from({ length: 256 }, (_, byte) => ({ text: bytePiece(byte), score: 0, type: "byte" as const })),
    ...["a", "b", "ab", "\u2581"].map((text, i) => ({ text, score: -i, type: "normal" as const })),
  ],
};

/** All seeds; they keep their files in a folder. */
export function seedsIn(folder: string): Seed[] {
  const at = (name: string): string => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    return join(folder, name);
  };
  const bytesOf = (name: string): Uint8Array => readFileSync(join(folder, name));
  /** A reader of a file: the changed bytes are written first. */
  const file =
    (name: string, read: (path: string) => unknown) =>
    (bytes: Uint8Array): unknown => {
      writeFileSync(at(name), bytes);
      return read(join(folder, name));
    };
  const text = (read: (words: string) => unknown) => (bytes: Uint8Array) => read(Buffer.from(bytes).toString("utf8"));
  const words = (name: string, seed: string, read: (given: string) => unknown): Seed => ({
    name,
    from: { bytes: Buffer.from(seed) },
    read: text(read),
  });
  const weights = randomWeights(small);
  const open = async (path: string): Promise<void> => {
    const checkpoint = await openCheckpoint(path);
    try {
      checkpoint.readWeights();
    } finally {
      checkpoint.close();
    }
  };

  // Checkpoints.
  writeCheckpoint(at("seed/model.bin"), "llama2c", small, weights);
  const worded = { ...small, vocabSize: vocabulary.pieces.length };
  writeCheckpoint(at("seed/model.gguf"), "gguf", worded, randomWeights(worded, "float16"), "float16", {
    tokenizer: tokenizerFields(vocabulary),
  });
  writeCheckpoint(at("seed/own.safetensors"), "touchstone", small, weights);
  writeCheckpoint(join(folder, "hf"), "huggingface", small, weights);
  writeCheckpoint(join(folder, "shards"), "huggingface", small, weights, "float32", { shardBytes: 500 });
  writeFileSync(at("meta/model.pth"), torchFile(weights));
  writeFileSync(at("meta/params.json"), JSON.stringify(paramsOf(small)));
  writeFileSync(at("params/consolidated.00.pth"), torchFile(weights));
  const jsonIn = (name: string): unknown => JSON.parse(Buffer.from(bytesOf(name)).toString("utf8"));

  // A run, a recording and a fixture.
  const config = { ...small, nLayers: 1 };
  const state = initialState(initialWeights(config, 1, Float32Array));
  const plan = { config, hyperparameters, batchSize: 2, microBatches: 1, sequenceLength: 4, seed: 1, text: "" };
  const mixture = { sources: [{ name: "a", sequences: 0, epoch: 0, document: 0, part: 0, token: 0 }] };
  mkdirSync(join(folder, "run"), { recursive: true });
  saveCheckpoint(join(folder, "run"), { plan, step: 2, state, mixture });
  const run = readSafetensors(join(folder, "run/checkpoint.safetensors"));
  const ids = { data: Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2), shape: [1, 2, 4] };
  const recorded = new Map<string, Tensor<Float32Array | Int32Array>>([
    ["tokens", ids],
    ["targets", ids],
  ]);
  for (const [name, w] of state.weights) recorded.set(`weights.${name}`, w as Tensor<Float32Array>);
  writeSafetensors(at("seed/recording.safetensors"), recorded, {
    config: JSON.stringify({ ...config, ...hyperparameters }),
  });
  const [{ operation, spec }] = choose(["swiglu.forward"]);
  const c = { op: operation.name, sizes: { R: 2, F: 3 }, profile: "unit", seed: 1 } as const;
  mkdirSync(join(folder, "suite"), { recursive: true });
  const problem = spec.build(c.sizes, c.profile, c.seed);
  writeCase(
    join(folder, "suite"),
    "a.safetensors",
    { operation, case: c, dtype: "float32", target: targets.wgsl },
    problem,
  );
  const outputs = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
  writeSafetensors(at("outputs/a.safetensors"), new Map(Object.entries(outputs)), {});
  writeManifest(join(folder, "suite"), {
    format: "touchstone-fixture/2",
    target: "wgsl",
    files: { "a.safetensors": "0".repeat(64) },
    sources: {},
  });

  /** The metadata of a safetensors file, one value of it as JSON that is changed in structure. */
  const metadata = (
    name: string,
    tensors: ReadonlyMap<string, Tensor>,
    base: Record<string, string>,
    key: string,
    read: (path: string) => unknown,
  ): Seed => ({
    name: `${key} of ${name}`,
    from: { json: JSON.parse(base[key]) },
    read: (bytes) => {
      writeSafetensors(at(name), tensors as never, {
        ...base,
        [key]: Buffer.from(bytes).toString("utf8").replaceAll("\ufffd", "?"),
      });
      return read(join(folder, name));
    },
  });
  const recording = readSafetensors(join(folder, "seed/recording.safetensors"));
  const own = readSafetensors(join(folder, "seed/own.safetensors"));
  const fixture = readSafetensors(join(folder, "suite/a.safetensors"));
  const blame = (path: string): unknown => blameRecording(path, undefined, () => targets.wgsl);
  const loadRun = (path: string): unknown => loadCheckpoint(dirname(path));
  const tokenizer = (path: string): unknown => readTokenizer(path).encode("ab abba \u00e9");
  const target = {
    name: "t",
    source: "s",
    u: "2^-24",
    flushes: true,
    promisesNonFinite: false,
    functions: { exp: [{ from: -80, to: 80, ulp: 3 }] },
    stores: { P: "bfloat16" },
  };

  return [
    {
      name: "safetensors",
      from: { bytes: bytesOf("seed/own.safetensors") },
      read: file("x.safetensors", (path) => readSafetensors(path)),
    },
    {
      name: "safetensors' header",
      from: { json: headerOf(bytesOf("seed/own.safetensors")) },
      read: (bytes) =>
        file("y.safetensors", (path) => readSafetensors(path))(withHeader(bytes, bytesOf("seed/own.safetensors"))),
    },
    { name: "own checkpoint", from: { bytes: bytesOf("seed/own.safetensors") }, read: file("z.safetensors", open) },
    { name: "llama2.c", from: { bytes: bytesOf("seed/model.bin") }, read: file("x.bin", open) },
    { name: "GGUF", from: { bytes: bytesOf("seed/model.gguf") }, read: file("x.gguf", open) },
    {
      name: "GGUF's tokenizer",
      from: { bytes: bytesOf("seed/model.gguf") },
      read: file("t.gguf", async (path) => tokenizerModelOf(path, (await openCheckpoint(path)).metadata!)),
    },
    { name: "PyTorch's zip", from: { bytes: bytesOf("meta/model.pth") }, read: file("meta/model.pth", open) },
    {
      name: "pickle",
      from: { bytes: pickled([{ name: "norm.weight", key: "0", type: "FloatStorage", length: 8, shape: [2, 4] }]) },
      read: (bytes) => unpickleTensors("a pickle", bytes),
    },
    {
      name: "params.json",
      from: { json: paramsOf(small) },
      read: file("params/params.json", () => open(join(folder, "params"))),
    },
    {
      name: "config.json",
      from: { json: jsonIn("hf/config.json") },
      read: file("hf/config.json", () => open(join(folder, "hf"))),
    },
    {
      name: "index of shards",
      from: { json: jsonIn("shards/model.safetensors.index.json") },
      read: file("shards/model.safetensors.index.json", () => open(join(folder, "shards"))),
    },
    {
      name: "SentencePiece",
      from: {
        bytes: encodeSentencePiece(vocabulary, {
          splitDigits: true,
          allowWhitespaceOnlyPieces: true,
          characterCoverage: 1,
          maxSentencepieceLength: 16,
        }),
      },
      read: file("x.model", tokenizer),
    },
    { name: "llama2.c's tokenizer", from: { bytes: llama2cTokenizer() }, read: file("tokenizer.bin", tokenizer) },
    {
      name: "text",
      from: { bytes: Buffer.from("one\n\n\ntwo \u00e9 three\n") },
      read: file("x.txt", (path) => [textItem(path), openDocuments({ paths: [path], separator: "\n\n" }).read(0, 100)]),
    },
    {
      name: "gzip",
      from: { bytes: gzipSync("one\n\n\ntwo \u00e9 three\n") },
      read: file("x.txt.gz", (path) => textItem(path)),
    },
    {
      name: "documents",
      from: { json: { text: "one document" } },
      read: file("x.jsonl", (path) => openDocuments({ paths: [path] })),
    },
    {
      name: "mixture",
      from: {
        json: {
          sources: [
            { name: "a", weight: 1.5, files: ["x.txt"], separator: "\n" },
            { name: "b", weight: 1, files: ["y"] },
          ],
        },
      },
      read: file("mixture.json", readMixture),
    },
    ...[
      { kind: "choice", context: "c", choices: ["a", "b"], answer: 1, normalize: "none" },
      { kind: "exact", prompt: "p", answers: ["a"], tokens: 3, id: 7 },
      { kind: "pass", samples: 3, prompt: "p", answers: ["a"], temperature: 0.5 },
      { kind: "perplexity", text: "t", task: "x" },
    ].map((item) => ({ name: `task ${item.kind}`, from: { json: item }, read: file("tasks.jsonl", readTasks) })),
    { name: "target", from: { json: target }, read: file("target.json", (path) => chooseTarget(path)) },
    {
      name: "manifest",
      from: { json: jsonIn("suite/manifest.json") },
      read: file("manifests/manifest.json", (path) => readManifest(dirname(path))),
    },
    {
      name: "fixture",
      from: { bytes: bytesOf("suite/a.safetensors") },
      read: file("fixtures/a.safetensors", readFixture),
    },
    metadata("scalars.safetensors", fixture.tensors as never, fixture.metadata, "scalars", readFixture),
    metadata("sizes.safetensors", fixture.tensors as never, fixture.metadata, "sizes", readFixture),
    {
      name: "outputs",
      from: { bytes: bytesOf("outputs/a.safetensors") },
      read: file("outputs/a.safetensors", () =>
        verifyFile(join(folder, "suite"), join(folder, "outputs"), "a.safetensors"),
      ),
    },
    {
      name: "recording",
      from: { bytes: bytesOf("seed/recording.safetensors") },
      read: file("r.safetensors", readTraceInput),
    },
    metadata("config.safetensors", recording.tensors as never, recording.metadata, "config", readTraceInput),
    metadata("blame.safetensors", recording.tensors as never, recording.metadata, "config", blame),
    metadata("weights.safetensors", own.tensors as never, own.metadata, "config", open),
    {
      name: "run",
      from: { bytes: bytesOf("run/checkpoint.safetensors") },
      read: file("run/checkpoint.safetensors", loadRun),
    },
    ...["config", "run", "generators", "mixture"].map((key) =>
      metadata("run/checkpoint.safetensors", run.tensors as never, run.metadata, key, loadRun),
    ),
    {
      name: "JSON",
      from: { json: { a: [1, { b: "c" }] } },
      read: text((given) => parseRecord("a file", "its text", given)),
    },
    words(
      "replay",
      "cross-entropy.forward R=3 V=5 ignored=some ignoreIndex=-100 profile=unit seed=17, the rest of R",
      parseReplay,
    ),
    words(
      "replay of a fused op",
      "rmsnorm.forward+linear.forward R=3 C=5 eps=0.00001 O=2 profile=unit seed=1",
      parseReplay,
    ),
    words("--op", "rmsnorm.forward+linear.forward", (given) => choose([given])),
    {
      name: "a candidate's answer",
      from: { json: { protocol: 2, case: 17, error: "no such op" } },
      read: text(answered),
    },
    words("--store", "P=bfloat16,q=tf32", (given) =>
      declare(
        targets.wgsl,
        given,
        choose(["attention"]).map((chosen) => chosen.operation),
      ),
    ),
    words("--target", "wgsl", (given) => chooseTarget(given)),
    words("--recompute", "full", (given) => policyOf(given)),
    words("--seed", "4294967295", whole(0, 2 ** 32 - 1)),
    words("--budget", "1.5e3", real(0)),
    words("--tokens", "1.4T", quantity(decimal)),
    words("--k", "1,10,100", list(whole(1))),
  ];
}

/** Reads a candidate's answer; what is wrong with it is a finding, hence neither a FormatError nor a RangeError. */
function answered(line: string): void {
  try {
    checkAnswer(line, 17);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw new UserError((error as Error).message);
    throw error;
  }
}

/** The header of a safetensors file, as JSON. */
function headerOf(bytes: Uint8Array): unknown {
  const length = Number(Buffer.from(bytes).readBigUInt64LE(0));
  return JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString("utf8"));
}

/** The file with another header, whose length is right. */
function withHeader(header: Uint8Array, bytes: Uint8Array): Uint8Array {
  const length = Number(Buffer.from(bytes).readBigUInt64LE(0));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, bytes.subarray(8 + length)]);
}

function llama2cTokenizer(): Uint8Array {
  const longest = Buffer.alloc(4);
  longest.writeInt32LE(6);
  const pieces = vocabulary.pieces.map(({ text, score }) => {
    const [bytes, head] = [Buffer.from(text.replaceAll("\u2581", " ")), Buffer.alloc(8)];
    head.writeFloatLE(score);
    head.writeInt32LE(bytes.length, 4);
    return Buffer.concat([head, bytes]);
  });
  return Buffer.concat([longest, ...pieces]);
}
