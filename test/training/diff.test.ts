import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, type TensorToWrite, writeSafetensors } from "../../formats/safetensors.ts";
import { distance } from "../../trace/difference.ts";
import { readTraceInput } from "../../trace/input.ts";
import { inOrderOfComputation, isAlwaysRecorded } from "../../trace/names.ts";
import { replayTrace } from "../../trace/replay.ts";
import { presets } from "../../reference/config.ts";
import { hyperparameterNames } from "../../reference/training/hyperparameters.ts";
import { initialWeights } from "../../reference/weights.ts";
import { touchstone } from "../command.ts";

const root = join(import.meta.dirname, "../..");
const CHILD = 60_000; // milliseconds that child processes may take on a busy machine

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "touchstone-diff-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const config = { ...presets.tiny, dim: 12, nHeads: 2, nKvHeads: 1, nLayers: 1, ffnDim: 8, vocabSize: 7, maxSeqLen: 4 };
const values = [0.01, 2, 4, 0.1, 0.1, 0.9, 0.95, 1e-8, 1];
const hyperparameters = Object.fromEntries(hyperparameterNames.map((name, i) => [name, values[i]]));

type Tensors = Map<string, TensorToWrite>;
type Change = (tensors: Tensors, fields: Record<string, unknown>) => void;

/** A file that a replay can start from, changed by `change` before it is written. */
function recording(name: string, change: Change = () => {}): string {
  const tensors: Tensors = new Map();
  for (const [weight, w] of initialWeights(config, 1, Float64Array)) tensors.set(`weights.${weight}`, w);
  const ids = Int32Array.of(1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5);
  tensors.set("tokens", { data: ids, shape: [2, 2, 3] });
  tensors.set("targets", { data: ids.map((id) => (id + 1) % 7), shape: [2, 2, 3] });
  const fields: Record<string, unknown> = { ...config, ...hyperparameters };
  change(tensors, fields);
  const path = join(scratch, `${name.replaceAll(/\W/g, "-")}.safetensors`);
  writeSafetensors(path, tensors, { config: JSON.stringify(fields) });
  return path;
}

describe("the distance of two tensors", () => {
  const of = (...data: number[]) => ({ data: Float64Array.from(data), shape: [data.length] });

  test("is ‖a−b‖/‖b‖, with the ulps and the place of the worst element", () => {
    expect(distance(of(3, 4, 0), of(3, 4, 0))).toEqual({ relative: 0, ulps: 0, at: -1 });
    expect(distance(of(3, 5), of(3, 4))).toMatchObject({ relative: 1 / 5, at: 1 });
    expect(distance(of(1 + Number.EPSILON), of(1))).toEqual({ relative: Number.EPSILON, ulps: 1, at: 0 });
    const single = { data: Float32Array.of(1), shape: [1] };
    expect(distance({ data: Float32Array.of(1 + 2 ** -23), shape: [1] }, single).ulps).toBe(1);
  });

  test("is infinite where b is zero and a is not, and 0 where both are, −0 included", () => {
    expect(distance(of(0, 1e-300), of(0, 0)).relative).toBe(Infinity);
    expect(distance(of(0, -0), of(-0, 0)).relative).toBe(0);
    expect(distance(of(), of())).toEqual({ relative: 0, ulps: 0, at: -1 });
  });

  test("fails every limit where one side only is not finite", () => {
    for (const [a, b] of [
      [NaN, 1],
      [1, NaN],
      [Infinity, 1],
      [1, -Infinity],
      [Infinity, -Infinity],
      [NaN, Infinity],
    ] as const) {
      const { relative } = distance(of(a, 2), of(b, 2));
      expect(relative <= Number.MAX_VALUE, `${a} and ${b}`).toBe(false);
    }
  });

  test("sees a difference beside infinities and NaNs that are equal", () => {
    expect(distance(of(-Infinity, 1), of(-Infinity, 1)).relative).toBe(0);
    expect(distance(of(NaN, 1), of(NaN, 1)).relative).toBe(0);
    expect(distance(of(-Infinity, 3), of(-Infinity, 2)).relative).toBe(1 / 2);
  });

  test("neither overflows nor vanishes", () => {
    expect(distance(of(1.5e300), of(1e300)).relative).toBe(0.5);
    expect(distance(of(1.5e-300), of(1e-300)).relative).toBeGreaterThan(0.25);
    expect(distance(of(1e308, 5e-324), of(1e308, 0)).relative).toBeGreaterThan(0);
  });

  test("of integers is their difference", () => {
    const ids = (...data: number[]) => ({ data: Int32Array.from(data), shape: [data.length] });
    expect(distance(ids(1, 9), ids(1, 7))).toMatchObject({ ulps: 2, at: 1 });
  });
});

test("names are ordered as a step computes them", () => {
  const wanted = [
    "tokens",
    "weights.tok_embeddings.weight",
    "activations.embedding",
    "activations.layers.0.attention_norm",
    "activations.layers.0.ffn_residual",
    "activations.layers.1.q",
    "activations.layers.10.q",
    "activations.norm",
    "activations.logits",
    "activationGradients.logits",
    "activationGradients.layers.10.ffn_residual",
    "activationGradients.layers.1.ffn_residual",
    "activationGradients.layers.1.q",
    "activationGradients.embedding",
    "gradients.norm.weight",
    "firstStep.weights.norm.weight",
    "losses",
    "final.norm.weight",
    "something.else",
  ];
  expect(inOrderOfComputation(wanted.toReversed())).toEqual(wanted);
});

describe("touchstone trace and diff", () => {
  test(
    "a trace has the recording's names, differs from nothing in itself, and a change of one number is named",
    async () => {
      const source = recording("source");
      const [a, b] = [join(scratch, "a.safetensors"), join(scratch, "b.safetensors")];
      expect((await touchstone(["trace", "--replay", source, "--full", "--out", a])).code).toBe(0);
      const plain = await touchstone(["trace", "--replay", source, "--dtype", "float32", "--out", b]);
      expect(plain.code).toBe(0);
      expect(plain.out).toContain("2 steps in float32 on the cpu");
      expect(readSafetensors(b).tensors.get("losses")!.shape).toEqual([2]);
      expect((await touchstone(["diff", a, a])).code).toBe(0);

      const { tensors, metadata } = readSafetensors(a);
      tensors.get("gradients.norm.weight")!.data[1] += 1;
      tensors.get("losses")!.data[0] += 1;
      writeSafetensors(b, tensors, metadata);
      const changed = await touchstone(["diff", b, a]);
      expect(changed.code).toBe(1);
      expect(changed.out).toContain("2 beyond 0, the first: gradients.norm.weight: relative");
      expect((await touchstone(["diff", b, a, "--max-relative", "1e6"])).code).toBe(0);

      tensors.delete("activations.layers.0.gate");
      writeSafetensors(b, tensors, metadata);
      const missing = await touchstone(["diff", a, b, "--max-relative", "1e6"]);
      expect(missing.code).toBe(1);
      expect(missing.out).toContain(`the first: activations.layers.0.gate: missing in ${b}`);
    },
    CHILD,
  );

  test(
    "bad options and files give one line and exit status 2",
    async () => {
      const source = recording("source");
      for (const [args, message] of [
        [["trace", "--out", "x"], "trace: --replay is missing, expected --replay <file>"],
        [["trace", "--replay", source, "--out", join(scratch, "no", "such")], "cannot be written, no such file"],
        [
          ["trace", "--replay", source, "--out", scratch, "--dtype", "float16"],
          "--dtype float16: expected one of float64, float32",
        ],
        [["trace", "--replay", source, "--out", "x", "--device", "gpu", "--dtype", "float64"], "--device gpu"],
        [["trace", "--replay", join(scratch, "nowhere"), "--out", "x"], "cannot be read, no such file"],
        [["diff", source], "diff: <b> is missing"],
        [["diff", source, source, "--max-relative", "-1"], "--max-relative -1: expected a number of at least 0"],
        [["diff", source, join(scratch, "nowhere")], "cannot be read, no such file"],
      ] as const) {
        const { code, err } = await touchstone(args);
        expect(err).toContain(message);
        expect(err.trim().split("\n")).toHaveLength(1);
        expect(code).toBe(2);
      }
      expect(existsSync(join(root, "x"))).toBe(false);
    },
    CHILD,
  );
});

describe("a recording that cannot be replayed is refused with one line", () => {
  const set =
    (field: string, value: unknown): Change =>
    (_, fields) =>
      void (fields[field] = value);
  const reshape =
    (name: string, ...shape: number[]): Change =>
    (tensors) => {
      tensors.set(name, { data: new Float64Array(shape.reduce((n, length) => n * length, 1)), shape });
    };
  const id =
    (name: string, at: number, value: number): Change =>
    (tensors) => {
      const { data, shape } = tensors.get(name) as { data: Int32Array; shape: number[] };
      tensors.set(name, { data: data.map((old, i) => (i === at ? value : old)), shape });
    };
  test.each<[string, Change, RegExp]>([
    ["an odd head", set("nHeads", 4), /head size 12 \/ 4 = 3 is odd/],
    ["heads that do not divide dim", set("nHeads", 5), /dim 12 is not divisible by nHeads 5/],
    ["NH no multiple of NKV", set("nKvHeads", 3), /nHeads 2 is not a multiple of nKvHeads 3/],
    ["a billion layers", set("nLayers", 1e9), /nLayers is 1000000000, expected at most 4096/],
    ["a number as text", set("normEps", "1e-5"), /normEps is .*1e-5.*, expected a number/],
    ["no dim", set("dim", undefined), /dim is missing, expected a number/],
    ["a beta of 1", set("beta1", 1), /beta1 is 1, expected a number from 0 to below 1/],
    ["half of the hyperparameters", set("adamEps", undefined), /adamEps is missing/],
    ["tied, neither true nor false", set("tiedEmbeddings", 1), /tiedEmbeddings is 1, expected true or false/],
    [
      "untied without a head",
      set("tiedEmbeddings", false),
      /"weights\.output\.weight" is missing, expected shape \[7,12\]/,
    ],
    [
      "a weight of another shape",
      reshape("weights.norm.weight", 6),
      /weights\.norm\.weight" has shape \[6\], expected \[12\]/,
    ],
    ["a weight too many", reshape("weights.norm.bias", 12), /"weights\.norm\.bias" is not a weight/],
    ["a weight too few", (t) => void t.delete("weights.layers.0.attention.wq.weight"), /wq\.weight" is missing/],
    [
      "integers as weights",
      (t) => void t.set("weights.norm.weight", { data: new Int32Array(12), shape: [12] }),
      /real numbers/,
    ],
    ["no tokens", (t) => void t.delete("tokens"), /"tokens" is missing, expected shape \[step,B,T\]/],
    [
      "tokens of one step",
      (t) => void t.set("tokens", { data: new Int32Array(6), shape: [2, 3] }),
      /expected \[step,B,T\]/,
    ],
    ["tokens of no step", (t) => void t.set("tokens", { data: new Int32Array(0), shape: [0, 2, 3] }), /no length 0/],
    ["other targets", (t) => void t.set("targets", { data: new Int32Array(6), shape: [1, 2, 3] }), /as "tokens"/],
    ["a token too large", id("tokens", 7, 7), /tokens\[1,0,1\] is 7, expected an id in \[0, 7\)/],
    ["a negative token", id("tokens", 0, -100), /tokens\[0,0,0\] is -100/],
    ["a target too large", id("targets", 5, 7), /targets\[0,1,2\] is 7, expected an id in \[0, 7\) or -100/],
  ])("%s", (name, change, message) => {
    const path = recording(name, change);
    expect(() => readTraceInput(path)).toThrow(message);
    expect(() => readTraceInput(path)).toThrow(path);
  });

  test("metadata that is no configuration", () => {
    const { tensors } = readSafetensors(recording("source"));
    const path = join(scratch, "metadata.safetensors");
    for (const [metadata, message] of [
      [{}, 'metadata has no "config"'],
      [{ config: '{"dim": ' }, "expected a JSON object"],
      [{ config: "[]" }, "expected a JSON object"],
      [{ config: JSON.stringify(config), rope: "half-split" }, 'expected "adjacent pairs" or nothing'],
      [{ config: JSON.stringify(config) }, "tokens hold 2 steps but there are no hyperparameters"],
    ] as const) {
      writeSafetensors(path, tensors, metadata);
      expect(() => readTraceInput(path)).toThrow(message);
    }
    writeFileSync(path, "");
    expect(() => readTraceInput(path)).toThrow("is 0 bytes long");
  });

  test("but a target that does not count is welcome", async () => {
    const input = readTraceInput(recording("ignored", id("targets", 0, -100)));
    const tensors = await replayTrace(input, Float32Array, false);
    expect((tensors.get("losses") as { data: Float64Array }).data.every(Number.isFinite)).toBe(true);
  });

  test("without hyperparameters a replay is both passes of one step", async () => {
    const path = recording("passes", (tensors, fields) => {
      for (const name of hyperparameterNames) delete fields[name];
      for (const name of ["tokens", "targets"]) tensors.set(name, { data: Int32Array.of(1, 2, 3), shape: [1, 1, 3] });
    });
    const names = [...(await replayTrace(readTraceInput(path), Float32Array, false)).keys()];
    const rest = names.filter((name) => !isAlwaysRecorded(name) && !name.startsWith("weights."));
    expect(rest).toEqual(["tokens", "targets", "losses", "gradientNorms"]);
  });
});
