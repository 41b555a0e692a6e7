// The step in mixed precision on the device: clean under blame with every policy, the same bits under each, the ledger's
// memory; and what goes wrong in mixed precision is named.
import { describe, expect, test } from "vitest";
import { blameInstances, type Blame } from "../../judge/blame.ts";
import { isMixed, type Recording } from "../../trace/recording.ts";
import type { TraceInput } from "../../trace/input.ts";
import { instancesOf } from "../../trace/instances.ts";
import { replayTrace } from "../../trace/replay.ts";
import { type DeviceEngine, deviceEngine } from "../../kernels-gpu/engine.ts";
import { type DTypeName, dtypes, round, truncate } from "../../reference/dtype.ts";
import { ledgerOf } from "../../reference/model/ledger.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Policy, policyNames } from "../../reference/model/policies.ts";
import { targets } from "../../reference/targets.ts";
import { type Floats, type Ints, type Tensor, view } from "../../reference/tensor.ts";
import type { OpenEngine, StepOptions } from "../../reference/training/engine.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { initialState } from "../../reference/training/step.ts";
import { batchOf, lively } from "../model/problem.ts";
import { device } from "./device.ts";
import { config as small, hyperparameters } from "./problem.ts";

const config = { ...small, nLayers: 2 };
const [B, T] = [4, 5];
const batches = [batchOf(config, B, T, 5), batchOf(config, B, T, 6)];
const weights = lively(config, Float32Array);

const open = (options: StepOptions, c = config): DeviceEngine =>
  deviceEngine({ ...device, close() {} }, c, initialState(lively(c, Float32Array)), { dtype: "bfloat16", ...options });

interface Stored {
  readonly tensor: Tensor<Floats | Ints>;
  readonly dtype: DTypeName;
}
type Trace = Map<string, Stored>;

async function traceOf(options: StepOptions, c = config): Promise<Trace> {
  const { microBatches = 1 } = options;
  const input: TraceInput = {
    config: c,
    configText: "",
    weights: lively(c, Float64Array),
    batches,
    microBatches,
    hyperparameters,
  };
  const opener: OpenEngine = async (_, __, given) => open({ ...options, ...given }, c);
  const written = await replayTrace(input, Float32Array, true, opener);
  return new Map(
    [...written].map(([name, one]): [string, Stored] =>
      "tensor" in one
        ? [name, { tensor: one.tensor, dtype: one.dtype === "BF16" ? "bfloat16" : "float32" }]
        : [name, { tensor: one, dtype: "float32" }],
    ),
  );
}

function judge(trace: Trace, { microBatches = 1 }: StepOptions = {}, c = config): Blame {
  const recording: Recording = {
    path: "device",
    metadata: {},
    dtype: undefined,
    read: (name) => trace.get(name),
    close: () => {},
  };
  const like = { data: new Float32Array(0), shape: [0] };
  const shape = { config: c, B, T, microBatches, like, hyperparameters, mixed: isMixed(recording) };
  return blameInstances(
    batches.flatMap((_, step) => instancesOf(shape, step)),
    operations,
    recording,
    targets.wgsl,
  );
}

const lists: Policy[] = [["q", "attention.y", "swiglu"]];
const policies = [...policyNames, ...lists];

describe.each([1, 2])("a step of %i micro-batches", (microBatches) => {
  test("is clean under blame with every policy, and has the same bits under each", async () => {
    let first: Trace | undefined;
    for (const recompute of policies) {
      const trace = await traceOf({ recompute, microBatches });
      const { faults, left, judged } = judge(trace, { microBatches });
      expect(faults).toEqual([]);
      expect(left).toEqual([]);
      expect(judged.filter(({ op }) => op === "cast.forward")).toHaveLength(weights.size);
      first ??= trace;
      expect(trace).toEqual(first);
    }
  });

  test("holds in 16 bits what the passes read and write, and in float32 what the optimizer keeps", async () => {
    const trace = await traceOf({ microBatches });
    const at = microBatches === 1 ? "" : "microBatches.0.";
    const stored = (dtype: DTypeName): string[] =>
      [...trace].filter(([, one]) => one.dtype === dtype).map(([name]) => name);
    const low = stored("bfloat16");
    for (const name of ["embedding", "logits", "layers.1.q", "layers.0.swiglu"]) {
      expect(low).toContain(`${at}activations.${name}`);
      expect(low).toContain(`${at}activationGradients.${name}`);
    }
    expect(low).toContain("castWeights.layers.0.attention.wq.weight");
    expect(low).toContain(`${at}gradients.layers.0.attention.wq.weight`);
    for (const name of low) {
      const { data } = trace.get(name)!.tensor;
      expect(
        data.every((x) => x === round(x, dtypes.bfloat16)),
        name,
      ).toBe(true);
    }
    const wide = stored("float32");
    const statistics = ["layers.0.attention_norm.rstd", "layers.0.lse", "lse", "loss", "rope.cos"];
    for (const name of statistics)
      expect(wide).toContain(name === "loss" ? "activations.loss" : `${at}activations.${name}`);
    for (const name of ["weights", "firstMoment", "secondMoment"])
      expect(wide).toContain(`steps.0.${name}.norm.weight`);
    if (microBatches > 1) expect(wide).toContain("gradients.layers.0.attention.wq.weight");
  });
});

test("a tied head, whose gradient is a sum in 16 bits, is clean too", async () => {
  const tied = { ...config, tiedEmbeddings: true };
  const { faults, left } = judge(await traceOf({ recompute: "selective" }, tied), {}, tied);
  expect([...faults, ...left]).toEqual([]);
});

test.each(policies.map((recompute) => ({ recompute })))(
  "the measured peak is the ledger's, in one submission a step, recomputing: $recompute",
  async ({ recompute }) => {
    const engine = open({ recompute });
    for (let t = 1; t <= 2; t++) await engine.step(batches[0], hyperparameters, t);
    const { activations, submissions } = engine.measured();
    engine.close();
    expect(activations).toBe(ledgerOf(config, { B, T }, recompute, "bfloat16").peak.bytes);
    expect(submissions).toBe(2);
  },
);

describe("what goes wrong in mixed precision", async () => {
  const sound = await traceOf({});
  const wq = "layers.0.attention.wq.weight";
  const first = (trace: Trace, options: StepOptions = {}): string => {
    const [fault] = judge(trace, options).faults;
    return fault === undefined ? "nothing" : `${fault.op} at ${fault.segment}`;
  };
  const instead = (name: string, change: (x: number, i: number) => number, trace = sound): Trace => {
    const { tensor, dtype } = trace.get(name)!;
    const data = Float32Array.from(tensor.data, change);
    return new Map(trace).set(name, { tensor: { data, shape: tensor.shape }, dtype });
  };

  test("nothing, where nothing is wrong", () => expect(first(sound)).toBe("nothing"));

  test("a cast that cuts off instead of rounding", () => {
    const master = weights.get(wq)!.data;
    const cut = instead(`castWeights.${wq}`, (_, i) => truncate(master[i], dtypes.bfloat16));
    expect(first(cut)).toBe(`cast.forward at cast of ${wq}`);
  });

  test("a cast of the weights that the step has updated", () => {
    const updated = sound.get(`steps.0.weights.${wq}`)!.tensor.data;
    const late = instead(`castWeights.${wq}`, (_, i) => round(updated[i], dtypes.bfloat16));
    expect(first(late)).toBe(`cast.forward at cast of ${wq}`);
  });

  test("a product that read the master weights", () => {
    const x = sound.get("activations.layers.0.attention_norm")!.tensor as Tensor;
    const { y } = operations
      .get("linear.forward")!
      .evaluate({ x: view(x, [B * T, config.dim]), w: weights.get(wq)! }, {}, Float64Array);
    const master = instead("activations.layers.0.q_projection", (_, i) => round(y.data[i], dtypes.bfloat16));
    expect(first(master)).toBe("linear.forward at layer 0, wq");
  });

  test("moments that were stored in 16 bits", () => {
    const name = `steps.0.secondMoment.${wq}`;
    expect(first(instead(name, (x) => round(x, dtypes.bfloat16)))).toBe(`adamw.forward at adamw of ${wq}`);
  });

  test("a master weight that was stored in 16 bits", () => {
    const name = `steps.0.weights.${wq}`;
    expect(first(instead(name, (x) => round(x, dtypes.bfloat16)))).toBe(`adamw.forward at adamw of ${wq}`);
  });

  test("gradients of micro-batches that were added up in 16 bits", async () => {
    const parts = await traceOf({ microBatches: 2 });
    const low = instead(`gradients.${wq}`, (x) => round(x, dtypes.bfloat16), parts);
    expect(first(low, { microBatches: 2 })).toBe(`add.forward at micro-batch 1, sum of the gradients of ${wq}`);
  });

  test("a recording without the copies is clean too, and finds what no rounding of them explains", () => {
    const without = new Map([...sound].filter(([name]) => !name.startsWith("castWeights.")));
    expect(first(without)).toBe("nothing");
    const doubled = instead("activations.layers.0.q_projection", (x) => 2 * x, without);
    expect(first(doubled)).toBe(`linear.forward at cast of ${wq} + layer 0, wq`);
  });
});

test("the reference refuses a storage that it does not have", () => {
  expect(() => referenceEngine(config, initialState(weights), { dtype: "bfloat16" })).toThrow(
    new RangeError("the reference stores no bfloat16, expected float32, or a device"),
  );
});
