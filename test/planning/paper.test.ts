// The paper's figures, derived.
import { describe, expect, test } from "vitest";
import { presets } from "../../reference/config.ts";
import { devices } from "../../reference/planning/devices.ts";
import { durationOf, energyOf } from "../../reference/planning/energy.ts";
import { inferenceMemory } from "../../reference/planning/inference.ts";
import {
  PRINTED_POWER,
  printedEnergy,
  printedMemory,
  printedOtherwise,
  printedSpeed,
  printedTokens,
} from "../../reference/planning/paper.ts";
import { plan } from "../../reference/planning/plan.ts";
import { trainingState } from "../../reference/planning/state.ts";

/** To so many units, as print rounds. */
const rounded = (value: number, unit = 1): number => Math.round(value / unit) * unit;

describe("memory", () => {
  test.each(printedMemory)("$what of $model", ({ what, model, bytes, unit }) => {
    const derived =
      what === "training state"
        ? trainingState(presets[model], "bfloat16").total
        : inferenceMemory(presets[model], 1, 1, "bfloat16").weights;
    expect(rounded(derived, unit)).toBe(bytes);
  });

  test("one V100 holds 13B in 16 bits with a sequence of 2,048; 33B it does not", () => {
    const holds = (model: "13B" | "33B"): boolean =>
      inferenceMemory(presets[model], 1, 2048, "float16").total <= devices["v100-32gb"].memory;
    expect([holds("13B"), holds("33B")]).toEqual([true, false]);
  });

  test("the cache of 65B: 2 · 80 layers · 64 heads · 128 · 2,048 positions · 2 bytes", () => {
    expect(inferenceMemory(presets["65B"], 1, 2048, "bfloat16").cache).toBe(5_368_709_120);
  });
});

describe("time", () => {
  const { tokens, tokensPerSecond, gpus, days } = printedSpeed;

  test("380 tokens/s/GPU on 2,048 GPUs are 1.4T tokens in about 21 days", () => {
    expect(rounded(durationOf(tokens, tokensPerSecond, gpus).days)).toBe(days);
  });

  test("the GPU-hours of the table are the tokens of table 2 at that speed", () => {
    const { gpuHours } = printedEnergy.find(({ model }) => model === "65B")!;
    expect(rounded(printedTokens["65B"]! / gpuHours / 3600)).toBe(tokensPerSecond);
  });

  test("the step's time with overlap is below what print implies, and without it above", () => {
    const { overlapped, serial } = plan({
      config: presets["65B"],
      device: devices["a100-80gb"],
      deviceName: "a100-80gb",
      gpus,
      tokens,
      batch: { tokens: 2048 * 2048, context: 2048, microBatch: 1 },
      tensor: 8,
      sequence: false,
      policy: "selective",
      dtype: "bfloat16",
    });
    expect(overlapped.tokensPerSecond).toBeGreaterThan(tokensPerSecond);
    expect(serial.tokensPerSecond).toBeLessThan(tokensPerSecond);
  });
});

describe("energy", () => {
  test.each(printedEnergy)("$model", ({ model, gpuHours, megawattHours, tonnesCO2 }) => {
    const derived = energyOf(gpuHours, PRINTED_POWER);
    if (printedOtherwise.includes(model)) {
      // 449.8 is printed as 449, 476.5 as 475: truncated, and one less.
      expect(rounded(derived.megawattHours)).toBe(megawattHours + 1);
    } else expect(rounded(derived.megawattHours)).toBe(megawattHours);
    expect(rounded(derived.tonnesCO2)).toBe(tonnesCO2);
  });

  test("the two that differ, to a tenth", () => {
    const of = (name: string): string =>
      energyOf(printedEnergy.find(({ model }) => model === name)!.gpuHours, PRINTED_POWER).megawattHours.toFixed(1);
    expect(printedOtherwise.map(of)).toEqual(["449.8", "476.5"]);
  });
});
