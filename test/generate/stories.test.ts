// A real model: the same weights from every format, and the text that llama2.c prints.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../formats/checkpoint.ts";
import { openSafetensors } from "../../formats/safetensors.ts";
import { openModel } from "../../cli/model.ts";
import { continuation, greedy } from "../../reference/model/generate.ts";
import { type Options, touchstone } from "../command.ts";
import { sharedData } from "../needs.ts";

const stories = sharedData("data/stories260K");
const recordedStep = sharedData("traces/stories260K.f64.safetensors");
const otherTokenizer = sharedData("data/tokenizer/openllama.model");
const file = (name: string): string => join(stories.path, name);
const generate = (args: readonly string[], options?: Options) => touchstone(["generate", ...args], options);
const CHILD = 60_000; // milliseconds that child process may take on a busy machine

describe.skipIf(stories.absent)(`stories260K${stories.note}`, () => {
  test.each(["stories260K.bin", "stories260K.gguf"])("%s holds the weights of the recorded step", async (name) => {
    const opened = await openCheckpoint(file(name));
    const trace = openSafetensors(recordedStep.path);
    const recorded = trace.names.filter((key) => key.startsWith("weights."));
    const weights = opened.readWeights();
    let numbers = 0;
    for (const key of recorded) {
      const got = weights.get(key.slice("weights.".length))!;
      const want = trace.read(key);
      expect(got.shape, key).toEqual(want.shape);
      expect(
        got.data.every((x, i) => Object.is(x, want.data[i])),
        key,
      ).toBe(true);
      numbers += got.data.length;
    }
    expect(numbers).toBe(260_032);
    // The GGUF file holds the tied head once more.
    const rest = [...weights.keys()].filter((key) => !recorded.includes(`weights.${key}`));
    expect(rest).toEqual(name.endsWith(".gguf") ? ["output.weight"] : []);
    for (const key of rest) expect(weights.get(key)!.data).toEqual(weights.get("tok_embeddings.weight")!.data);
    opened.close();
    trace.close();
  });

  test("200 positions from the begin token alone, byte for byte", { timeout: CHILD }, async () => {
    const args = [file("stories260K.bin"), "--tokenizer", file("tok512.bin"), "--prompt", ""];
    const { code, bytes, err } = await generate([...args, "--temperature", "0", "--tokens", "200"]);
    expect(bytes.equals(readFileSync(file("expected-200-greedy.txt")))).toBe(true);
    expect(err).toMatch(/generated: 200 tokens in \d+\.\d\d s, \d+ tokens\/s; ended by --tokens\n$/);
    expect(code).toBe(0);
  });

  test("the GGUF file with its own tokenizer tells the same story", async () => {
    const { tokenizer, reader } = await openModel(file("stories260K.gguf"), { device: "cpu" });
    const ids: number[] = [];
    for await (const id of continuation(reader, tokenizer.encode("", { bos: true }), greedy)) {
      if (ids.push(id) === 200) break;
    }
    expect(tokenizer.decode(ids)).toBe(readFileSync(file("expected-200-greedy.txt"), "utf8"));
  });

  test("ends at the token with which a story ends, and when interrupted", { timeout: CHILD }, async () => {
    const args = [file("stories260K.gguf"), "--temperature", "0", "--prompt", "Tom had a red ball."];
    const whole = await generate([...args, "--tokens", "2000"]);
    expect(whole.err).toMatch(/ended by (a begin|the end) token\n$/);
    expect(whole.out).toMatch(/^Tom had a red ball\. .*\.$/s);
    const stopped = await generate([...args, "--tokens", "2000"], { send: "SIGINT" });
    expect(stopped.code).toBe(130);
    expect(stopped.err).toMatch(/ended by an interrupt\n$/);
  });

  test.each([
    [
      "a prompt longer than the context",
      ["--prompt", "a b c d ".repeat(200)],
      /--prompt has \d+ tokens, expected at most the model's context of 512/,
    ],
    [
      "a tokenizer of another size",
      ["--tokenizer", otherTokenizer.path],
      /openllama\.model: the tokenizer has 32000 pieces, the model's vocabulary has 512/,
    ],
    ["no tokenizer", [], /stories260K\.bin: has no tokenizer with it, expected --tokenizer FILE with 512 pieces/],
    ["top-p above 1", ["--top-p", "1.5"], /--top-p 1\.5: expected a number from 0 to 1/],
  ])("%s is one line and exit status 2", { timeout: CHILD }, async (_, args, message) => {
    const hasTokenizer = args.includes("--tokenizer") || message.source.includes("no tokenizer");
    const tokenizer = hasTokenizer ? [] : ["--tokenizer", file("tok512.bin")];
    const { code, out, err } = await generate([file("stories260K.bin"), ...args, ...tokenizer]);
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(out).toHaveLength(0);
    expect(code).toBe(2);
  });
});
