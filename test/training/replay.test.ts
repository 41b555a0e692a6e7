import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stepOps } from "../../judge/step-ops.ts";
import { openSafetensors, type SafetensorsFile } from "../../formats/safetensors.ts";
import { distance } from "../../trace/difference.ts";
import { type Instance, inputsOf, instancesOf } from "../../trace/instances.ts";
import { readTraceInput, storedAs } from "../../trace/input.ts";
import { replayTrace } from "../../trace/replay.ts";
import * as adamw from "../../reference/ops/adamw.ts";
import * as add from "../../reference/ops/add.ts";
import * as attention from "../../reference/ops/attention.ts";
import * as clip from "../../reference/ops/clip.ts";
import * as crossEntropy from "../../reference/ops/cross-entropy.ts";
import * as embedding from "../../reference/ops/embedding.ts";
import * as gradientNorm from "../../reference/ops/gradient-norm.ts";
import * as linear from "../../reference/ops/linear.ts";
import * as rmsnorm from "../../reference/ops/rmsnorm.ts";
import * as ropeTable from "../../reference/ops/rope-table.ts";
import * as rope from "../../reference/ops/rope.ts";
import * as swiglu from "../../reference/ops/swiglu.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { sharedData } from "../needs.ts";
import { FLOAT32_REPLAY, FLOAT64_REPLAY, RECORDED_INSTANCE } from "../thresholds.ts";

// Named here, not listed from the folder: a trace that is missing is not a test less.
const double = ["gqa", "mha", "mqa-tied", "stories260K"].map((name) => `${name}.f64.safetensors`);
const traces = [...double, "gqa.f32.safetensors"];
const { path: folder, absent, note } = sharedData("traces");

/** Every tensor of the recording against what a replay gave, which must be the same set. */
function expectWithin(got: Awaited<ReturnType<typeof replayTrace>>, wanted: SafetensorsFile, threshold: number): void {
  expect([...got.keys()].toSorted()).toEqual([...wanted.names].toSorted());
  for (const [name, written] of got) {
    const { relative } = distance("tensor" in written ? written.tensor : written, wanted.read(name));
    expect(relative <= threshold, `${name}: ${relative} > ${threshold}`).toBe(true);
  }
}

describe.skipIf(absent)(`replays of the recorded traces${note}`, () => {
  test.each(double)("%s in float64", async (name) => {
    const path = join(folder, name);
    const file = openSafetensors(path);
    expectWithin(await replayTrace(readTraceInput(path), Float64Array, false), file, FLOAT64_REPLAY);
    file.close();
  });

  test.each(traces)("%s in float32", async (name) => {
    const path = join(folder, name);
    const file = openSafetensors(path);
    expectWithin(await replayTrace(readTraceInput(path), Float32Array, false), file, FLOAT32_REPLAY);
    file.close();
  });

  test("a full trace holds what a plain one holds, with the same bits", async () => {
    const input = readTraceInput(join(folder, "mqa-tied.f64.safetensors"));
    const plain = await replayTrace(input, Float32Array, false);
    const full = await replayTrace(input, Float32Array, true);
    expect(full.size).toBeGreaterThan(plain.size);
    for (const [name, t] of plain) expect(full.get(name), name).toEqual(t);
  });

  const everyOp = new Set<string>();
  test.each(double)("every instance of %s gives its recorded outputs from its recorded inputs", async (name) => {
    const input = readTraceInput(join(folder, name));
    const full = await replayTrace(input, Float64Array, true);
    const read = (tensor: string): Tensor<Floats | Ints> => {
      const written = full.get(tensor);
      if (written === undefined) throw new RangeError(`${tensor} is not in the trace`);
      return "tensor" in written ? written.tensor : written;
    };
    const [B, T] = input.batches[0].tokens.shape;
    const like = [...storedAs(input.weights, Float64Array).values()][0];
    const used = new Set<string>();
    for (let step = 0; step < input.batches.length; step++) {
      for (const instance of instancesOf({ ...input, B, T, like }, step)) {
        everyOp.add(instance.op);
        const results = evaluate(instance, inputsOf(instance, read) as never);
        expect(Object.keys(results).toSorted()).toEqual(Object.keys(instance.outputs).toSorted());
        for (const [output, { name: recorded, shape }] of Object.entries(instance.outputs)) {
          used.add(recorded);
          const { relative } = distance(results[output], { data: read(recorded).data, shape });
          expect(results[output].shape, recorded).toEqual(shape);
          const where = `${instance.op} at ${instance.where}, ${output} = ${recorded}`;
          expect(relative <= RECORDED_INSTANCE, `${where}: ${relative}`).toBe(true);
        }
      }
    }
    // Whatever a step computed has an instance that says how.
    const computed = [...full.keys()].filter((tensor) => /^(activation|gradientTerms|steps\.\d+\.[cwfs])/.test(tensor));
    expect(computed.filter((tensor) => !used.has(tensor))).toEqual(["activationGradients.loss"]);
  });

  test("the instances cover every op and direction", () => {
    expect([...everyOp].toSorted()).toEqual(Object.keys(evaluators).toSorted());
  });
});

type Given = Record<string, Tensor<Float64Array> & Tensor<Ints>>;
type Numbers = Record<string, never>;
const evaluators: Record<string, (i: Given, s: Numbers) => Record<string, Tensor>> = {
  "adamw.forward": (i, s) => adamw.forward(i.w, i.g, i.m, i.v, s as unknown as adamw.AdamWScalars),
  "add.backward": (i) => ({ da: i.dy }),
  "add.forward": (i) => add.forward(i.a, i.b),
  "attention.backward": (i) => attention.backward(i.dy, i.q, i.k, i.v, i.y, i.lse),
  "attention.forward": (i) => attention.forward(i.q, i.k, i.v),
  "clip.forward": (i, s) => clip.forward(i.g, i.norm, s.maxNorm),
  "cross-entropy.backward": (i, s) => crossEntropy.backward(i.dloss, i.logits, i.targets, i.lse, s.ignoreIndex),
  "cross-entropy.forward": (i, s) => crossEntropy.forward(i.logits, i.targets, s.ignoreIndex),
  "embedding.backward": (i, s) => embedding.backward(i.dy, i.tokens, s.V),
  "embedding.forward": (i) => embedding.forward(i.tokens, i.w),
  "gradient-norm.forward": (i) => gradientNorm.forward(i.g),
  "linear.backward": (i) => linear.backward(i.dy, i.x, i.w),
  "linear.forward": (i) => linear.forward(i.x, i.w),
  "rmsnorm.backward": (i, s) => rmsnorm.backward(i.dy, i.x, i.w, i.rstd, s.eps),
  "rmsnorm.forward": (i, s) => rmsnorm.forward(i.x, i.w, s.eps),
  "rope-table.forward": (_, s) => ropeTable.forward(s.theta, s.HS, s.start, s.T, Float64Array),
  "rope.backward": (i, s) => rope.backward(i.dy, i.cos, i.sin, s.layout),
  "rope.forward": (i, s) => rope.forward(i.x, i.cos, i.sin, s.layout),
  "swiglu.backward": (i) => swiglu.backward(i.dy, i.gate, i.up),
  "swiglu.forward": (i) => swiglu.forward(i.gate, i.up),
  "unscale.forward": (i) => stepOps.get("unscale.forward")!.evaluate(i, {}, Float64Array),
};

function evaluate(instance: Instance, inputs: Given): Record<string, Tensor> {
  return evaluators[instance.op](inputs, instance.scalars as Numbers);
}
