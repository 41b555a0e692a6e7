// Items through a model: what the scorer reads in pieces is what the whole forward gives.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { forward } from "../../reference/model/model.ts";
import { type Reader, referenceReader } from "../../reference/model/reader.ts";
import { logLikelihoods } from "../../reference/text/evaluation.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { initialWeights } from "../../reference/weights.ts";
import { evaluate, type ItemOutcome, figuresOf } from "../../training/evaluate.ts";
import { type Choice, readTasks, textItem } from "../../training/tasks.ts";

const config = { ...presets.tiny, dim: 16, ffnDim: 24, nLayers: 2, maxSeqLen: 32 };
const weights = initialWeights(config, 4, Float64Array);
for (const { data, shape } of weights.values())
  if (shape.length > 1) for (let i = 0; i < data.length; i++) data[i] *= 20;
const quiet = async (): Promise<void> => {};
const common = { task: "t", where: "t.jsonl: line 1" };

/** ln p of the ids from number `first` on, by one forward. */
function direct(ids: Int32Array, first: number): number {
  const { logits } = forward(config, weights, { data: ids, shape: [1, ids.length] });
  const all = logLikelihoods(
    { data: logits.data.subarray(0, (ids.length - 1) * config.vocabSize), shape: [ids.length - 1, config.vocabSize] },
    ids.subarray(1),
  );
  return all.slice(first - 1).reduce((a, b) => a + b, 0);
}

const encode = (text: string): Int32Array => byteTokenizer.encode(text, { bos: true });

describe("choice", () => {
  const choices = ["yes", "no", "yes and no", "nope"];
  async function scores(fields: Partial<Choice>): Promise<readonly number[]> {
    const reader = referenceReader(config, weights);
    const item: Choice = {
      ...common,
      kind: "choice",
      context: "Is it?",
      choices,
      answer: 1,
      normalize: "none",
      ...fields,
    };
    const outcome = await evaluate({ reader, tokenizer: byteTokenizer }, item, 1, quiet);
    if (outcome.kind !== "choice") throw new TypeError(outcome.kind);
    expect(outcome.correct).toBe(outcome.chosen === 1);
    return outcome.scores;
  }

  test("by likelihood, by characters, and by the likelihood after Answer:", async () => {
    const after = (context: string) => choices.map((c) => direct(encode(`${context} ${c}`), encode(context).length));
    const plain = after("Is it?");
    expect(await scores({})).toEqual(plain);
    expect(await scores({ normalize: "characters" })).toEqual(plain.map((p, i) => p / choices[i].length));
    const unconditional = after("Answer:");
    expect(await scores({ normalize: "answer" })).toEqual(plain.map((p, i) => p - unconditional[i]));
  });

  test("with an empty context, and one that ends in a space", async () => {
    expect(await scores({ context: "" })).toEqual(choices.map((c) => direct(encode(c), 1)));
    expect(await scores({ context: "It is " })).toEqual(
      choices.map((c) => direct(encode(`It is ${c}`), encode("It is ").length)),
    );
  });

  test("that fills the context is scored, and one token more is refused by its line", async () => {
    const full = { context: "x".repeat(27), choices: ["abcd", "b"] };
    expect(await scores(full)).toHaveLength(2);
    await expect(scores({ ...full, context: "x".repeat(28) })).rejects.toThrow(
      "t.jsonl: line 1 has 34 tokens, expected at most 33: the model's context and one",
    );
  });
});

describe("perplexity", () => {
  test("predicts every token once, in windows of the context", async () => {
    const text = "a text that is longer than the context of the model, twice and more: é🙂.";
    const reader = referenceReader(config, weights);
    const item = { ...common, kind: "perplexity", text } as const;
    const shares: number[] = [];
    const tick = async (share: number): Promise<void> => void shares.push(share);
    const outcome = await evaluate({ reader, tokenizer: byteTokenizer }, item, 1, tick);
    const ids = encode(text);
    let nats = 0;
    let tokens = 0;
    for (let start = 0; start + 1 < ids.length; start += 32) {
      const window = ids.slice(start, start + 33);
      const { logits } = forward(config, weights, { data: window.subarray(0, -1), shape: [1, window.length - 1] });
      for (const p of logLikelihoods(logits, window.subarray(1))) nats -= p;
      tokens += window.length - 1;
    }
    expect(tokens).toBe(ids.length - 1);
    expect(outcome).toEqual({ kind: "perplexity", nats, tokens, bytes: Buffer.from(text).length });
    expect(shares.at(-1)).toBe(1);
    const figures = figuresOf([outcome, outcome], []);
    expect(figures["nats a byte"]).toBe(nats / Buffer.from(text).length);
    expect(figures.perplexity).toBe(Math.exp(nats / tokens));
  });
});

/** A reader that is sure of the next token: that of a text, whatever stands before it. */
function parrot(text: string, prompt: string): Reader {
  const line = [...encode(prompt), ...byteTokenizer.encode(text), 2];
  let length = 0;
  return {
    config: { ...config, maxSeqLen: 64 },
    get length() {
      return length;
    },
    async read(tokens) {
      const data = new Float64Array(tokens.length * config.vocabSize);
      for (const [t] of tokens.entries()) data[t * config.vocabSize + (line[length + t + 1] ?? 2)] = 100;
      length += tokens.length;
      return { data, shape: [tokens.length, config.vocabSize] };
    },
    cut: (wanted) => (length = wanted),
    close() {},
  };
}

describe("generated answers", () => {
  const prompt = "Q: Capital of France?\nA:";
  const run = (said: string, fields: object): Promise<ItemOutcome> =>
    evaluate(
      { reader: parrot(said, prompt), tokenizer: byteTokenizer },
      { ...common, kind: "exact", prompt, answers: ["Paris"], tokens: 20, ...fields } as never,
      1,
      quiet,
    );

  test.each([
    [" Paris\nQ: more", "Paris\n", true],
    [" paris, of course", "paris, of course", true],
    ["\nParis.", "Paris.", true],
    [" London", "London", false],
    ["", "", false],
  ])("%j is read up to its line's end", async (said, generated, correct) => {
    expect(await run(said, {})).toEqual({ kind: "exact", generated, correct });
  });

  test("end with the tokens, and with the context", async () => {
    expect(await run(" Paris", { tokens: 3 })).toMatchObject({ generated: "Pa", correct: false });
    const long = await run("x".repeat(99), { tokens: 99 });
    expect(long).toMatchObject({ generated: "x".repeat(64 - encode(prompt).length + 1) });
    await expect(run("", { prompt: "x".repeat(64) })).rejects.toThrow(
      "line 1 has 65 tokens, expected at most the model's context of 64",
    );
  });

  test("are counted in samples, or taken as counted", async () => {
    const sampled = { kind: "pass", samples: 4, temperature: 0.5 };
    expect(await run(" Paris\n", sampled)).toEqual({ kind: "pass", samples: 4, correct: 4 });
    expect(await run(" Rome\n", sampled)).toEqual({ kind: "pass", samples: 4, correct: 0 });
    expect(await run("", { kind: "pass", samples: 10, correct: 3 })).toEqual({ kind: "pass", samples: 10, correct: 3 });
    const figures = figuresOf(
      [
        { kind: "pass", samples: 10, correct: 3 },
        { kind: "pass", samples: 2, correct: 2 },
      ],
      [1, 2],
    );
    expect(figures["pass@1"]).toBe((1 - 0.7 + 1) / 2);
    expect(Object.keys(figures)).toEqual(["pass@1", "pass@2"]);
  });

  test("are drawn by the seed", async () => {
    const reader = referenceReader(config, weights);
    const model = { reader, tokenizer: byteTokenizer };
    const item = {
      ...common,
      kind: "pass",
      prompt: "a",
      samples: 40,
      answers: ["z"],
      tokens: 1,
      temperature: 9,
    } as const;
    const drawn = async (seed: number): Promise<ItemOutcome> => evaluate(model, item, seed, quiet);
    expect(await drawn(1)).toEqual(await drawn(1));
  });
});

test("accuracy with its standard error", () => {
  const outcome = (correct: boolean) => ({ kind: "exact", generated: "", correct }) as const;
  expect(figuresOf([outcome(true), outcome(false), outcome(false), outcome(true)], [])).toEqual({
    "exact match": 0.5,
    "standard error": 0.25,
  });
});

describe("JSON lines", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "touchstone-tasks-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  function write(name: string, ...lines: (object | string)[]): string {
    writeFileSync(join(folder, name), lines.map((l) => (typeof l === "string" ? l : JSON.stringify(l))).join("\n"));
    return join(folder, name);
  }
  const choice = { kind: "choice", context: "c", choices: ["a", "b"], answer: 1 };

  test("of every kind, with their defaults", () => {
    const path = write(
      "boolq.jsonl",
      choice,
      "",
      { ...choice, task: "piqa", id: 7 },
      { kind: "exact", prompt: "p", answers: ["x"] },
      { kind: "pass", samples: 3, correct: 0 },
      { kind: "perplexity", text: "t" },
    );
    const items = readTasks(path);
    expect(items.map(({ task, kind }) => [task, kind])).toEqual([
      ["boolq", "choice"],
      ["piqa", "choice"],
      ["boolq", "exact"],
      ["boolq", "pass"],
      ["boolq", "perplexity"],
    ]);
    expect(items[0]).toMatchObject({ normalize: "answer" });
    expect(items[1]).toMatchObject({ normalize: "characters", where: `${path}: line 3` });
    expect(items[2]).toMatchObject({ tokens: 64 });
  });

  test.each([
    [["{"], /line 1 is "\{" \(.*\), expected a JSON object/],
    [["[]"], /line 1 is "\[\]", expected a JSON object/],
    [[choice, { kind: "quiz" }], /line 2: "kind" is .*quiz.*, expected one of choice, exact, pass, perplexity/],
    [[{ ...choice, answer: 2 }], /line 1: "answer" is 2, expected an integer from 0 to 1/],
    [[{ ...choice, answer: 0.5 }], /"answer" is 0\.5, expected an integer/],
    [[{ ...choice, choices: ["a"] }], /"choices" is .*, expected at least 2 texts/],
    [[{ ...choice, choices: ["a", ""] }], /"choices" is .*, expected at least 2 texts/],
    [[{ ...choice, normalize: "length" }], /"normalize" is .*, expected one of characters, answer, none/],
    [[{ ...choice, label: 1 }], /line 1: "label" is not a field, expected/],
    [[{ kind: "exact", answers: ["x"] }], /"prompt" is missing, expected a text/],
    [[{ kind: "pass", samples: 3, correct: 4 }], /"correct" is 4, expected an integer from 0 to 3/],
    [[{ kind: "perplexity", text: "" }], /"text" is .*, expected a text/],
    [[" "], /has no items/],
  ])("%j is refused", (lines, message) => {
    expect(() => readTasks(write("bad.jsonl", ...lines))).toThrow(message);
  });

  test("a text file is an item, unless it is empty or missing", () => {
    expect(textItem(write("text.txt", "so"))).toMatchObject({ kind: "perplexity", task: "text", text: "so" });
    expect(() => textItem(write("text.txt", ""))).toThrow("text.txt: is empty, expected a text");
    expect(() => readTasks(join(folder, "none"))).toThrow(/none: cannot be read, no such file/);
  });
});
