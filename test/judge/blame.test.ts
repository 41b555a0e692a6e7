// One fault planted in each op of a whole recorded step, with everything after it computed from the faulty numbers: blame
// names that op, every time, and nothing where there is no fault.
import { describe, expect, test } from "vitest";
import { type Blame, blameInstances, placeOf } from "../../judge/blame.ts";
import { openRecording, type Recording } from "../../trace/recording.ts";
import { readTraceInput } from "../../trace/input.ts";
import { instancesOf } from "../../trace/instances.ts";
import { type DTypeName, dtypes } from "../../reference/dtype.ts";
import { declareSums, parseOrder, withSums } from "../../judge/sums.ts";
import { operations } from "../../reference/ops/index.ts";
import { normal } from "../../reference/random.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats } from "../../reference/tensor.ts";
import { sharedData } from "../needs.ts";
import {
  small as config,
  type Corrupt,
  hyperparameters,
  onePercent,
  recordingOf,
  recordStep,
  type Tensors,
} from "./recorded-step.ts";

const [B, T] = [2, 5];
const like = { data: new Float32Array(0), shape: [0] };
const shape = { config, hyperparameters, B, T, like };
const instances = instancesOf(shape);
const record = (dtype: DTypeName, corrupt?: Corrupt): Tensors => recordStep(shape, instances, dtype, corrupt);

const judgeAll = (tensors: Tensors, dtype: DTypeName = "float32", without: readonly RegExp[] = []): Blame =>
  blameInstances(instances, operations, recordingOf(tensors, dtype, without), targets.ieee);

describe("a full recording", () => {
  test.for(["float32", "bfloat16"] as const)("sound in %s: nothing is blamed, nothing left out", (dtype) => {
    const { faults, left, judged } = judgeAll(record(dtype), dtype);
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    // Casts are of mixed precision, and attention has a softmax of its own.
    const ofStep = [...operations.keys()].filter((op) => !/^(cast|softmax)\./.test(op));
    expect(new Set(judged.map(({ op }) => op))).toEqual(new Set([...ofStep, "add.backward", "unscale.forward"]));
  });

  test("one element 1 % off in any op: that op is named first", () => {
    for (const [planted, instance] of instances.entries()) {
      const [first] = judgeAll(record("float32", onePercent(instances, planted))).faults;
      expect([planted, first?.op, first?.segment]).toEqual([planted, instance.op, placeOf(instance)]);
    }
  });

  test("a fault that the step hardly feels, in the second moment, is found", () => {
    const planted = instances.findLastIndex(({ op }) => op === "adamw.forward");
    const corrupt: Corrupt = (_, n, output, t) =>
      n === planted && output === "v" ? { data: t.data.map((x) => 1.001 * x) as Floats, shape: t.shape } : t;
    expect(judgeAll(record("float32", corrupt)).faults.map(({ tensor }) => tensor)).toEqual([
      instances[planted].outputs.v.name,
    ]);
  });
});

describe("a declared order", () => {
  const { u } = dtypes.float32;
  /** Half of what 12 terms in any order may err by, which is more than a tree of them does. */
  const planted = instances.findIndex(({ op }) => op === "linear.forward");
  const corrupt: Corrupt = (_, n, output, t, stored) => {
    if (n !== planted || output !== "y") return t;
    const [x, w] = ["x", "w"].map((name) => stored.get((instances[n].inputs[name] as { name: string }).name)!.data);
    const size = Array.from({ length: config.dim }, (_term, c) => Math.abs(x[c] * w[c])).reduce((a, b) => a + b);
    return {
      data: t.data.map((y, i) => (i === 0 ? y + ((config.dim - 1) / 2 + 1) * u * size : y)) as Floats,
      shape: t.shape,
    };
  };
  const target = declareSums(targets.ieee, { y: parseOrder("pairwise") }, withSums([...operations.values()]));
  const blamed = (tensors: Tensors, under = target): (string | undefined)[] =>
    blameInstances(instances, operations, recordingOf(tensors, "float32"), under).faults.map(({ segment }) => segment);

  test("a sum that errs by more than its order does is blamed, and within the bound of any order it is not", () => {
    const tensors = record("float32", corrupt);
    expect(blamed(tensors)).toEqual([placeOf(instances[planted])]);
    expect(blamed(tensors, targets.ieee)).toEqual([]);
  });

  test("a step whose sums are rounded once is not", () => {
    expect(blamed(record("float32"))).toEqual([]);
  });
});

describe("an autograd's own order", () => {
  test("the terms of a norm's gradient are added to the residual stream's one by one", () => {
    const C = 128;
    const axes = { ...config, dim: C };
    const pair = instancesOf({ ...shape, config: axes }).filter(
      ({ op, where }) =>
        (op === "rmsnorm.backward" && where.endsWith("ffn_norm")) || where.endsWith("of attention_residual"),
    );
    const [norm, addition] = pair;
    const nameOf = (argument: string): string => (norm.inputs[argument] as { name: string }).name;
    const normals = (n: number, seed: number, size: number): Float32Array =>
      Float32Array.from({ length: n }, (_, i) => size * normal(seed, 1, i));
    const R = B * T;
    // A gradient that is small next to the residual stream's, as it is deep in a network.
    const given = {
      dy: normals(R * C, 1, 0.01),
      x: normals(R * C, 2, 1),
      w: normals(C, 3, 1),
      rstd: new Float32Array(R),
    };
    for (let r = 0; r < R; r++) {
      const squares = given.x.subarray(r * C, (r + 1) * C).reduce((sum, x) => sum + x * x, 0);
      given.rstd[r] = 1 / Math.sqrt(squares / C + Number(norm.scalars.eps));
    }
    const inputs = {
      dy: { data: given.dy, shape: [R, C] },
      x: { data: given.x, shape: [R, C] },
      w: { data: given.w, shape: [C] },
      rstd: { data: given.rstd, shape: [R] },
    };
    const { dx, dw } = operations.get("rmsnorm.backward")!.evaluate(inputs, norm.scalars, Float64Array);
    const residual = normals(R * C, 4, 1);
    const total = Float32Array.from(residual, (x, i) => {
      const direct = Math.fround(Math.fround(given.dy[i] * given.w[i % C]) * given.rstd[Math.floor(i / C)]);
      return Math.fround(x + direct) + Math.fround(dx.data[i] - direct);
    });
    const tensors: Tensors = new Map(Object.entries(inputs).map(([argument, t]) => [nameOf(argument), t]));
    tensors.set((addition.inputs.a as { name: string }).name, { data: residual, shape: [R * C] });
    tensors.set(addition.outputs.y.name, { data: total, shape: [R * C] });
    tensors.set(norm.outputs.dw.name, { data: Float32Array.from(dw.data), shape: [C] });
    const { faults, judged } = blameInstances(pair, operations, recordingOf(tensors, "float32"), targets.ieee);
    expect(faults).toEqual([]);
    expect(judged.map(({ tensor }) => tensor)).toContain(addition.outputs.y.name);
  });

  test("a faulty moment is named before the weight that follows from it", () => {
    const planted = instances.findLastIndex(({ op }) => op === "adamw.forward");
    const tensors = record("float32", (_, n, output, t) =>
      n === planted && output !== "v" ? { data: t.data.map((x) => 1.01 * x) as Floats, shape: t.shape } : t,
    );
    const named = judgeAll(tensors).faults.map(({ tensor }) => tensor);
    expect(named).toEqual([instances[planted].outputs.m.name, instances[planted].outputs.w.name]);
  });
});

describe("a loss that is scaled", () => {
  const scale = 1024; // a power of two: gradients of the passes are the same bits, elsewhere
  const scaled = new Map(
    [...record("float32")].map(([name, t]) => {
      const isOfPass = /^(activationGradients|activationGradientTerms|gradientTerms|gradients)\./.test(name);
      return [name, isOfPass ? { data: t.data.map((x) => scale * x) as Floats, shape: t.shape } : t];
    }),
  );
  const weight = "layers.0.attention.wq.weight";
  const unscaledBy = (factor: number): Tensors => {
    const { data, shape: axes } = scaled.get(`gradients.${weight}`)!;
    const unscaled = { data: data.map((x) => x / factor) as Floats, shape: axes };
    return new Map(scaled).set(`steps.0.gradients.${weight}`, unscaled);
  };
  test("is sound where the step's gradients are divided by the scale", () => {
    const { faults, left } = judgeAll(unscaledBy(scale));
    expect([...faults, ...left]).toEqual([]);
  });
  test.each([1, scale / 2, scale ** 2])("divided by %i instead, the unscaling is blamed", (factor) => {
    const [first] = judgeAll(unscaledBy(factor)).faults;
    expect([first?.op, first?.segment]).toEqual(["unscale.forward", `unscaling of ${weight}`]);
  });
});

describe("a recording that leaves tensors out", () => {
  // What PyTorch's hooks do not see: statistics, tables, the terms of sums, clipped gradients.
  const without = [
    /rstd$/,
    /rope\.(cos|sin)$/,
    /^activations\.lse$/,
    /^activationGradientTerms\./,
    /^gradientTerms\./,
    /clipped/,
  ];

  test("sound: segments of several ops are judged, none is blamed", () => {
    const { faults, left, judged } = judgeAll(record("float32"), "float32", without);
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    const segments = judged.map(({ segment }) => segment);
    expect(segments).toContain("clip of norm.weight + adamw of norm.weight");
    expect(
      segments.filter((segment) => ["wq", "wk", "wv"].every((w) => segment.includes(`layer 0, ${w}`))),
    ).not.toEqual([]);
  });

  test("a fault in a hidden tensor is narrowed to its segment", () => {
    const hidden = instances.findIndex(({ op, where }) => op === "linear.backward" && where.endsWith("wk"));
    const corrupt: Corrupt = (_, n, output, t) =>
      n === hidden && output === "dx" ? { data: t.data.map((x) => 1.01 * x) as Floats, shape: t.shape } : t;
    const [first] = judgeAll(record("float32", corrupt), "float32", without).faults;
    expect(first?.segment).toContain(instances[hidden].where);
    expect(first?.tensor).toBe("activationGradients.layers.0.attention_norm");
  });
});

const { path: trace, absent, note } = sharedData("traces/gqa.f32.safetensors");
describe.skipIf(absent)(`PyTorch's float32 trace${note}`, () => {
  const input = absent ? undefined : readTraceInput(trace);
  const steps = () => {
    const [batch, time] = input!.batches[0].tokens.shape;
    return instancesOf({ config: input!.config, hyperparameters: input!.hyperparameters!, B: batch, T: time, like });
  };

  test("is sound", () => {
    const recording = openRecording(trace);
    const { faults, judged, left } = blameInstances(steps(), operations, recording, targets.ieee);
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    expect(judged.length).toBeGreaterThan(140);
    recording.close();
  });

  test("a fault in any of its activations is found in the segment that ends there", () => {
    const recording = openRecording(trace);
    const names = steps().flatMap(({ outputs }) => Object.values(outputs).map(({ name }) => name));
    for (const name of names.filter((one) => one.startsWith("activations.") && recording.read(one) !== undefined)) {
      const faulty: Recording = {
        ...recording,
        read: (asked) => {
          const found = recording.read(asked);
          if (asked !== name || found === undefined) return found;
          const data = found.tensor.data.map((x, i) =>
            i === Math.min(3, found.tensor.data.length - 1) ? x + 0.01 : x,
          ) as Floats;
          return { ...found, tensor: { data, shape: found.tensor.shape } };
        },
      };
      expect(blameInstances(steps(), operations, faulty, targets.ieee).faults[0]?.tensor).toBe(name);
    }
    recording.close();
  });

  test("a loss that is off among those of the steps is found", () => {
    const recording = openRecording(trace);
    const { tensor, dtype } = recording.read("activations.loss")!;
    const off = { tensor: { data: tensor.data.map((x) => 1.001 * x) as Floats, shape: [] }, dtype };
    const faulty = { ...recording, read: (name: string) => (name === "activations.loss" ? off : recording.read(name)) };
    const { faults } = blameInstances(steps(), operations, faulty, targets.ieee);
    expect(faults.map(({ op, tensor: name }) => [op, name])).toEqual([["cross-entropy.forward", "activations.loss"]]);
    recording.close();
  });

  test("a recording in float64 is refused with the reason", () => {
    expect(() => openRecording(trace.replace("f32", "f64"))).toThrow(/float64.*truth/);
  });
});
