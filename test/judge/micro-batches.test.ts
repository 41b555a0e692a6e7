// A recorded step of several micro-batches: it is judged whole and clean if it is sound, and faults that gradient accumulation
// has really had are named with their micro-batch.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../formats/safetensors.ts";
import { type Blame, blameInstances, placeOf } from "../../judge/blame.ts";
import { openRecording } from "../../trace/recording.ts";
import { stepOps } from "../../judge/step-ops.ts";
import { distance } from "../../trace/difference.ts";
import { readTraceInput, type TraceInput } from "../../trace/input.ts";
import { inputsOf, instancesOf } from "../../trace/instances.ts";
import { inOrderOfComputation } from "../../trace/names.ts";
import { replayTrace } from "../../trace/replay.ts";
import { deviceEngine } from "../../kernels-gpu/engine.ts";
import { operations } from "../../reference/ops/index.ts";
import { policyNames } from "../../reference/model/policies.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { differentiateInParts } from "../../reference/training/in-parts.ts";
import { splitBatch } from "../../reference/training/micro-batches.ts";
import { cli } from "../command.ts";
import { device } from "../kernels/device.ts";
import { batchOf, lively } from "../model/problem.ts";
import { FLOAT32_REPLAY, FLOAT64_REPLAY, RECORDED_INSTANCE } from "../thresholds.ts";
import { small, type Corrupt, hyperparameters, onePercent, recordingOf, recordStep } from "./recorded-step.ts";

const config = { ...small, ffnDim: 10 };
const [B, T, microBatches] = [3, 4, 3];
const like = { data: new Float32Array(0), shape: [0] };
const shape = { config, hyperparameters, B, T, microBatches, like };
const instances = instancesOf(shape);

const judge = (corrupt?: Corrupt, without: readonly RegExp[] = []): Blame =>
  blameInstances(
    instances,
    operations,
    recordingOf(recordStep(shape, instances, "float32", corrupt), "float32", without),
    targets.ieee,
  );
const first = (found: Blame): string => `${found.faults[0]?.op} at ${found.faults[0]?.segment}`;

// Hooks on PyTorch's modules do not see these, and .grad holds only the sums.
const hooks = [/rstd$/, /rope\.(cos|sin)$/, /\.lse$/, /activationGradientTerms\./, /gradientTerms\./, /clipped/];
const withoutShares = [...hooks, /^microBatches\.\d\.activationGradients\.loss$/];
const sumsAlone = [...withoutShares, /^microBatches\.\d\.gradients\./];
const totalsAlone = [...withoutShares, /^microBatches\.\d\.accumulated\./];

describe("a sound recording", () => {
  test.each([
    ["full", []],
    ["without what hooks do not see", withoutShares],
    ["with the sums of the gradients, not their terms", sumsAlone],
    ["with the terms, not their partial sums", totalsAlone],
  ])("%s: nothing is blamed, nothing left out", (_, without) => {
    const { faults, left, judged } = judge(undefined, without);
    expect(faults).toEqual([]);
    expect(left).toEqual([]);
    expect(judged.length).toBeGreaterThan(100);
    expect(judged.reduce((sum, { unjudged }) => sum + unjudged, 0)).toBe(0);
  });

  test("each op of it is judged, in each of its micro-batches", () => {
    const { judged } = judge();
    for (let i = 0; i < microBatches; i++) {
      const ofPart = judged.filter(({ segment }) => segment.startsWith(`micro-batch ${i}, `));
      const wanted = [...operations.keys(), "share.forward", "add.backward"];
      const others = /^(softmax|cast|adamw|clip|gradient-norm)\./; // of no step, or of a whole one
      expect(new Set(ofPart.map(({ op }) => op))).toEqual(new Set(wanted.filter((op) => !others.test(op))));
    }
    expect(judged.map(({ op }) => op)).toContain("mean-loss.forward");
  });
});

describe("a fault", () => {
  /** Of some instances, another output. */
  const instead =
    (op: string, where: RegExp, wrong: (t: Tensor, stored: Parameters<Corrupt>[4], index: number) => Tensor): Corrupt =>
    (instance, n, _, t, stored) =>
      instance.op === op && where.test(instance.where) ? wrong(t, stored, n) : t;
  const constant = (value: number) => (t: Tensor) => ({ data: t.data.map(() => value) as Floats, shape: t.shape });
  /** One term of a sum, in place of the sum. */
  const only =
    (argument: "a" | "b") =>
    (_: Tensor, stored: Parameters<Corrupt>[4], n: number): Tensor =>
      inputsOf(instances[n], (name) => stored.get(name)!)[argument] as Tensor;

  const meansAveraged = instead("share.forward", /./, constant(1 / microBatches));
  test("means averaged over the micro-batches instead of over all targets", () => {
    expect(first(judge(meansAveraged))).toBe("share.forward at micro-batch 0, share of the targets");
    const hidden = judge(meansAveraged, withoutShares);
    expect(first(hidden)).toBe("cross-entropy.backward at micro-batch 0, share of the targets + micro-batch 0, loss");
    expect(hidden.faults.map(({ tensor }) => tensor)).toContain("microBatches.1.activationGradients.logits");
  });

  test("only the loss is the mean of the means", () => {
    const losses = Array.from({ length: microBatches }, (_, i) => `microBatches.${i}.activations.loss`);
    const mean = instead("mean-loss.forward", /./, (t, stored) =>
      constant(losses.reduce((sum, name) => sum + stored.get(name)!.data[0], 0) / microBatches)(t),
    );
    expect(judge(mean).faults.map(({ op, tensor }) => `${op} ${tensor}`)).toEqual([
      "mean-loss.forward activations.loss",
    ]);
  });

  test.each([0, 1, 2])("the gradient of micro-batch %i dropped from the sum", (lost) => {
    const at = Math.max(lost, 1);
    const dropped = instead("add.forward", new RegExp(`^micro-batch ${at}, sum of`), only(lost === 0 ? "b" : "a"));
    const sum = `micro-batch ${at}, sum of the gradients of tok_embeddings.weight`;
    expect(first(judge(dropped))).toBe(`add.forward at ${sum}`);
    expect(judge(dropped, sumsAlone).faults[0].segment).toContain(sum);
    expect(judge(dropped, totalsAlone).faults[0].segment).toContain("sum of the gradients of tok_embeddings.weight");
  });

  test("of one weight only, the last, in the last micro-batch", () => {
    const dropped = instead("add.forward", /^micro-batch 2, sum of the gradients of norm\.weight$/, only("a"));
    const { faults } = judge(dropped);
    expect(faults.map(({ tensor }) => tensor)).toEqual(["gradients.norm.weight"]);
  });

  test("sums that are taken twice, as by gradients that were not set to zero", () => {
    const twice = instead("add.forward", /^micro-batch 1, sum of/, (t) => ({
      data: t.data.map((x) => 2 * x) as Floats,
      shape: t.shape,
    }));
    expect(first(judge(twice))).toMatch(/^add\.forward at micro-batch 1, sum of the gradients of tok_embeddings/);
  });

  test("one element 1 % off in any op of the second micro-batch, and in the sums: that op is named first", () => {
    for (const [planted, instance] of instances.entries()) {
      if (!/^micro-batch 1, |^loss of the batch/.test(instance.where)) continue;
      const [found] = judge(onePercent(instances, planted)).faults;
      expect([planted, found?.op, found?.segment]).toEqual([planted, instance.op, placeOf(instance)]);
    }
  });
});

const input = (parts: number, tiedEmbeddings = true): TraceInput => {
  const c = { ...config, tiedEmbeddings, nLayers: 2 };
  const batches = [batchOf(c, 4, T, 3), batchOf(c, 4, T)];
  const weights = lively(c, Float32Array);
  return { config: c, hyperparameters, configText: "", weights, batches, microBatches: parts };
};
const inMemory =
  (written: Map<string, TensorToWrite>) =>
  (name: string): Tensor<Floats | Ints> => {
    const found = written.get(name);
    if (found === undefined) throw new RangeError(`${name} is not in the trace`);
    return "tensor" in found ? found.tensor : found;
  };

describe("a replay", () => {
  test.each([
    [2, true],
    [4, false],
  ])(
    "in float64 in %i parts, tied %s: every instance gives its recorded outputs, and all is an instance's",
    async (parts, tied) => {
      const given = input(parts, tied);
      const full = await replayTrace(given, Float64Array, true);
      const read = inMemory(full);
      const used = new Set<string>();
      const double = { data: new Float64Array(0), shape: [0] };
      for (const instance of instancesOf({ ...given, B: 4, T, like: double })) {
        if (instance.ifRecorded) continue; // there is no gradient at the loss of the whole batch
        const operation = stepOps.get(instance.op) ?? operations.get(instance.op)!;
        const results = operation.evaluate(inputsOf(instance, read), instance.scalars, Float64Array);
        for (const [output, { name, shape: axes }] of Object.entries(instance.outputs)) {
          used.add(name);
          const { relative } = distance(results[output], { data: read(name).data, shape: axes });
          expect(relative <= RECORDED_INSTANCE, `${instance.op} at ${instance.where}: ${relative}`).toBe(true);
        }
      }
      const computed = [...full.keys()].filter((name) => /activation|accumulated|^gradients|gradientTerms/.test(name));
      expect(computed.filter((name) => !used.has(name))).toEqual([]);
      expect(computed.length).toBeGreaterThan(parts * 70);
    },
  );

  test.each(policyNames)(
    "in float32, recomputing %s: clean, with the bits of the step without a record",
    async (recompute) => {
      const given = input(4);
      const full = await replayTrace(given, Float32Array, true, async (c, state, options) =>
        referenceEngine(c, state, { ...options, recompute }),
      );
      const read = inMemory(full);
      const recording = recordingOf(new Map([...full.keys()].map((name) => [name, read(name)])), "float32");
      const { faults, left } = blameInstances(
        instancesOf({ ...given, B: 4, T, like }),
        operations,
        recording,
        targets.ieee,
      );
      expect([faults, left]).toEqual([[], []]);
      const weights = given.weights as Map<string, Tensor<Float32Array>>;
      const wanted = differentiateInParts(given.config, weights, splitBatch(given.batches[0], 4), recompute);
      for (const [name, dw] of wanted.gradients) expect(read(`gradients.${name}`), name).toEqual(dw);
      expect(read("losses").data[0]).toBe(wanted.loss);
    },
  );

  test("on the device: clean", async () => {
    const given = input(4);
    const full = await replayTrace(given, Float32Array, true, async (c, state, options) =>
      deviceEngine({ ...device, close() {} }, c, state, { ...options, recompute: "full" }),
    );
    const read = inMemory(full);
    const recording = recordingOf(new Map([...full.keys()].map((name) => [name, read(name)])), "float32");
    const { faults, left } = blameInstances(
      instancesOf({ ...given, B: 4, T, like }),
      operations,
      recording,
      targets.wgsl,
    );
    expect([faults, left]).toEqual([[], []]);
  });

  test("has the sum of the whole batch's gradients, and its names in the order of computation", async () => {
    const [one, four] = [
      await replayTrace(input(1), Float64Array, false),
      await replayTrace(input(4), Float64Array, true),
    ];
    const [whole, parts] = [inMemory(one), inMemory(four)];
    for (const name of [...one.keys()].filter((key) => /^(gradients|losses|final)/.test(key))) {
      expect(distance(parts(name), whole(name)).relative, name).toBeLessThanOrEqual(FLOAT64_REPLAY);
    }
    const order = inOrderOfComputation(four.keys());
    const at = (name: string): number => order.indexOf(name);
    const wanted = [
      "weights.norm.weight",
      "microBatches.0.activations.embedding",
      "microBatches.0.activationGradients.embedding",
      "microBatches.0.gradients.norm.weight",
      "microBatches.1.activations.embedding",
      "microBatches.1.accumulated.norm.weight",
      "gradients.norm.weight",
    ];
    expect(wanted.map(at).toSorted((a, b) => a - b)).toEqual(wanted.map(at));
    expect(at(wanted[0])).toBeGreaterThan(-1);
  });
});

describe("PyTorch's gradient accumulation, as record.py recorded it", () => {
  const recorded = (name: string): string => join(import.meta.dirname, "accumulation", `${name}.safetensors`);
  /** The recording, some of its tensors under the names of others. */
  function judged(name: string, instead: (tensor: string) => string = (tensor) => tensor): Blame {
    const given = readTraceInput(recorded(name));
    const [sequences, length] = given.batches[0].tokens.shape;
    const recording = openRecording(recorded(name));
    const read = (tensor: string) => recording.read(instead(tensor));
    const list = instancesOf({ ...given, B: sequences, T: length, like });
    const found = blameInstances(list, operations, { ...recording, read }, targets.ieee);
    recording.close();
    return found;
  }

  test("is sound, and a replay has its numbers", async () => {
    const { faults, left, judged: tensors } = judged("sound");
    expect([faults, left]).toEqual([[], []]);
    expect(tensors.length).toBeGreaterThan(120);
    const read = inMemory(await replayTrace(readTraceInput(recorded("sound")), Float64Array, true));
    const file = openSafetensors(recorded("sound"));
    for (const name of file.names) {
      expect(distance(file.read(name), read(name)).relative, name).toBeLessThanOrEqual(FLOAT32_REPLAY);
    }
    file.close();
  });

  test("with the micro-batches' means averaged: each of their gradients is named", () => {
    const wanted = [0, 1, 2].map((i) => `cross-entropy.backward microBatches.${i}.activationGradients.logits`);
    expect(judged("means").faults.map(({ op, tensor }) => `${op} ${tensor}`)).toEqual(wanted);
  });

  test("with the last micro-batch's gradients lost", () => {
    const lost = judged("sound", (name) => name.replace(/^(steps\.0\.)?gradients\./, "microBatches.1.accumulated."));
    expect(lost.faults[0].segment).toContain("micro-batch 2, sum of the gradients of tok_embeddings.weight");
    expect(lost.faults.map(({ op }) => op)).toContain("gradient-norm.forward");
  });
});

describe("on the command line", () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "touchstone-micro-"));
    const { weights, batches, config: c } = input(1);
    const tensors = new Map<string, TensorToWrite>([...weights].map(([name, w]) => [`weights.${name}`, w]));
    for (const name of ["tokens", "targets"] as const) {
      const data = Int32Array.from(batches.flatMap((batch) => [...batch[name].data]));
      tensors.set(name, { data, shape: [batches.length, 4, T] });
    }
    const text = JSON.stringify({ ...c, ...hyperparameters });
    writeSafetensors(join(scratch, "input.safetensors"), tensors, { config: text });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const root = join(import.meta.dirname, "../..");
  const path = (name: string): string => join(scratch, `${name}.safetensors`);
  const touchstone = (...args: string[]) =>
    spawnSync(process.execPath, [cli, ...args], { cwd: root, encoding: "utf8" });

  test(
    "a trace in parts is written, judged clean, replayed in as many parts; a fault in it is named",
    { timeout: 60_000 },
    () => {
      const args = ["trace", "--dtype", "float32", "--micro-batches", "2"];
      const traced = touchstone(...args, "--replay", path("input"), "--out", path("parts"));
      expect([traced.status, traced.stderr]).toEqual([0, ""]);
      expect(touchstone("blame", path("parts")).status).toBe(0);
      const again = touchstone("trace", "--dtype", "float32", "--replay", path("parts"), "--out", path("again"));
      expect(again.status).toBe(0);
      execFileSync("cmp", [path("parts"), path("again")]);

      const file = openSafetensors(path("parts"));
      const tensors = new Map<string, TensorToWrite>(file.names.map((name) => [name, file.read(name)]));
      const { metadata } = file;
      file.close();
      for (const name of [...tensors.keys()].filter((key) => key.startsWith("gradients."))) {
        tensors.set(name, tensors.get(`microBatches.0.${name}`)!); // the second's are lost
      }
      writeSafetensors(path("lost"), tensors, metadata);
      const { status, stdout } = touchstone("blame", path("lost"));
      expect(status).toBe(1);
      expect(stdout).toContain("blame: add.forward at micro-batch 1, sum of the gradients of tok_embeddings.weight: ");
    },
  );

  test("impossible requests give one line and status 2", { timeout: 60_000 }, () => {
    const refused = touchstone("trace", "--micro-batches", "3", "--replay", path("input"), "--out", path("none"));
    expect([refused.status, refused.stderr]).toEqual([
      2,
      "touchstone: --micro-batches 3: expected a divisor of the 4 sequences of a batch\n",
    ]);
    const file = openSafetensors(path("input"));
    const tensors = new Map<string, TensorToWrite>(file.names.map((name) => [name, file.read(name)]));
    for (const count of ["0", "3", "2.0", "-1", ""]) {
      writeSafetensors(path("bad"), tensors, { ...file.metadata, microBatches: count });
      expect(() => readTraceInput(path("bad"))).toThrow(`"microBatches" is "${count}", expected a divisor of the 4`);
    }
    tensors.set("microBatches.2.gradients.norm.weight", { data: new Float32Array(12), shape: [12] });
    for (const [count, message] of [
      [{}, 'of no micro-batch: metadata has no "microBatches"'],
      [{ microBatches: "2" }, "of no micro-batch: there are 2"],
    ] as const) {
      writeSafetensors(path("bad"), tensors, { ...file.metadata, ...count });
      expect(() => readTraceInput(path("bad"))).toThrow(message);
    }
    file.close();
  });

  test("micro-batches in float64 are refused by blame", async () => {
    const tensors = await replayTrace(input(2), Float64Array, false);
    for (const name of tensors.keys()) if (/^(activation|gradients)/.test(name)) tensors.delete(name);
    writeSafetensors(path("double"), tensors, { config: "{}" });
    expect(() => openRecording(path("double"))).toThrow(/"microBatches\.0\.\S+" is float64/);
  });
});
