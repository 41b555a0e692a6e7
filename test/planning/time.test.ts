// Arithmetic, collectives and timelines: sums that can be made by hand, and properties of any schedule.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headSize, presets } from "../../reference/config.ts";
import { visibleKeys } from "../../reference/ops/attention.ts";
import { tokenArithmetic } from "../../reference/planning/arithmetic.ts";
import { sentBytes } from "../../reference/planning/collectives.ts";
import { type DeviceName, devices } from "../../reference/planning/devices.ts";
import { machineOf } from "../../reference/planning/machine.ts";
import { plan, type PlanRequest } from "../../reference/planning/plan.ts";
import { rankParameters } from "../../reference/planning/state.ts";
import { layerTimeline } from "../../reference/planning/step-time.ts";
import { type Lane, timelineOf, type Task } from "../../reference/planning/timeline.ts";
import { weightShapes } from "../../reference/weights.ts";

const SEED = 20_230_227;
const sound: PlanRequest = {
  config: presets["65B"],
  device: devices["a100-80gb"],
  deviceName: "a100-80gb",
  gpus: 2048,
  tokens: 1.4e12,
  batch: { tokens: 2048 * 2048, context: 2048, microBatch: 1 },
  tensor: 8,
  sequence: false,
  policy: "selective",
  dtype: "bfloat16",
};

describe("operations a token", () => {
  test.each(["tiny", "7B", "65B"] as const)(
    "%s: twice the matrices, and attention over the keys that are seen",
    (name) => {
      const config = presets[name];
      const T = 24;
      let matrices = 0;
      for (const [weight, shape] of weightShapes(config)) {
        if (shape.length > 1 && weight !== "tok_embeddings.weight") matrices += shape[0] * shape[1];
      }
      if (config.tiedEmbeddings) matrices += config.vocabSize * config.dim;
      let pairs = 0;
      for (let t = 0; t < T; t++) pairs += visibleKeys(t, T, T);
      const product = 2 * config.nLayers * config.nHeads * headSize(config) * pairs;
      const flops = tokenArithmetic(config, T, "none");
      expect(flops.forward).toEqual({ linear: 2 * matrices, attention: (2 * product) / T });
      expect(flops.backward).toEqual({ linear: 4 * matrices, attention: (4 * product) / T });
      expect(flops.again).toBe(product / T);
      expect(flops.hardware).toBe(flops.model + flops.again);
    },
  );

  test("recomputation: selective adds the attention, full all of the block but w2, whose output nobody reads", () => {
    const config = presets["65B"];
    const of = (policy: "none" | "selective" | "full"): number => tokenArithmetic(config, 2048, policy).again;
    const { forward } = tokenArithmetic(config, 2048, "none");
    const unread = 2 * config.dim * (config.vocabSize + config.nLayers * config.ffnDim);
    expect(of("selective") - of("none")).toBe(forward.attention);
    expect(of("full") - of("none")).toBe(forward.linear + forward.attention - unread);
  });
});

test("bytes of ring collectives: a rank sends all chunks but one, twice in an all-reduce", () => {
  for (const n of [1, 2, 3, 8, 256]) {
    const chunk = 1000;
    expect(sentBytes("all-gather", n * chunk, n)).toBe((n - 1) * chunk);
    expect(sentBytes("reduce-scatter", n * chunk, n)).toBe((n - 1) * chunk);
    expect(sentBytes("all-reduce", n * chunk, n)).toBe(2 * (n - 1) * chunk);
  }
});

describe("schedules", () => {
  const lane = fc.constantFrom<Lane>("computation", "in-node", "network");
  // Whole numbers of seconds, whose sums are exact.
  const tasks = fc
    .array(fc.tuple(lane, fc.nat(20), fc.array(fc.nat(99), { maxLength: 3 })), { minLength: 1, maxLength: 40 })
    .map((rows) =>
      rows.map(([where, seconds, before], i): Task => ({
        name: String(i),
        lane: where,
        kind: "product",
        seconds,
        after: i === 0 ? [] : before.map((n) => n % i),
      })),
    );

  test("nothing starts before what it waits for, no lane does two things, and overlap never costs", () => {
    fc.assert(
      fc.property(tasks, (list) => {
        const overlapped = timelineOf(list, true);
        const serial = timelineOf(list, false);
        const free = new Map<Lane, number>();
        for (const { task, start, end } of overlapped.tasks) {
          expect(end - start).toBe(task.seconds);
          expect(start).toBeGreaterThanOrEqual(free.get(task.lane) ?? 0);
          for (const before of task.after) expect(start).toBeGreaterThanOrEqual(overlapped.tasks[before].end);
          free.set(task.lane, end);
        }
        const total = list.reduce((sum, { seconds }) => sum + seconds, 0);
        expect(serial.seconds).toBe(total);
        expect(serial.exposed).toBe(serial.communication);
        expect(overlapped.seconds).toBeLessThanOrEqual(total);
        expect(overlapped.exposed).toBeLessThanOrEqual(overlapped.communication);
        expect(overlapped.exposed).toBeGreaterThanOrEqual(0);
      }),
      { seed: SEED },
    );
  });

  test("a task that waits for a later one is refused", () => {
    const task = (after: number[]): Task => ({ name: "a", lane: "computation", kind: "product", seconds: 1, after });
    expect(() => timelineOf([task([0])], true)).toThrow(/^task 0 \(a\) waits for 0, expected an earlier one$/);
    expect(() => timelineOf([task([]), task([NaN])], true)).toThrow(RangeError);
  });
});

describe("one block", () => {
  const sent = (request: PlanRequest, kind: "tensor" | "data"): string[] =>
    layerTimeline(plan(request).work, true)
      .tasks.filter(({ task }) => task.kind === kind)
      .map(({ task }) => task.name.split(" ")[0]);
  const times = (n: number, name: string): string[] => Array.from({ length: n }, () => name);

  test("tensor parallelism: two all-reduces forward, two backward; one more where full recomputation repeats wo", () => {
    expect(sent(sound, "tensor")).toEqual(times(4, "all-reduce"));
    expect(sent({ ...sound, policy: "full" }, "tensor")).toEqual(times(5, "all-reduce"));
    expect(sent({ ...sound, tensor: 1, zero: 3 }, "tensor")).toEqual([]);
  });

  test("sequence parallelism: each all-reduce is a pair, and the backward gathers two inputs once more", () => {
    const names = sent({ ...sound, sequence: true }, "tensor");
    expect(names.filter((name) => name === "reduce-scatter")).toHaveLength(4);
    expect(names.filter((name) => name === "all-gather")).toHaveLength(6);
    expect(names).toHaveLength(10);
  });

  test("data parallelism: gradients, and weights at stage 3", () => {
    expect(sent({ ...sound, zero: 0 }, "data")).toEqual(["all-reduce"]);
    expect(sent({ ...sound, zero: 2 }, "data")).toEqual(["reduce-scatter"]);
    expect(sent({ ...sound, zero: 3 }, "data").toSorted()).toEqual(["all-gather", "all-gather", "reduce-scatter"]);
    expect(sent({ ...sound, gpus: 8 }, "data")).toEqual([]);
  });

  test("its products take the time of its arithmetic, forward and twice that back", () => {
    const request: PlanRequest = { ...sound, policy: "none" };
    const { work } = plan(request);
    const products = layerTimeline(work, false).tasks.filter(({ task }) => task.kind === "product");
    const seconds = products.reduce((sum, { task }) => sum + task.seconds, 0);
    const gains = 2 * request.config.dim;
    const flops = 6 * 2048 * (rankParameters(request.config, work.layout).block - gains);
    const peak = devices["a100-80gb"].peak.bfloat16 * devices["a100-80gb"].products.share;
    // A sum of 21 terms, each rounded a few times.
    expect(Math.abs(seconds - flops / peak)).toBeLessThan(64 * Number.EPSILON * seconds);
  });

  test("without a second rank nothing is exposed", () => {
    const alone = plan({
      ...sound,
      config: presets["7B"],
      tensor: 1,
      gpus: 1,
      batch: { ...sound.batch, tokens: 2048 * 4 },
    });
    expect(alone.overlapped.step.exposed).toBe(0);
    expect(alone.overlapped.step.total).toBe(alone.serial.step.total);
  });
});

describe("a step", () => {
  test("of more micro-batches takes longer, but less than in proportion: gradients are sent once", () => {
    const at = (sequences: number): number =>
      plan({ ...sound, zero: 1, batch: { ...sound.batch, tokens: 2048 * 256 * sequences } }).overlapped.step.total;
    expect(at(2)).toBeGreaterThan(at(1));
    expect(at(2)).toBeLessThan(2 * at(1));
    expect(at(3) - at(2)).toBeLessThan(at(1));
  });

  test("no MFU is above the share that products reach, on any device and policy", () => {
    for (const name of Object.keys(devices) as DeviceName[]) {
      const device = devices[name];
      for (const policy of ["none", "selective", "full"] as const) {
        const made = plan({ ...sound, device, deviceName: name, dtype: "float16", gpus: 8, policy, data: 1 });
        for (const { mfu, hfu, step } of [made.overlapped, made.serial]) {
          expect(mfu).toBeGreaterThan(0);
          expect(mfu).toBeLessThan(hfu);
          expect(hfu).toBeLessThan(device.products.share);
          expect(step.total).toBeGreaterThanOrEqual(step.computation);
        }
      }
    }
  });

  test("a faster network does not slow it", () => {
    const { network, ...device } = devices["a100-80gb"];
    const at = (times: number): number =>
      plan({ ...sound, device: { ...device, network: { ...network, bandwidth: times * network.bandwidth } } })
        .overlapped.step.total;
    expect(at(2)).toBeLessThan(at(1));
  });
});

test("a group inside a node uses its link; one that is larger, the network, through the cards of its ranks in a node", () => {
  const device = devices["a100-80gb"];
  const at = (data: number, tensor: number) =>
    machineOf(device, "a100-80gb", { data, tensor, sequence: false, zero: 0 }, "bfloat16");
  expect(at(1, 8).tensor.lane).toBe("in-node");
  expect(at(1, 16).tensor.lane).toBe("network");
  expect(at(2, 4).data.lane).toBe("in-node");
  expect(at(4, 4).data.lane).toBe("network");
  expect(at(4, 4).data.bandwidth).toBe(2 * at(4, 8).data.bandwidth);
});
