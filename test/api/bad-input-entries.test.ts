// Bad input to the entries for WebGPU and Node, as bad-input.test.ts has it for the others.
import { expect, test } from "vitest";
import { reference, tensor } from "../../index.ts";
import {
  blame,
  openDevice,
  processCandidate,
  readFixture,
  recordSteps,
  startWorkers,
  writeCheckpoint,
  writeSafetensors,
} from "../../node.ts";
import { candidateOf, defineKernel, kernels } from "../../webgpu.ts";

test("the entries for WebGPU and Node", async () => {
  expect(() => candidateOf(null as never, kernels["add.forward"])).toThrow(TypeError);
  expect(() => candidateOf({} as never, null as never)).toThrow(TypeError);
  expect(() => defineKernel({} as never)).toThrow(TypeError);
  expect(() => processCandidate("")).toThrow(RangeError);
  expect(() => processCandidate("x", { timeout: NaN })).toThrow(/^options\.timeout: got NaN, expected a positive/);
  expect(() => blame("/nonexistent.safetensors")).toThrow(/nonexistent/);
  expect(() => readFixture("/nonexistent.safetensors")).toThrow(/nonexistent/);
  await expect(recordSteps("x", { config: { dim: 0 } } as never)).rejects.toThrow(RangeError);
});

test.each<[object, RegExp]>([
  [{ timout: 1 }, /^options\.timout is unknown, expected op, dtype, overrides, timeout$/],
  [{ timeout: -1 }, /^options\.timeout: got -1, expected a positive number of milliseconds$/],
  [{ dtype: "fp16" }, /^options\.dtype: got "fp16", expected one of float32, bfloat16, float16$/],
  [{ overrides: { WG: NaN } }, /^options\.overrides\.WG: got NaN, expected a finite number$/],
])("candidateOf with %j", (options, message) => {
  const device = { createShaderModule: () => {}, lost: new Promise(() => {}) };
  expect(() => candidateOf(device as never, kernels["add.forward"], options)).toThrow(message);
});

test.each([0, 1, 2.5, 1000, NaN])("startWorkers(%j)", (jobs) => {
  expect(() => startWorkers(jobs)).toThrow(/^jobs: got \S+, expected a whole number from 2 to \d+$/);
});

test("openDevice and a kernel's call", async () => {
  await expect(openDevice("software" as never)).rejects.toThrow(/^openDevice: .*, expected \{ adapter \}$/);
  await expect(openDevice({ adpter: "gpu" } as never)).rejects.toThrow(/^openDevice: adpter is unknown/);
  await expect((kernels["add.forward"] as (...none: never[]) => Promise<unknown>)()).rejects.toThrow(
    /^add\.forward: got undefined, expected a device, then inputs and scalars by name$/,
  );
});

const { presets, initialWeights } = reference;
const config = { ...presets.tiny, nLayers: 1 };
const weights = initialWeights(config, 1, Float32Array);
const tokens = tensor(Int32Array.of(1, 2), [1, 2]);
const batch = { tokens, targets: tokens };

test.each<[object, RegExp]>([
  [{ batches: [null] }, /^steps\.batches\[0\]: got null, expected \{ tokens, targets \}$/],
  [
    { batches: [{ tokens: tensor(new Float32Array(2), [1, 2]), targets: tokens }] },
    /^steps\.batches\[0\]\.tokens\.data: got a Float32Array, expected Int32Array$/,
  ],
  [
    { batches: [{ tokens, targets: tensor(Int32Array.of(1), [1, 1]) }] },
    /^steps\.batches\[0\]\.targets has shape \[1,1\], expected \[1,2\] as of tokens$/,
  ],
  [{ batches: [batch, batch] }, /^steps\.hyperparameters: got undefined, expected them/],
  [
    { batches: [batch], hyperparameters: {} },
    /^hyperparameters: learningRate is nothing, expected a float32 number of at least 0$/,
  ],
])("recordSteps with bad steps, %#", async (steps, message) => {
  await expect(recordSteps("/nonexistent/x", { config, weights, ...steps } as never)).rejects.toThrow(message);
});

test("files of weights and tensors", () => {
  const write = writeCheckpoint as (...given: unknown[]) => void;
  expect(() => write("/nonexistent/x", "ggml", config, weights)).toThrow(
    /^format: got ggml, expected one of llama2c, /,
  );
  expect(() => write("/nonexistent/x", "huggingface", config, weights, "float32", { shardBytes: -1 })).toThrow(
    /^shardBytes: got -1, expected a positive number$/,
  );
  const store = (tensors: unknown): void => writeSafetensors("/nonexistent/x", tensors as never);
  expect(() => store({ y: tokens })).toThrow(/^the tensors are not in a Map/);
  expect(() => store(new Map([["y", 5]]))).toThrow(/^tensor "y" is not a tensor, expected/);
  expect(() => store(new Map([["y", { tensor: tokens, dtype: "F8" }]]))).toThrow(/^tensor "y": dtype F8 is unknown/);
  expect(() => blame("/nonexistent/x", { dtype: "fp16" as never })).toThrow(/^options\.dtype: got "fp16", expected/);
});
