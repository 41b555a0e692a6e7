// The prose of the model (block.ts, model.ts, the loss in step.ts) and its tables (block-table.ts, block-backward.ts,
// model-table.ts) say the same: the ops that the code really calls, in their order, on the operands and with the results that the rows name.
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { LlamaConfig } from "../../reference/config.ts";
import * as block from "../../reference/model/block.ts";
import { blockBackwardOps, blockGradients, type GradientName } from "../../reference/model/block-backward.ts";
import { blockOps, blockTensors, fieldAt, type TensorName } from "../../reference/model/block-table.ts";
import { modelBackwardOps, type ModelOperand, modelOps, type ModelWeight } from "../../reference/model/model-table.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { differentiate } from "../../reference/training/step.ts";
import { layerWeights } from "../../reference/weights.ts";
import { batchOf, lively } from "./problem.ts";

/** A call of an op: its operands, and its results by name, as the numbers that they are, whatever their shape. */
interface Call {
  readonly op: string;
  readonly operands: readonly unknown[];
  readonly results: Readonly<Record<string, unknown>>;
}

const { calls, recording } = vi.hoisted(() => {
  const numbers = (value: unknown): unknown => (value as { data?: unknown }).data ?? value;
  const made: Call[] = [];
  const watched =
    (op: string) =>
    async (original: () => Promise<object>): Promise<object> => {
      const functions = Object.entries(await original()).map(([name, f]) => [
        name,
        name !== "forward" && name !== "backward"
          ? (f as unknown)
          : (...given: object[]): object => {
              const outputs = (f as (...all: object[]) => object)(...given);
              const results = Object.fromEntries(Object.entries(outputs).map(([key, t]) => [key, numbers(t)]));
              made.push({ op: `${op}.${name}`, operands: given.map(numbers), results });
              return outputs;
            },
      ]);
      return Object.fromEntries(functions) as object;
    };
  return { calls: made, recording: watched };
});
vi.mock("../../reference/ops/add.ts", recording("add"));
vi.mock("../../reference/ops/attention.ts", recording("attention"));
vi.mock("../../reference/ops/cross-entropy.ts", recording("cross-entropy"));
vi.mock("../../reference/ops/embedding.ts", recording("embedding"));
vi.mock("../../reference/ops/linear.ts", recording("linear"));
vi.mock("../../reference/ops/rmsnorm.ts", recording("rmsnorm"));
vi.mock("../../reference/ops/rope-table.ts", recording("rope-table"));
vi.mock("../../reference/ops/rope.ts", recording("rope"));
vi.mock("../../reference/ops/swiglu.ts", recording("swiglu"));

const config: LlamaConfig = {
  dim: 12,
  nLayers: 2,
  nHeads: 2,
  nKvHeads: 1,
  ffnDim: 10,
  vocabSize: 11,
  normEps: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  maxSeqLen: 16,
};
const weights = lively(config, Float32Array);
const batch = batchOf(config, 2, 5);
const { activations: a, gradients: da } = differentiate(config, weights, batch);
const w = layerWeights(weights, 0);
const { x } = a.layers[0];
const dy = da.layers[0].ffnResidual;

const dataAt = (fields: object, name: string): Floats => fieldAt<Tensor>(fields, name).data;

/** The operands of an op in the order of its function, and its results, from tensors by the op's argument names. */
function expected(op: string, inputs: Readonly<Record<string, unknown>>, outputs: Readonly<Record<string, unknown>>) {
  const { table } = a;
  const all: Record<string, unknown> = { ...inputs, cos: table.cos.data, sin: table.sin.data };
  return { op, operands: Object.keys(operations.get(op)!.inputs).map((name) => all[name]), results: outputs };
}

/** What was called, without the scalars behind the tensors. */
function called() {
  return calls.map(({ op, operands, results }) => ({
    op,
    operands: operands.slice(0, Object.keys(operations.get(op)!.inputs).length),
    results,
  }));
}

function expectSame(got: ReturnType<typeof called>, want: ReturnType<typeof called>): void {
  expect(got.map(({ op }) => op)).toEqual(want.map(({ op }) => op));
  for (const [i, { op, operands, results }] of want.entries()) {
    for (const [n, operand] of operands.entries()) {
      expect(got[i].operands[n] === operand, `${op}, call ${i}, operand ${n}`).toBe(true);
    }
    expect(Object.keys(got[i].results)).toEqual(Object.keys(results));
    for (const name of Object.keys(results)) {
      expect(got[i].results[name] === results[name], `${op}, call ${i}, result ${name}`).toBe(true);
    }
  }
}

beforeEach(() => {
  calls.length = 0;
});

test("the forward calls the ops of the table, in its order, on its tensors", () => {
  const layer = block.forward(config, w, a.table, x);
  const tensors = (names: Readonly<Record<string, TensorName>>) =>
    Object.fromEntries(Object.entries(names).map(([argument, name]) => [argument, dataAt(layer, name)]));
  const want = blockOps.map(({ op, inputs, outputs, weight }) =>
    expected(`${op}.forward`, { ...tensors(inputs), ...(weight && { w: w[weight].data }) }, tensors(outputs)),
  );
  expectSame(called(), want);
});

describe("the backward", () => {
  const layer = a.layers[0];

  test("calls the ops of the table, in its order, on its tensors", () => {
    const d = block.backward(config, w, a.table, layer, dy);
    const of = (fields: object, names: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(names).map(([argument, name]) => [argument, dataAt(fields, name)]));
    const want = blockBackwardOps
      .filter(({ op }) => op !== "add.backward")
      .map(({ op, gradients, activations, weight, gives }) =>
        expected(
          op,
          { ...of(d, gradients), ...of(layer, activations), ...(weight && { w: w[weight].data }) },
          { ...of(d, gives), ...(weight && { dw: d.weights[weight].data }) },
        ),
      );
    expectSame(called(), want);
  });

  test("passes a gradient on where the table says so", () => {
    const d = block.backward(config, w, a.table, layer, dy);
    for (const { op, gradients, gives } of blockBackwardOps) {
      if (op === "add.backward") expect(dataAt(d, gives.da)).toBe(dataAt(d, gradients.dy));
    }
  });

  test("gives every gradient of the table, of the shape that it says, by one row after those that it reads", () => {
    const d = block.backward(config, w, a.table, layer, dy);
    const given = new Set<GradientName>(["ffnResidual"]);
    for (const { gradients, gives } of blockBackwardOps) {
      for (const name of Object.values(gradients)) expect(given.has(name), name).toBe(true);
      for (const name of Object.values(gives)) {
        expect(given.has(name), name).toBe(false);
        given.add(name);
      }
    }
    expect([...given].toSorted()).toEqual(Object.keys(blockGradients).toSorted());
    for (const [name, { like }] of Object.entries(blockGradients)) {
      expect(dataAt(d, name).length, name).toBe(dataAt(layer, like).length);
      expect(like in blockTensors).toBe(true);
    }
  });
});

test("both passes over the model call the ops of the model's table, around those of the blocks", () => {
  const found = differentiate(config, weights, batch);
  const { activations, gradients: d } = found;
  const named: Readonly<Record<Exclude<ModelOperand, "table">, unknown>> = {
    tokens: batch.tokens.data,
    targets: batch.targets.data,
    embedding: activations.embedding.data,
    last: activations.last.data,
    "norm.y": activations.norm.y.data,
    "norm.rstd": activations.norm.rstd.data,
    logits: activations.logits.data,
    loss: found.loss.data,
    "crossEntropy.lse": found.lse.data,
  };
  const atGradient: Partial<Record<ModelOperand, unknown>> = {
    loss: found.dloss.data,
    logits: d.logits.data,
    "norm.y": d.norm.data,
    last: d.layers.at(-1)!.ffnResidual.data,
    embedding: d.embedding.data,
  };
  const nameOf = { embedding: "tok_embeddings.weight", norm: "norm.weight", head: "output.weight" };
  const weight = (name: ModelWeight | undefined) => name && { w: weights.get(nameOf[name])!.data };
  const gradient = (name: ModelWeight | undefined) => name && { dw: d.weights.get(nameOf[name])!.data };
  const { cos, sin } = activations.table;
  const of = (names: Readonly<Record<string, ModelOperand>>, from: Readonly<Partial<Record<ModelOperand, unknown>>>) =>
    Object.fromEntries(
      Object.entries(names).map(([argument, name]) => [
        argument,
        name === "table" ? { cos: cos.data, sin: sin.data }[argument] : from[name],
      ]),
    );
  // `expected` gives RoPE's table of the first pass to ops that read it; here none does.
  const forwardRows = [...modelOps.before, ...modelOps.after].map(({ op, inputs, weight: name, outputs }) =>
    expected(`${op}.forward`, { ...of(inputs, named), ...weight(name) }, of(outputs, named)),
  );
  const backwardRows = [...modelBackwardOps.before, ...modelBackwardOps.after].map(
    ({ op, gradients: read, activations: saved, weight: name, gives }) =>
      expected(
        op,
        { ...of(read, atGradient), ...of(saved, named), ...weight(name) },
        { ...of(gives, atGradient), ...gradient(name) },
      ),
  );
  const perBlock = [blockOps.length, blockBackwardOps.filter(({ op }) => op !== "add.backward").length];
  const all = called();
  const [before, inBlocks] = [modelOps.before.length, config.nLayers * perBlock[0]];
  const start = forwardRows.length + inBlocks + modelBackwardOps.before.length;
  const outside = [
    ...all.slice(0, before),
    ...all.slice(before + inBlocks, start),
    ...all.slice(start + config.nLayers * perBlock[1]),
  ];
  expectSame(outside, [...forwardRows, ...backwardRows]);
});
