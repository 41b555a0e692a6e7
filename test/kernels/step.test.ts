// The whole training step on the device: its trace within the replays' threshold of PyTorch's, every op of it inside its
// bound, and its losses those of the reference.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { blame } from "../../golden/judge/blame.ts";
import { readSafetensors } from "../../golden/formats/safetensors.ts";
import { distance } from "../../golden/trace/compare.ts";
import { readTraceInput } from "../../golden/trace/input.ts";
import { instancesOf } from "../../golden/trace/instances.ts";
import { replay } from "../../golden/trace/replay.ts";
import { openDevice } from "../../kernels-gpu/device.ts";
import { deviceEngine } from "../../kernels-gpu/engine.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { batchAt } from "../../reference/text/batches.ts";
import { encode } from "../../reference/text/bytes.ts";
import type { OpenEngine } from "../../reference/training/engine.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { readText } from "../../training/text.ts";
import { FLOAT32_REPLAY, STEP_LOSS } from "../thresholds.ts";

const adapter = (process.env.TOUCHSTONE_ADAPTER ?? "auto") as "auto";
const onDevice: OpenEngine = async (config, state) => deviceEngine(await openDevice({ adapter }), config, state);

const traces = ["gqa", "mqa-tied"].map((name) => ({
  name,
  path: fileURLToPath(new URL(`../../../shared/traces/${name}.f64.safetensors`, import.meta.url)),
}));

describe.each(traces)("$name, replayed on the device (skipped where ../shared/traces is absent)", ({ path }) => {
  test.skipIf(!existsSync(path))("every tensor is PyTorch's, and every op is inside its bound", async () => {
    const input = readTraceInput(path);
    const tensors = new Map<string, Tensor<Floats | Ints>>();
    for (const [name, written] of await replay(input, Float32Array, true, onDevice)) {
      tensors.set(name, "tensor" in written ? written.tensor : written);
    }
    for (const [name, want] of readSafetensors(path).tensors) {
      expect(tensors.has(name), name).toBe(true);
      expect(distance(tensors.get(name)!, want).relative, name).toBeLessThanOrEqual(FLOAT32_REPLAY);
    }
    const { config, hyperparameters, batches } = input;
    const [B, T] = batches[0].tokens.shape;
    const like = { data: new Float32Array(0), shape: [0] };
    const shape = { config, B, T, like, ...(hyperparameters && { hyperparameters }) };
    const recording = {
      path: "device",
      metadata: {},
      dtype: undefined,
      read: (name: string) => {
        const tensor = tensors.get(name);
        return tensor === undefined ? undefined : { tensor, dtype: "float32" as const };
      },
      close: () => {},
    };
    const instances = batches.flatMap((_, step) => instancesOf(shape, step));
    const { faults, left, judged } = blame(instances, operations, recording, targets.wgsl);
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    expect(judged.length).toBeGreaterThan(instances.length);
  });
});

test("20 steps on real text: each loss is the reference's", async () => {
  const bytes = { vocabSize: 259, normEps: 1e-5, ropeTheta: 10_000, maxSeqLen: 16, tiedEmbeddings: false };
  const config = { ...bytes, dim: 24, nLayers: 2, nHeads: 4, nKvHeads: 2, ffnDim: 44 };
  const h = { learningRate: 0.01, warmupSteps: 2, totalSteps: 20, minLearningRateRatio: 0.1, weightDecay: 0.1 };
  const hyperparameters = { ...h, beta1: 0.9, beta2: 0.95, adamEps: 1e-8, maxGradientNorm: 1 };
  const tokens = encode(readText([]).training);
  const state = initialState(initialWeights(config, 5, Float32Array));
  const losses = async (engine: Awaited<ReturnType<OpenEngine>>): Promise<number[]> => {
    const list: number[] = [];
    for (let step = 0; step < 20; step++) {
      list.push((await engine.differentiate(batchAt(tokens, 2, 16, 1, step))).loss);
      await engine.update(hyperparameters, step + 1);
    }
    engine.close();
    return list;
  };
  const want = await losses(referenceEngine(config, state));
  const got = await losses(await onDevice(config, state));
  expect(want[19]).toBeLessThan(want[0] - 1); // it learns, so the steps matter
  for (const [step, loss] of want.entries())
    expect(Math.abs(got[step] - loss), `step ${step}`).toBeLessThanOrEqual(STEP_LOSS);
});
