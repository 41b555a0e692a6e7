// A recording that holds one quantity under two names with two values is refused by whoever reads it, both places named.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../../formats/error.ts";
import { writeSafetensors } from "../../formats/safetensors.ts";
import { initialWeights } from "../../reference/weights.ts";
import { readTraceInput, type TraceInput } from "../../trace/input.ts";
import { replayTrace } from "../../trace/replay.ts";
import { inProcess } from "../cli/in-process.ts";
import { type Content, contentOf, rewrite } from "../fixtures/rewritten.ts";
import { hyperparameters, small } from "./recorded-step.ts";

const scratch = mkdtempSync(join(tmpdir(), "touchstone-twice-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const [B, T] = [2, 4];

/** A full recording of some steps. */
async function record(steps: number, microBatches: number): Promise<string> {
  const batches = Array.from({ length: steps }, (_, step) => {
    const ids = (from: number) => ({
      data: Int32Array.from({ length: B * T }, (_id, i) => (from + step + i) % small.vocabSize),
      shape: [B, T],
    });
    return { tokens: ids(1), targets: ids(2) };
  });
  const configText = JSON.stringify({ ...small, ...hyperparameters });
  const weights = initialWeights(small, 7, Float32Array);
  const input: TraceInput = { config: small, hyperparameters, configText, weights, batches, microBatches };
  const tensors = await replayTrace(input, Float32Array, true);
  const path = join(scratch, `${steps} of ${microBatches}.safetensors`);
  const inParts = microBatches === 1 ? {} : { microBatches: String(microBatches) };
  writeSafetensors(path, tensors, { config: configText, computedBy: "touchstone trace", ...inParts });
  return path;
}

let two = "";
let one = "";
beforeAll(async () => {
  [two, one] = [await record(2, 2), await record(1, 1)];
});

const put =
  (name: string, value: number, i = 0) =>
  ({ tensors }: Content): void => {
    tensors.get(name)!.tensor.data[i] = value;
  };

const ofTwo: [string, (content: Content) => void, RegExp][] = [
  [
    "gradientNorms and a step's norm",
    put("gradientNorms", 9, 1),
    /"steps\.1\.gradientNorm" is .*expected 9 as in tensor "gradientNorms", part 1 of 2/,
  ],
  [
    "a step's norm and gradientNorms",
    put("steps.0.gradientNorm", NaN),
    /"steps\.0\.gradientNorm" is NaN, expected .*"gradientNorms"/,
  ],
  ["losses and the loss of step 0", put("losses", -1), /"activations\.loss" is .*expected -1 as in tensor "losses"/],
  [
    "tokens and a step's",
    put("steps.1.tokens", 3, 2),
    /"steps\.1\.tokens" is 3 at 2, expected .*"tokens", part 1 of 2/,
  ],
  [
    "targets and a micro-batch's",
    put("microBatches.1.targets", 5, 1),
    /"microBatches\.1\.targets" is 5 at 1, expected .*"targets", part 1 of 4/,
  ],
  [
    "weights after the first step",
    put("firstStep.weights.norm.weight", 7),
    /"steps\.0\.weights\.norm\.weight" is .*"firstStep\.weights\.norm\.weight"/,
  ],
  [
    "moments after the first step",
    put("steps.0.secondMoment.norm.weight", 7),
    /"steps\.0\.secondMoment\.norm\.weight" is 7.*"firstStep/,
  ],
  ["weights at the end", put("final.norm.weight", 7), /"steps\.1\.weights\.norm\.weight" is .*"final\.norm\.weight"/],
  [
    "moments at the end",
    put("firstMoment.norm.weight", 7),
    /"steps\.1\.firstMoment\.norm\.weight" is .*"firstMoment\.norm\.weight"/,
  ],
  [
    "learning rates and hyperparameters",
    put("learningRates", 1),
    /"learningRates" is 1 at 0, expected .* as in metadata "config"/,
  ],
  [
    "fewer losses than steps",
    ({ tensors }) => void (tensors.get("losses")!.tensor = { data: Float64Array.of(1), shape: [1] }),
    /"losses" has shape \[1\], expected \[2\]/,
  ],
  [
    "a step that is not there",
    ({ tensors }) => void tensors.set("steps.2.gradientNorm", tensors.get("steps.1.gradientNorm")!),
    /"steps\.2\.gradientNorm" is of no step/,
  ],
  [
    "a step that is no number",
    ({ tensors }) => void tensors.set("steps.01.gradientNorm", tensors.get("steps.1.gradientNorm")!),
    /"steps\.01\.gradientNorm" is of no step/,
  ],
];
const ofOne: [string, (content: Content) => void, RegExp][] = [
  [
    "the only step's end",
    ({ tensors }) => {
      for (const name of tensors.keys()) if (name.startsWith("steps.0.weights")) tensors.delete(name);
      tensors.get("final.norm.weight")!.tensor.data[0] = 7;
    },
    /"firstStep\.weights\.norm\.weight" is .*"final\.norm\.weight"/,
  ],
];

describe("a recording that contradicts itself", () => {
  const refuses = (path: string, told: RegExp): void => {
    expect(() => readTraceInput(path)).toThrow(FormatError);
    expect(() => readTraceInput(path)).toThrow(told);
  };

  test.each(ofTwo)("%s", (name, change, told) => {
    refuses(rewrite(two, join(scratch, `${name}.safetensors`), change), told);
  });

  test.each(ofOne)("%s", (name, change, told) => {
    refuses(rewrite(one, join(scratch, `${name}.safetensors`), change), told);
  });

  test("is bad input to blame and to trace, in one line", async () => {
    const path = rewrite(two, join(scratch, "bad.safetensors"), put("gradientNorms", 9, 1));
    for (const args of [
      ["blame", path],
      ["trace", "--replay", path, "--out", join(scratch, "again.safetensors")],
    ]) {
      const { code, err } = await inProcess(args);
      expect(err, args[0]).toMatch(/^touchstone: .*"steps\.1\.gradientNorm" is .*"gradientNorms"[^\n]*\n$/);
      expect(code, args[0]).toBe(2);
    }
  });

  test("not one that says the same twice, nor one that says it in fewer bits", () => {
    for (const path of [one, two]) expect(() => readTraceInput(path)).not.toThrow();
    const { tensors } = contentOf(two);
    expect(tensors.get("gradientNorms")!.dtype).toBe("F64");
    const low = rewrite(two, join(scratch, "low.safetensors"), (content) => {
      for (const [name, entry] of content.tensors)
        if (/^steps\.\d\.(gradientNorm|weights)/.test(name)) entry.dtype = "BF16";
    });
    expect(() => readTraceInput(low)).not.toThrow();
  });
});
