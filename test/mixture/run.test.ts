// touchstone train on a mixture: the paper's table, the same bytes after a stop, and what it refuses.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sharesOf } from "../../reference/text/mixture.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { type RunCheckpoint, loadCheckpoint, saveCheckpoint } from "../../training/checkpoint.ts";
import { mixtureData } from "../../training/data.ts";
import { openMixture, readMixture } from "../../training/mixture.ts";
import { train as trainSteps } from "../../training/run.ts";
import { touchstone } from "../command.ts";

const root = join(import.meta.dirname, "../..");
const CHILD = 60_000; // milliseconds that child process may take on a busy machine
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-mixture-"));
  mkdirSync(at("a"));
  writeFileSync(at("a/1.txt"), "the quick brown fox jumps over the lazy dog. ".repeat(3));
  writeFileSync(at("a/2.txt"), "pack my box with five dozen liquor jugs. ".repeat(3));
  const lines = Array.from({ length: 30 }, (_, i) => JSON.stringify({ text: `line ${i} of the other source` }));
  writeFileSync(at("b.jsonl"), lines.join("\n"));
  writeFileSync(at("blank.txt"), " \n\n ");
  mixtureFile("mixture.json", [
    { name: "a", weight: 3, files: ["a"] },
    { name: "b", weight: 1, files: ["b.jsonl"] },
  ]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function mixtureFile(name: string, sources: unknown): string {
  writeFileSync(at(name), JSON.stringify({ sources }));
  return at(name);
}

const train = (args: readonly string[]) => touchstone(["train", ...args]);

test("the example is the paper's table", () => {
  const sources = readMixture(join(root, "training/mixture.example.json"));
  expect(sources.map(({ name, weight }) => [name, weight])).toEqual([
    ["CommonCrawl", 67],
    ["C4", 15],
    ["GitHub", 4.5],
    ["Wikipedia", 4.5],
    ["Books", 4.5],
    ["ArXiv", 2.5],
    ["StackExchange", 2],
  ]);
  expect(sharesOf(sources)[0]).toBe(0.67);
});

test(
  "a run that was stopped goes on to the same bytes, and one says its shares and epochs",
  { timeout: CHILD },
  async () => {
    const args = ["--mixture", at("mixture.json"), "--steps", "6", "--batch-size", "2", "--sequence-length", "48"];
    const whole = await train([...args, "--out", at("whole")]);
    expect(whole.code).toBe(0);
    expect(whole.out).toContain("a   75.0 % of the tokens: 2 documents to learn, 0 held out");
    expect(whole.out).toContain("b   25.0 % of the tokens: 27 documents to learn, 3 held out");
    expect(whole.out).toMatch(/a {3}75\.0 % of the tokens so far: 432, 1\.50 epochs/);
    expect(whole.out).toMatch(/b {3}25\.0 % of the tokens so far: 144, 0\.1\d epochs/);
    expect(whole.out).toMatch(/b {2}held-out loss \d\.\d{4} nats a byte, \d+ bytes/);

    // The same run in two halves.
    const opened = openMixture(at("mixture.json"));
    const { plan } = loadCheckpoint(at("whole"));
    mkdirSync(at("part"));
    const state = initialState(initialWeights(plan.config, plan.seed, Float32Array));
    let checkpoint: RunCheckpoint = { plan, step: 0, state };
    for (const until of [2, 6]) {
      const engine = referenceEngine(plan.config, checkpoint.state);
      const data = mixtureData(opened, byteTokenizer, plan, checkpoint.mixture);
      let done = checkpoint.step;
      await trainSteps(plan, engine, data.batchOf, done, {
        report: ({ step }) => (done = step),
        save: async (step) =>
          saveCheckpoint(at("part"), { plan, step, state: await engine.state(), mixture: data.state()! }),
        saveEvery: Infinity,
        stopped: () => done === until,
      });
      checkpoint = loadCheckpoint(at("part"));
      expect(checkpoint.step).toBe(until);
      expect(checkpoint.mixture!.sources.reduce((sum, { sequences }) => sum + sequences, 0)).toBe(2 * until);
    }
    const bytesIn = (name: string): Buffer => readFileSync(at(`${name}/checkpoint.safetensors`));
    expect(bytesIn("part").equals(bytesIn("whole"))).toBe(true);
  },
);

describe("is refused with what was expected:", () => {
  const source = { name: "a", weight: 1, files: ["a"] };
  test.each([
    ["no sources", [], /has no "sources"/],
    ["weights that sum to nothing", [{ ...source, weight: 0 }], /the weights sum to 0, expected a number above 0/],
    ["a negative weight", [{ ...source, weight: -1 }], /source "a" has weight -1/],
    ["a weight that is no number", [{ ...source, weight: "1" }], /sources\[0\]\.weight is .*, expected a number/],
    ["two of a name", [source, source], /sources\[1\] is named "a" as sources\[0\] is/],
    ["no files", [{ ...source, files: [] }], /sources\[0\]\.files is an array, expected at least one text/],
    [
      "an unknown field",
      [{ ...source, epochs: 2 }],
      /sources\[0\]\.epochs is not a field, expected name, weight, files, separator/,
    ],
    ["an empty separator", [{ ...source, separator: "" }], /separator is .*, expected a text/],
    ["a source that is no object", [3], /sources\[0\] is 3, expected an object/],
  ])("%s", (_, sources, message) => {
    expect(() => readMixture(mixtureFile("bad.json", sources))).toThrow(message);
  });

  test("what is not JSON", () => {
    writeFileSync(at("bad.json"), "{");
    expect(() => readMixture(at("bad.json"))).toThrow(/bad\.json: is not JSON/);
  });

  test(
    "a source without documents: one line and exit status 2, as of another mixture",
    { timeout: CHILD },
    async () => {
      const empty = mixtureFile("empty.json", [{ ...source, files: ["blank.txt"] }]);
      const { code, err } = await train(["--mixture", empty]);
      expect(err).toMatch(
        /^touchstone: .*empty\.json: source "a" has no documents in 1 file of 4 bytes, expected at least one\n$/,
      );
      expect(code).toBe(2);
      const other = mixtureFile("other.json", [source]);
      const resumed = await train(["--mixture", other, "--resume", at("whole")]);
      expect(resumed.err).toMatch(/belongs to a run with other sources/);
      expect(resumed.code).toBe(2);
    },
  );
});
