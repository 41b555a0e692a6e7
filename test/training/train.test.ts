import { paperHyperparameters } from "../../reference/training/hyperparameters.ts";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { presets } from "../../reference/config.ts";
import { bigramEntropy } from "../../reference/text/bigram.ts";
import { encode } from "../../reference/text/bytes.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { checkpointPath, loadCheckpoint, type RunPlan, saveCheckpoint } from "../../training/checkpoint.ts";
import { textData } from "../../training/data.ts";
import { totalLoss, train } from "../../training/run.ts";
import { readTrainingText } from "../../training/text.ts";
import { touchstone } from "../command.ts";

const STEPS = "40";
const CHILD = 60_000; // milliseconds that child process may take on a busy machine

let scratch: string;
let text: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "touchstone-train-"));
  text = join(scratch, "text.txt");
  writeFileSync(text, "the quick brown fox jumps over the lazy dog. ".repeat(20));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const bytesIn = (folder: string): Buffer => readFileSync(checkpointPath(folder));
const run = (...args: string[]): string[] => ["train", "--text", text, ...args];

describe("a run", () => {
  let whole: string;
  beforeAll(async () => {
    whole = join(scratch, "whole");
    const { code, out } = await touchstone(run("--steps", STEPS, "--out", whole));
    expect(code).toBe(0);
    expect(out).toMatch(/step +1\/40 {2}loss \d\.\d+ {2}learning rate \S+ {2}gradient norm \S+ {2}\d+ tokens\/s/);
    expect(out).toMatch(/held-out loss +\d\.\d{4} nats a byte\nbigram entropy +\d\.\d{4} nats a byte/);
    expect(out.split("a sample:\n")[1].length).toBeGreaterThan(1);
  }, CHILD);

  test.each(["SIGINT", "SIGTERM"] as const)(
    "that %s stopped and that is resumed ends with the same bytes",
    async (signal) => {
      const folder = join(scratch, signal);
      const stopped = await touchstone(run("--steps", STEPS, "--out", folder), { send: signal, when: "step  3/40" });
      expect(stopped.code).toBe(130);
      expect(stopped.err).toMatch(/^touchstone: stopped after step [34] of 40; continue with: .*--resume/);
      expect(loadCheckpoint(folder).step).toBeLessThan(5);
      const { code, out } = await touchstone(run("--resume", folder));
      expect(code).toBe(0);
      expect(out).not.toContain("step  3/40");
      expect(bytesIn(folder).equals(bytesIn(whole))).toBe(true);
    },
    CHILD,
  );

  test(
    "that was killed goes on from its last checkpoint, elsewhere too",
    async () => {
      const folder = join(scratch, "killed");
      const killed = await touchstone(run("--steps", STEPS, "--out", folder, "--save-every", "2"), {
        send: "SIGKILL",
        when: "step  5/40",
      });
      expect(killed.code).toBe(null);
      expect(loadCheckpoint(folder).step % 2).toBe(0);
      const before = bytesIn(folder);
      const elsewhere = join(scratch, "elsewhere", "deep");
      expect((await touchstone(run("--resume", folder, "--out", elsewhere))).code).toBe(0);
      expect(bytesIn(elsewhere).equals(bytesIn(whole))).toBe(true);
      expect(bytesIn(folder).equals(before)).toBe(true);
    },
    CHILD,
  );

  test(
    "whose disk is full exits 2 with one line and leaves the earlier checkpoint",
    async () => {
      const folder = join(scratch, "full");
      mkdirSync(folder);
      writeFileSync(checkpointPath(folder), bytesIn(whole));
      // A limit on the length of a file refuses a write half-way, as a full disk does.
      const again = run("--steps", "2", "--out", folder);
      expect((await touchstone(again)).err).toContain(
        `--out ${folder}: holds a checkpoint; expected --resume ${folder}`,
      );
      const { code, err } = await touchstone([...again, "--overwrite"], { before: "ulimit -f 64;" });
      expect(code).toBe(2);
      expect(err.trim()).toMatch(/^touchstone: .*checkpoint\.safetensors: cannot be written.*$/);
      expect(bytesIn(folder).equals(bytesIn(whole))).toBe(true);
      expect(readdirSync(folder)).toEqual(["checkpoint.safetensors"]);
    },
    CHILD,
  );

  test(
    "in parts goes on in as many, unasked, to the same bytes",
    async () => {
      const [parts, stoppedOne] = [join(scratch, "parts"), join(scratch, "parts-stopped")];
      const inParts = run("--steps", "6", "--micro-batches", "2", "--out");
      expect((await touchstone([...inParts, parts])).code).toBe(0);
      const stopped = await touchstone([...inParts, stoppedOne], { send: "SIGINT", when: "step 3/6" });
      expect(stopped.code).toBe(130);
      expect(loadCheckpoint(stoppedOne).plan.microBatches).toBe(2);
      expect((await touchstone(run("--resume", stoppedOne))).code).toBe(0);
      expect(bytesIn(stoppedOne).equals(bytesIn(parts))).toBe(true);
    },
    CHILD,
  );

  test("depends on its seed, and on nothing else", async () => {
    const config = { ...presets.tiny, dim: 8, ffnDim: 12, nLayers: 1 };
    const state = async (seed: number) => {
      const plan = planOf(config, 3, seed);
      const engine = referenceEngine(config, initialState(initialWeights(config, seed, Float32Array)));
      await train(plan, engine, textData(readTrainingText([text]), byteTokenizer, plan).batchOf, 0, quiet);
      return engine.state();
    };
    expect(await state(5)).toEqual(await state(5));
    expect(await state(6)).not.toEqual(await state(5));
  });
});

describe("bad input gives one line and exit status 2", () => {
  const cases: [string, string[], RegExp][] = [
    ["steps", ["--steps", "0"], /--steps 0: expected a whole number of at least 1/],
    ["a fraction of steps", ["--steps", "1.5"], /--steps 1\.5: expected/],
    [
      "an unknown configuration",
      ["--config", "huge"],
      /--config huge: no such configuration, expected one of tiny, small/,
    ],
    ["a configuration too large", ["--config", "65B"], /--config 65B: a step needs \d+ GiB of memory/],
    [
      "a batch too large",
      ["--batch-size", "100000000", "--steps", "1"],
      /a step of 100000000 × 32 tokens needs \d+ GiB of memory, this machine has \d+ GiB/,
    ],
    ["a missing text", ["--text", "/nowhere/at/all"], /\/nowhere\/at\/all: cannot be read, no such file/],
    ["no checkpoint", ["--resume", "/nowhere"], /\/nowhere\/checkpoint\.safetensors: cannot be read/],
    [
      "a folder that cannot be made",
      ["--out", "/proc/none/such"],
      /\/proc\/none: cannot hold|\/proc\/none\/such: cannot hold/,
    ],
    ["an unknown option", ["--stepz", "3"], /--stepz: train has no such option, expected --steps/],
  ];
  test.each(cases)(
    "%s",
    async (_, args, message) => {
      const { code, err, out } = await touchstone(["train", ...args]);
      expect(err).toMatch(message);
      expect(err.trim().split("\n")).toHaveLength(1);
      expect(out).not.toContain("step ");
      expect(code).toBe(2);
    },
    CHILD,
  );

  test(
    "a text shorter than a sequence, an empty one, and one that is not UTF-8",
    async () => {
      for (const [content, message] of [
        ["", "the text has 0 bytes"],
        ["short", "expected more than 32 tokens to learn"],
        [Uint8Array.of(0x61, 0xff, 0x62), "is not UTF-8"],
      ] as const) {
        const path = join(scratch, "bad.txt");
        writeFileSync(path, content);
        const { code, err } = await touchstone(["train", "--text", path]);
        expect(err).toContain(message);
        expect(code).toBe(2);
      }
    },
    CHILD,
  );

  test(
    "a checkpoint of another run",
    async () => {
      const folder = join(scratch, "other");
      save(folder, 3);
      for (const [args, message] of [
        [["--config", "small"], "--config small: the checkpoint in"],
        [["--steps", "9"], "with 8 steps"],
        [["--seed", "2"], "with seed 1"],
        [["--micro-batches", "2"], "--micro-batches 2: the checkpoint in"],
        [["--dtype", "bfloat16"], "--dtype bfloat16: the checkpoint in"],
        [["--text", "LICENSE"], "with another text"],
      ] as const) {
        const { code, err } = await touchstone(["train", "--text", text, ...args, "--resume", folder]);
        expect(err).toContain(message);
        expect(code).toBe(2);
      }
    },
    CHILD,
  );
});

describe("a checkpoint", () => {
  test("comes back as it was saved, and gives the same bytes again", () => {
    const folder = join(scratch, "round");
    save(folder, 3);
    const before = bytesIn(folder);
    const checkpoint = loadCheckpoint(folder);
    expect(checkpoint.step).toBe(3);
    expect(checkpoint.plan).toEqual(planOf(presets.tiny, 8, 1));
    saveCheckpoint(folder, checkpoint);
    expect(bytesIn(folder).equals(before)).toBe(true);
    const mixed = { ...checkpoint, plan: { ...checkpoint.plan, dtype: "bfloat16" as const } };
    saveCheckpoint(folder, mixed);
    expect(loadCheckpoint(folder)).toEqual(mixed);
  });

  test.each([
    [
      "run",
      '{"step":9,"batchSize":4,"microBatches":1,"sequenceLength":32}',
      /step is 9, expected at most totalSteps=8/,
    ],
    ["run", '{"step":-1,"batchSize":4,"microBatches":1,"sequenceLength":32}', /step is -1, expected an integer/],
    [
      "run",
      '{"step":3,"batchSize":4,"microBatches":3,"sequenceLength":32}',
      /microBatches is 3, expected a divisor of batchSize=4/,
    ],
    ["run", '{"step":3,"batchSize":4,"sequenceLength":32}', /microBatches is missing, expected an integer/],
    ["run", '{"step":"3"}', /step is "3", expected an integer/],
    ["run", "[]", /expected a JSON object/],
    ["generators", '{"batches":{"seed":1,"next":13}}', /next is 13, expected step · batchSize = 12/],
    ["generators", "{}", /batches is missing, expected an object/],
    ["config", "{", /expected a JSON object/],
    ["dtype", "float16", /dtype is "float16", expected "bfloat16", or none/],
  ])("with a wrong %s = %s is refused", (key, value, message) => {
    const folder = join(scratch, "corrupt");
    save(folder, 3);
    const { tensors, metadata } = readSafetensors(checkpointPath(folder));
    writeSafetensors(checkpointPath(folder), tensors, { ...metadata, [key]: value });
    expect(() => loadCheckpoint(folder)).toThrow(message);
  });

  test("with a moment that is missing, or in another storage, is refused", () => {
    const folder = join(scratch, "corrupt");
    save(folder, 3);
    const { tensors, metadata } = readSafetensors(checkpointPath(folder));
    const name = "secondMoment.norm.weight";
    const norm = tensors.get(name)!;
    tensors.set(name, { data: Float64Array.from(norm.data), shape: norm.shape });
    writeSafetensors(checkpointPath(folder), tensors, metadata);
    expect(() => loadCheckpoint(folder)).toThrow(`"${name}" is F64, expected F32`);
    tensors.delete(name);
    writeSafetensors(checkpointPath(folder), tensors, metadata);
    expect(() => loadCheckpoint(folder)).toThrow(`"${name}" is missing`);
  });
});

test("a loss that is not a number ends the run and saves nothing", async () => {
  const config = presets.tiny;
  const weights = initialWeights(config, 1, Float32Array);
  weights.get("norm.weight")!.data[0] = NaN;
  const engine = referenceEngine(config, initialState(weights));
  const saved: number[] = [];
  const hooks = { ...quiet, save: async (step: number) => void saved.push(step) };
  const plan = planOf(config, 3, 1);
  const running = train(plan, engine, textData(readTrainingText([text]), byteTokenizer, plan).batchOf, 0, hooks);
  await expect(running).rejects.toThrow("the loss of step 1 is NaN");
  expect(saved).toEqual([]);
});

test("on the default text a model falls below the bigram entropy", { timeout: 2 * CHILD }, async () => {
  const config = presets.tiny;
  const { training, heldOut } = readTrainingText([]);
  const tokens = encode(heldOut);
  const engine = referenceEngine(config, initialState(initialWeights(config, 1, Float32Array)));
  const plan = { ...planOf(config, 800, 1), sequenceLength: 16 };
  await train(plan, engine, textData(readTrainingText([]), byteTokenizer, plan).batchOf, 0, quiet);
  const { weights } = await engine.state();
  const loss = totalLoss(config, weights, tokens, plan.sequenceLength) / (tokens.length - 1);
  const entropy = bigramEntropy(training, heldOut);
  expect(loss < entropy, `held-out loss ${loss}, bigram entropy ${entropy}`).toBe(true);
});

const quiet = { report: () => {}, save: async () => {}, saveEvery: Infinity, stopped: () => false };

function planOf(config: RunPlan["config"], totalSteps: number, seed: number): RunPlan {
  const hyperparameters = {
    learningRate: 0.01,
    warmupSteps: Math.ceil(totalSteps / 20),
    totalSteps,
    ...paperHyperparameters,
  };
  return {
    config,
    hyperparameters,
    batchSize: 4,
    microBatches: 1,
    sequenceLength: 32,
    seed,
    text: readTrainingText([text]).sha256,
  };
}

/** A checkpoint of tiny after some steps of 8. */
function save(folder: string, step: number): void {
  mkdirSync(folder, { recursive: true });
  const state = initialState(initialWeights(presets.tiny, 1, Float32Array));
  saveCheckpoint(folder, { plan: planOf(presets.tiny, 8, 1), step, state });
}
