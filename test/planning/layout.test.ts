// Layouts that cannot be: one line, the rule, and a nearest choice that is legal.
import { describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { devices } from "../../reference/planning/devices.ts";
import { divisors } from "../../reference/planning/layout.ts";
import { plan, type PlanRequest } from "../../reference/planning/plan.ts";

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
const batch = (part: Partial<PlanRequest["batch"]>): Partial<PlanRequest> => ({ batch: { ...sound.batch, ...part } });

type Case = [name: string, broken: Partial<PlanRequest>, line: RegExp, mended: Partial<PlanRequest>];
const grouped = { ...presets["65B"], nKvHeads: 4 };
const narrow = { ...presets["65B"], ffnDim: 22_012 };
const vocabulary = { ...presets["65B"], vocabSize: 32_002 };
const cases: Case[] = [
  [
    "heads",
    { tensor: 3 },
    /^64 heads are not divisible by the tensor size 3; nearest legal: tensor size 2$/,
    { tensor: 2 },
  ],
  ["heads of 33B", { config: presets["33B"] }, /^52 heads .* 8; nearest legal: tensor size 4$/, { tensor: 4 }],
  ["key/value heads", { config: grouped }, /^4 key\/value heads .* 8; nearest legal: tensor size 4$/, { tensor: 4 }],
  ["features", { config: narrow }, /^22012 features .* 8; nearest legal: tensor size 4$/, { tensor: 4 }],
  [
    "vocabulary",
    { config: vocabulary },
    /^32002 rows of the vocabulary .* 8; nearest legal: tensor size 2$/,
    { tensor: 2 },
  ],
  [
    "positions",
    { sequence: true, ...batch({ context: 2044, tokens: 2044 * 2048 }) },
    /^2044 positions of a sequence .* 8; nearest legal: tensor size 4$/,
    { tensor: 4 },
  ],
  [
    "a group larger than the cluster",
    { gpus: 4 },
    /^more ranks than GPUs: tensor size 8 on 4; .*: tensor size 4$/,
    { tensor: 4 },
  ],
  [
    "more ranks than GPUs",
    { data: 257 },
    /^more ranks than GPUs: 257 .* = 2056 on 2048; nearest legal: 256 data ranks$/,
    { data: 256 },
  ],
  ["GPUs left over", { gpus: 2050 }, /^2050 GPUs are not a multiple .* 8; nearest legal: 2048 GPUs/, { gpus: 2048 }],
  ["sequence parallelism of one", { tensor: 1, sequence: true }, /1 rank; nearest legal: tensor size 2/, { tensor: 2 }],
  [
    "ZeRO of one",
    { gpus: 8, zero: 2 },
    /^ZeRO stage 2 shards over data ranks, and there is 1; nearest legal: stage 0/,
    { zero: 0 },
  ],
  [
    "a batch and its sequences",
    batch({ tokens: 4_000_000 }),
    /^a batch of 4000000 tokens is not divisible into sequences of 2048; nearest legal: 4194304 tokens$/,
    batch({ tokens: 4_194_304 }),
  ],
  [
    "a batch and its ranks",
    { gpus: 2040 },
    /^a batch of 4194304 tokens, 2048 sequences of 2048, .* over 255 data ranks; nearest legal: 4177920 tokens$/,
    batch({ tokens: 4_177_920 }),
  ],
  [
    "a batch smaller than one micro-batch of every rank",
    batch({ tokens: 2048 }),
    /1 sequences of 2048, .* 256 data ranks; nearest legal: 524288 tokens$/,
    batch({ tokens: 524_288 }),
  ],
  [
    "micro-batches",
    batch({ microBatch: 3 }),
    /^8 sequences .* micro-batches of 3; nearest legal: micro-batch 2$/,
    batch({ microBatch: 2 }),
  ],
  [
    "positions that the model has not",
    batch({ context: 4096 }),
    /^context 4096 .* 2048 positions; nearest legal: 2048$/,
    batch({ context: 2048 }),
  ],
  [
    "a storage without products",
    { device: devices["v100-32gb"], deviceName: "v100-32gb" },
    /^v100-32gb has no products in bfloat16; .*: float16$/,
    { dtype: "float16" },
  ],
  [
    "no network",
    { device: devices["rtx-4090"], deviceName: "rtx-4090" },
    /^nothing joins nodes of rtx-4090: a group of 256 ranks .* 8 GPUs; nearest legal: 8 GPUs/,
    { gpus: 8 },
  ],
];

describe("a broken rule", () => {
  test("none is broken by the paper's", () => {
    expect(plan(sound).layout).toEqual({ data: 256, tensor: 8, sequence: false, zero: 1 });
  });

  test.each(cases)("%s", (_, broken, line, mended) => {
    const attempt = (): unknown => plan({ ...sound, ...broken });
    expect(attempt).toThrow(RangeError);
    expect(attempt).toThrow(line);
    expect(plan({ ...sound, ...broken, ...mended }).parameters).toBeGreaterThan(0);
  });

  test("no tensor size but those that are legal is planned", () => {
    const legal = new Set(divisors(64).filter((t) => 22_016 % t === 0 && 32_000 % t === 0));
    for (let t = 1; t <= 128; t++) {
      const run = (): unknown => plan({ ...sound, gpus: 128 * t, data: 1, zero: 0, tensor: t });
      if (legal.has(t)) expect(run).not.toThrow();
      else expect(run).toThrow(/nearest legal: tensor size \d+$/);
    }
  });
});

test("divisors", () => {
  expect(divisors(1)).toEqual([1]);
  expect(divisors(36)).toEqual([1, 2, 3, 4, 6, 9, 12, 18, 36]);
  expect(divisors(13)).toEqual([1, 13]);
});

describe("what is chosen", () => {
  test("the first ZeRO stage that fits", () => {
    const seven = { ...sound, config: presets["7B"], tensor: 1, gpus: 64 };
    const stage = (device: keyof typeof devices): number =>
      plan({ ...seven, device: devices[device], deviceName: device, dtype: "float16" }).layout.zero;
    expect(stage("h200")).toBe(0);
    expect(stage("a100-40gb")).toBe(1);
    expect(stage("v100-32gb")).toBe(2);
    const forced = plan({ ...seven, zero: 0 });
    expect([forced.layout.zero, forced.memory.fits]).toEqual([0, false]);
  });

  test("GPUs left over are idle, and are paid for", () => {
    const all = plan({ ...sound, gpus: 1024 });
    const half = plan({ ...sound, data: 128 });
    expect(half.idle).toBe(1024);
    const [twice, whole] = [half.overlapped.tokensPerSecond * 2, all.overlapped.tokensPerSecond];
    expect(Math.abs(twice - whole)).toBeLessThanOrEqual(8 * Number.EPSILON * whole); // a few roundings
  });
});

test("every size of the paper is planned in under a second", () => {
  const before = performance.now();
  for (const [name, tensor] of [
    ["7B", 1],
    ["13B", 2],
    ["33B", 4],
    ["65B", 8],
  ] as const) {
    expect(plan({ ...sound, config: presets[name], tensor, sequence: tensor > 1 }).memory.fits).toBe(true);
  }
  expect(performance.now() - before).toBeLessThan(4 * 1000);
});
