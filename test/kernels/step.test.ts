// The whole training step on the device: its trace within the replays' threshold of PyTorch's, every op of it inside its
// bound, and its losses those of the reference.
import { describe, expect, test } from "vitest";
import { blameInstances } from "../../judge/blame.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import { distance } from "../../trace/difference.ts";
import { readTraceInput } from "../../trace/input.ts";
import { instancesOf } from "../../trace/instances.ts";
import { replayTrace } from "../../trace/replay.ts";
import { deviceEngine } from "../../kernels-gpu/engine.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { batchAt } from "../../reference/text/batches.ts";
import { encode } from "../../reference/text/bytes.ts";
import { policyNames } from "../../reference/model/policies.ts";
import type { OpenEngine, StepOptions } from "../../reference/training/engine.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { initialState } from "../../reference/training/step.ts";
import { initialWeights } from "../../reference/weights.ts";
import { readTrainingText } from "../../training/text.ts";
import { sharedData } from "../needs.ts";
import { FLOAT32_REPLAY, STEP_LOSS, STEP_LOSS_BFLOAT16 } from "../thresholds.ts";
import { device } from "./device.ts";

/** Engines on one device, which compiles each kernel once. */
const onDevice =
  (options: StepOptions): OpenEngine =>
  async (config, state) =>
    deviceEngine({ ...device, close() {} }, config, state, options);

const traces = [
  ...policyNames.map((recompute) => ({ name: "gqa", recompute })),
  { name: "mqa-tied", recompute: "full" as const },
].map(({ name: trace, recompute }) => {
  const { path, absent, note } = sharedData(`traces/${trace}.f64.safetensors`);
  return { claim: `${trace} on the device, recomputing: ${recompute}${note}`, path, absent, recompute };
});

for (const { claim, path, absent, recompute } of traces) {
  describe(claim, () => {
    test.skipIf(absent)("every tensor is PyTorch's, and every op is inside its bound", async () => {
      const input = readTraceInput(path);
      const tensors = new Map<string, Tensor<Floats | Ints>>();
      for (const [name, written] of await replayTrace(input, Float32Array, true, onDevice({ recompute }))) {
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
      const { faults, left, judged } = blameInstances(instances, operations, recording, targets.wgsl);
      expect(faults).toEqual([]);
      expect(left).toEqual([]);
      expect(judged.length).toBeGreaterThan(instances.length);
    });
  });
}

const title = "50 steps on real text under each policy: each loss is the reference's, and near it in mixed precision";
test(title, { timeout: 240_000 }, async () => {
  const bytes = { vocabSize: 259, normEps: 1e-5, ropeTheta: 10_000, maxSeqLen: 16, tiedEmbeddings: false };
  const config = { ...bytes, dim: 16, nLayers: 1, nHeads: 2, nKvHeads: 1, ffnDim: 24 };
  const h = { learningRate: 0.02, warmupSteps: 5, totalSteps: 50, minLearningRateRatio: 0.1, weightDecay: 0.1 };
  const hyperparameters = { ...h, beta1: 0.9, beta2: 0.95, adamEps: 1e-8, maxGradientNorm: 1 };
  const tokens = encode(readTrainingText([]).training);
  const state = initialState(initialWeights(config, 5, Float32Array));
  const losses = async (engine: Awaited<ReturnType<OpenEngine>>): Promise<number[]> => {
    const list: number[] = [];
    for (let step = 0; step < 50; step++) {
      list.push((await engine.step(batchAt(tokens, 1, 16, 1, step), hyperparameters, step + 1)).loss);
    }
    engine.close();
    return list;
  };
  const want = await losses(referenceEngine(config, state, { recompute: "selective" }));
  expect(want[49]).toBeLessThan(want[0] - 1); // it learns, so the steps matter
  const got: number[][] = [];
  for (const recompute of policyNames) got.push(await losses(await onDevice({ recompute })(config, state)));
  expect(got[1]).toEqual(got[0]); // the same bits
  expect(got[2]).toEqual(got[0]);
  for (const [step, loss] of want.entries())
    expect(Math.abs(got[0][step] - loss), `step ${step}`).toBeLessThanOrEqual(STEP_LOSS);
  const mixed = await losses(await onDevice({ dtype: "bfloat16" })(config, state));
  for (const [step, loss] of want.entries())
    expect(Math.abs(mixed[step] - loss), `step ${step}`).toBeLessThanOrEqual(STEP_LOSS_BFLOAT16);
});
