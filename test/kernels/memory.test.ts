// What a step holds on the device: under each policy the same bits, what the ledger says at the peak, and one submission.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attentionMemory } from "../../bench/memory.ts";
import { type DeviceEngine, deviceEngine } from "../../kernels-gpu/engine.ts";
import { mostAtOnce, place, type Span, type Vacancy } from "../../kernels-gpu/device/placement.ts";
import { ledgerOf } from "../../reference/model/ledger.ts";
import { type Policy, policyNames } from "../../reference/model/policies.ts";
import type { Tensor } from "../../reference/tensor.ts";
import type { StepOptions } from "../../reference/training/engine.ts";
import { meanLoss, targetShares, splitBatch } from "../../reference/training/micro-batches.ts";
import { referenceEngine } from "../../reference/training/reference-engine.ts";
import { differentiateInParts } from "../../reference/training/in-parts.ts";
import { type Batch, differentiate, initialState } from "../../reference/training/step.ts";
import { countParameters } from "../../reference/weights.ts";
import { batchOf, lively } from "../model/problem.ts";
import { FLOAT32_REPLAY, FLOAT64_REPLAY } from "../thresholds.ts";
import { device } from "./device.ts";
import { config, hyperparameters } from "./problem.ts";

const [B, T] = [4, 8];
const batch = batchOf(config, B, T, 5);

function open(options: StepOptions, c = config): DeviceEngine {
  return deviceEngine({ ...device, close() {} }, c, initialState(lively(c, Float32Array)), options);
}

async function gradientsOf(options: StepOptions): Promise<Map<string, Tensor>> {
  const engine = open(options);
  const gradients = new Map<string, Tensor>();
  await engine.differentiate(batch, (name, t) => name.startsWith("gradients.") && gradients.set(name, t));
  engine.close();
  return gradients;
}

const lists: Policy[] = [
  ["attentionResidual"],
  ["q", "attention.y", "swiglu"],
  ["attention.lse", "ffnNorm.rstd", "up"],
];

describe.each([...policyNames, ...lists].map((policy) => ({ policy })))("recomputing: $policy", ({ policy }) => {
  test("gradients have the bits of the passes that save everything", async () => {
    const got = await gradientsOf({ recompute: policy });
    expect(got.size).toBeGreaterThan(3 * 9);
    expect(got).toEqual(await gradientsOf({}));
  });

  test("the measured peak is the ledger's, in one submission a step, and stays what it is", async () => {
    const engine = open({ recompute: policy });
    const steps = [];
    for (let t = 1; t <= 3; t++) {
      await engine.step(batch, hyperparameters, t);
      steps.push(engine.measured());
    }
    const { peak } = ledgerOf(config, { B, T }, policy);
    expect(steps.map(({ activations }) => activations)).toEqual(steps.map(() => peak.bytes));
    expect(steps.map(({ submissions }) => submissions)).toEqual([1, 2, 3]);
    expect(steps[2].buffers).toBe(steps[1].buffers);
    engine.close();
  });
});

test("a tied head, and the step's parts apart, have the ledger's peak, too", async () => {
  const tied = { ...config, tiedEmbeddings: true, nLayers: 1 };
  const engine = open({ recompute: "full" }, tied);
  await engine.differentiate(batch);
  expect(engine.measured().activations).toBe(ledgerOf(tied, { B, T }, "full").peak.bytes);
  engine.close();
});

describe("a memory limit", () => {
  const long = { ...config, nLayers: 8 };
  const limit = 4 * 4 * countParameters(long) + 100_000;
  const tried = async (recompute: Policy): Promise<number> => {
    const engine = open({ recompute, memoryLimit: limit }, long);
    try {
      await engine.step(batch, hyperparameters, 1);
      return engine.measured().buffers;
    } finally {
      engine.close();
    }
  };
  test("that none does not fit into, full does", async () => {
    await expect(tried("none")).rejects.toThrow(/^\d+ bytes of buffers are needed, the limit is \d+$/);
    expect(await tried("full")).toBeLessThanOrEqual(limit);
    const [none, full] = (["none", "full"] as const).map((policy) => ledgerOf(long, { B, T }, policy).peak.bytes);
    expect(none).toBeGreaterThan(100_000);
    expect(full).toBeLessThan(100_000);
  });
});

describe("micro-batches", () => {
  /** ‖a − b‖ / ‖b‖ over all gradients. */
  const distance = (got: ReadonlyMap<string, Tensor>, want: ReadonlyMap<string, Tensor>): number => {
    let [difference, norm] = [0, 0];
    for (const [name, { data }] of want) {
      for (const [i, x] of data.entries()) {
        difference += (got.get(name)!.data[i] - x) ** 2;
        norm += x ** 2;
      }
    }
    return Math.sqrt(difference / norm);
  };
  const weights = lively(config, Float64Array);
  const whole = differentiate(config, weights, batch);
  const parts = splitBatch(batch, 4);

  test("give the loss and gradients of the batch in one part, whatever does not count in them", () => {
    expect(new Set(targetShares(parts, -100)).size).toBeGreaterThan(1); // their means count differently many
    const got = differentiateInParts(config, weights, parts, "selective");
    expect(Math.abs(got.loss - whole.loss.data[0])).toBeLessThanOrEqual(FLOAT64_REPLAY);
    expect(distance(got.gradients, whole.gradients.weights)).toBeLessThanOrEqual(FLOAT64_REPLAY);
  });

  test("the mean of their means is another loss, with other gradients", () => {
    const means = parts.map((part) => differentiate(config, weights, part));
    const loss = meanLoss(
      means.map(() => 1 / 4),
      means.map(({ loss: { data } }) => data[0]),
    );
    expect(Math.abs(loss - whole.loss.data[0])).toBeGreaterThan(FLOAT32_REPLAY);
    const sums = new Map<string, Tensor>();
    for (const [name, { data, shape }] of weights) {
      const mean = data.map((_, i) => means.reduce((sum, m) => sum + m.gradients.weights.get(name)!.data[i] / 4, 0));
      sums.set(name, { data: mean, shape });
    }
    expect(distance(sums, whole.gradients.weights)).toBeGreaterThan(FLOAT32_REPLAY);
  });

  test("one without any target that counts adds nothing; if none does, all is 0", () => {
    const silent: Batch = { ...batch, targets: { ...batch.targets, data: batch.targets.data.slice() } };
    silent.targets.data.fill(-100, 0, T);
    const want = differentiate(config, weights, silent);
    const got = differentiateInParts(config, weights, splitBatch(silent, 4), "full");
    expect(distance(got.gradients, want.gradients.weights)).toBeLessThanOrEqual(FLOAT64_REPLAY);
    silent.targets.data.fill(-100);
    const nothing = differentiateInParts(config, weights, splitBatch(silent, 2), "full");
    expect([nothing.loss, nothing.norm.data[0]]).toEqual([0, 0]);
  });

  test("on the device they are the reference's", async () => {
    const options = { recompute: "full", microBatches: 4 } as const;
    const engine = open(options);
    const reference = referenceEngine(config, initialState(lively(config, Float32Array)), options);
    for (let t = 1; t <= 2; t++) {
      const [got, want] = [
        await engine.step(batch, hyperparameters, t),
        await reference.step(batch, hyperparameters, t),
      ];
      expect(Math.abs(got.loss - want.loss)).toBeLessThanOrEqual(FLOAT32_REPLAY);
      expect(engine.measured().activations).toBe(ledgerOf(config, { B: 1, T }, "full").peak.bytes); // of one part
      expect(Math.abs(got.gradientNorm / want.gradientNorm - 1)).toBeLessThanOrEqual(FLOAT32_REPLAY);
    }
    expect(distance((await engine.state()).weights, (await reference.state()).weights)).toBeLessThanOrEqual(
      FLOAT32_REPLAY,
    );
    engine.close();
  });

  test("are recorded under the same names, with the same bits as without a record", async () => {
    const options = { microBatches: 4 };
    const reference = referenceEngine(config, initialState(lively(config, Float32Array)), options);
    const names: string[][] = [];
    for (const engine of [open(options), reference]) {
      const recorded = new Map<string, Tensor>();
      const found = await engine.differentiate(batch, (name, t) => recorded.set(name, t));
      expect(await engine.differentiate(batch)).toEqual(found);
      expect([found.loss]).toEqual([...recorded.get("activations.loss")!.data]);
      expect([found.gradientNorm]).toEqual([...recorded.get("gradientNorm")!.data]);
      names.push([...recorded.keys()]);
      engine.close();
    }
    expect(names[0]).toEqual(names[1]);
    expect(names[0]).toContain("microBatches.3.activationGradients.layers.0.q");
    expect(names[0]).toContain("microBatches.2.accumulated.norm.weight");
  });

  test("a batch that does not divide is refused", () => {
    expect(() => splitBatch(batch, 3)).toThrow("a batch of 4 sequences cannot be split into 3 micro-batches");
    expect(() => splitBatch(batch, 0)).toThrow("cannot be split into 0");
  });
});

test("attention's kernels hold what grows with T alone, in both directions", async () => {
  const [one, two, four] = [
    await attentionMemory(device, 64),
    await attentionMemory(device, 128),
    await attentionMemory(device, 256),
  ];
  expect(two).toEqual(one.map((bytes) => 2 * bytes));
  expect(four).toEqual(one.map((bytes) => 4 * bytes));
});

describe("placement", () => {
  const span: fc.Arbitrary<Span> = fc
    .record({ bytes: fc.integer({ min: 1, max: 5 }), a: fc.nat(12), b: fc.nat(12), kept: fc.boolean() })
    .map(({ bytes, a, b, kept }) => ({
      bytes: 16 * bytes,
      from: Math.min(a, b),
      to: kept ? Infinity : Math.max(a, b),
    }));
  const piece: fc.Arbitrary<Vacancy> = fc
    .record({ bytes: fc.integer({ min: 1, max: 5 }), freeFrom: fc.nat(12) })
    .map(({ bytes, freeFrom }) => ({ bytes: 16 * bytes, freeFrom }));

  test("no two tensors that are needed together share a buffer, and each fits", () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 25 }), fc.array(piece, { maxLength: 6 }), (spans, pieces) => {
        const { taken, added } = place(spans, pieces);
        const buffers = [...pieces, ...added.map((bytes) => ({ bytes, freeFrom: 0 }))];
        for (const [i, a] of spans.entries()) {
          const buffer = buffers[taken[i]];
          expect(buffer.bytes).toBeGreaterThanOrEqual(a.bytes);
          expect(buffer.freeFrom).toBeLessThanOrEqual(a.from);
          for (const [j, b] of spans.entries()) {
            const together = i !== j && a.from <= b.to && b.from <= a.to;
            if (together) expect(taken[j]).not.toBe(taken[i]);
          }
        }
        const sum = added.reduce((total, bytes) => total + bytes, 0);
        if (pieces.length === 0) expect(sum).toBeGreaterThanOrEqual(mostAtOnce(spans));
      }),
      { numRuns: 100, seed: 1 },
    );
  });
});
