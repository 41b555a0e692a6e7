// touchstone evaluate, and touchstone generate, on the model that ships.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_MODEL, openModel } from "../../cli/model.ts";
import { readTextBytes } from "../../formats/text.ts";
import { bigramEntropy } from "../../reference/text/bigram.ts";
import { evaluate, figuresOf } from "../../training/evaluate.ts";
import { openMixture } from "../../training/mixture.ts";
import { FROZEN_TEXT } from "../../training/text.ts";
import { touchstone } from "../command.ts";

const CHILD = 60_000; // milliseconds that child process may take on a busy machine
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-evaluate-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(...lines: object[]): string {
  writeFileSync(join(folder, "tasks.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n"));
  return join(folder, "tasks.jsonl");
}

const choice = {
  task: "words",
  kind: "choice",
  context: "A tensor is its numbers and its",
  choices: ["shape", "qzxv"],
  answer: 0,
};

test("prints a table, or JSON, and progress beside it", { timeout: CHILD }, async () => {
  const path = write(choice, { kind: "pass", samples: 20, correct: 5 }, { kind: "perplexity", text: "the code is" });
  const json = await touchstone(["evaluate", "--tasks", path, "--k", "1,20", "--json"]);
  expect(json.code).toBe(0);
  const { tasks } = JSON.parse(json.out) as { tasks: { task: string; figures: Record<string, number> }[] };
  expect(tasks.map(({ task }) => task)).toEqual(["words", "tasks", "tasks"]);
  expect(tasks[0].figures.accuracy).toBe(1);
  expect(tasks[1].figures).toEqual({ "pass@1": 0.25, "pass@20": 1 });
  expect(json.err).toMatch(/\[3\/3\] tasks: perplexity \d/);
  const table = await touchstone(["evaluate", "--tasks", path]);
  expect(table.out).toMatch(/words +│ choice +│ +1 │ accuracy 1\.000, standard error 0\.000/);
  expect(table.out).toMatch(/tasks +│ pass +│ +1 │ pass@1 0\.2500, pass@10 0\.\d+ /);
});

test("what does not fit is one line and exit status 2", { timeout: 2 * CHILD }, async () => {
  const long = write(choice, { ...choice, context: "word ".repeat(200) });
  const few = write.bind(undefined, { kind: "pass", samples: 3, correct: 1 });
  for (const [args, message] of [
    [["--tasks", long], /tasks\.jsonl: line 2 has \d+ tokens, expected at most 129/],
    [[], /there is nothing to measure, expected --tasks FILE or --text FILE/],
    [["--k", "0"], /--k 0: expected a whole number of at least 1/],
  ] as const) {
    const { code, err } = await touchstone(["evaluate", ...args]);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  }
  const { code, err } = await touchstone(["evaluate", "--tasks", few(), "--k", "10"]);
  expect(err).toMatch(/line 1 has 3 samples, expected at least --k 10\n$/);
  expect(code).toBe(2);
});

test("the model that ships is small, and below the bigram entropy on what it has not seen", async () => {
  expect(statSync(DEFAULT_MODEL).size).toBeLessThan(1.5e6);
  const [{ files, learned }] = openMixture(join(DEFAULT_MODEL, "../mixture.json")).sources;
  const heldOut = Buffer.concat(Array.from({ length: files.count - learned }, (_, i) => files.read(learned + i, 1e6)));
  const model = await openModel(undefined, { device: "cpu" });
  const item = { kind: "perplexity", task: "t", where: "t", text: heldOut.toString() } as const;
  const figures = figuresOf([await evaluate(model, item, 1, async () => {})], []);
  const text = readTextBytes(FROZEN_TEXT);
  const entropy = bigramEntropy(text.subarray(0, -heldOut.length), heldOut);
  expect(figures["nats a byte"] < entropy, `${figures["nats a byte"]} against ${entropy}`).toBe(true);
});

test("generates without a checkpoint: the same text for the same seed", { timeout: CHILD }, async () => {
  const run = (seed: string) => touchstone(["generate", "--prompt", "A model", "--tokens", "12", "--seed", seed]);
  const [first, again, other] = await Promise.all([run("3"), run("3"), run("4")]);
  expect(first.code).toBe(0);
  expect(first.out).toMatch(/^A model./s);
  expect(again.out).toBe(first.out);
  expect(other.out).not.toBe(first.out);
});
