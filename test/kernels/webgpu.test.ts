// The entry for people who write WGSL: what it imports, and that it runs on a GPUDevice which nobody has wrapped.
import { readdirSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { globals } from "webgpu";
import { describe, expect, test } from "vitest";
import { bufferUsage, mapMode, shaderStage } from "../../kernels-gpu/device/flags.ts";
import { embeddedTexts } from "../../kernels-gpu/embed.ts";
import { wgsl } from "../../kernels-gpu/texts.ts";
import { judge, targets } from "../../index.ts";
import { initialState } from "../../reference/training/step.ts";
import { candidateOf, defineKernel, deviceEngine, deviceReader, kernels, spread } from "../../webgpu.ts";
import { reachedFrom } from "../imports.ts";
import { batchOf, lively } from "../model/problem.ts";
import { device as opened } from "./device.ts";
import { config, hyperparameters } from "./problem.ts";

const device = opened.device; // as navigator.gpu would give it
const row = (...numbers: number[]) => ({ data: new Float32Array(numbers), shape: [1, numbers.length] });
const gate = row(1, -2, 3);
const up = row(4, 5, -6);

test("its imports reach no package, and of Node only what the build replaces", () => {
  const reached = reachedFrom("webgpu.ts");
  expect(reached.files).toContain("kernels-gpu/device/recorder.ts");
  expect(reached.files).not.toContain("kernels-gpu/device/dawn.ts");
  expect(reached.packages).toEqual([{ from: "kernels-gpu/texts.ts", to: "node:fs" }]);
});

test("the flags are those of the specification, as Dawn has them", () => {
  const dawn = globals as Record<string, Record<string, number>>;
  const ours = { GPUBufferUsage: bufferUsage, GPUMapMode: mapMode, GPUShaderStage: shaderStage };
  for (const [kind, flags] of Object.entries(ours)) {
    for (const [name, value] of Object.entries(flags)) expect([name, dawn[kind]![name]]).toEqual([name, value]);
  }
});

test("the build's texts are those of the files", async () => {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-test-"));
  try {
    writeFileSync(join(folder, "texts.mjs"), embeddedTexts());
    const embedded = (await import(pathToFileURL(join(folder, "texts.mjs")).href)) as { wgsl: typeof wgsl };
    const files = readdirSync(fileURLToPath(new URL("../../kernels-gpu", import.meta.url)));
    const ids = files.filter((name) => name.endsWith(".wgsl")).map((name) => name.replace(".wgsl", ""));
    expect(ids.length).toBeGreaterThan(15);
    for (const id of ids) expect(embedded.wgsl(id)).toEqual(wgsl(id));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("a plain GPUDevice", () => {
  test("runs a kernel, and a program of several dispatches", async () => {
    const { y } = await kernels["swiglu.forward"](device, { gate, up });
    expect([...y.data]).toEqual([...(await kernels["swiglu.forward"](opened, { gate, up })).y.data]);
    const { norm } = await kernels["gradient-norm.forward"](device, { g: { data: Float32Array.of(3, 4), shape: [2] } });
    expect(norm).toEqual({ data: Float32Array.of(5), shape: [] });
  });

  test("trains and reads, and stays open when the engine and the reader close", async () => {
    const weights = lively(config, Float32Array);
    const engine = deviceEngine(device, config, initialState(weights));
    const { loss } = await engine.step(batchOf(config, 4, 8, 5), hyperparameters, 1);
    engine.close();
    expect(loss).toBeGreaterThan(0);
    const reader = deviceReader(device, config, weights);
    expect((await reader.read(new Int32Array([1, 2]))).shape).toEqual([2, config.vocabSize]);
    reader.close();
    expect((await kernels["swiglu.forward"](device, { gate, up })).y.data).toHaveLength(3);
  });
});

const source = wgsl("swiglu.forward").source;
const swiglu = (text: string) =>
  defineKernel({
    id: "mine",
    source: text,
    inputs: { gate: "R,F", up: "R,F" },
    outputs: { y: "R,F" },
    workgroups: ({ R, F }) => spread(Math.ceil((R * F) / 64)),
  });

describe("candidateOf", () => {
  test("gives outputs, and no complaint of a kernel that keeps to its tensors", async () => {
    const { outputs, complaints } = await candidateOf(device, swiglu(source), { op: "swiglu.forward" }).run(
      { gate, up },
      {},
    );
    expect(complaints).toEqual([]);
    expect(outputs["y"]).toEqual((await kernels["swiglu.forward"](device, { gate, up })).y);
  });

  test.each([
    ["if (i >= dims.R * dims.F) { return; }", "", "mine y: 61 elements written past its end, first at [3]"],
    ["if (i >= dims.R * dims.F)", "if (i + 1 >= dims.R * dims.F)", "mine y: 1 element never written, first at [2]"],
  ])("complains of %j -> %j", async (from, to, complaint) => {
    expect(source).toContain(from);
    const candidate = candidateOf(device, swiglu(source.replace(from, to)), { op: "swiglu.forward" });
    expect((await candidate.run({ gate, up }, {})).complaints).toEqual([complaint]);
  });

  test("stores tensors in 16 bits, and takes overrides and words", async () => {
    const low = candidateOf(device, kernels["swiglu.forward"], { dtype: "bfloat16", overrides: { WG: 32 } });
    const y = (await low.run({ gate, up }, {})).outputs["y"]!;
    expect(new Uint32Array(y.data.buffer).every((word) => word % 2 ** 16 === 0)).toBe(true);
    const x = { data: Float32Array.of(1, 2, 3, 4), shape: [1, 1, 1, 4] };
    const angles = { cos: row(0, 0), sin: row(1, 1) };
    const turned = await candidateOf(device, kernels["rope.forward"]).run({ x, ...angles }, { layout: "half-split" });
    expect([...turned.outputs["y"]!.data]).toEqual([-3, -4, 1, 2]);
  });

  test("is judged by WGSL's accuracies, as any op that it fits, whatever its id", async () => {
    const judged = await judge("swiglu.forward", candidateOf(device, swiglu(source)), { runs: 3, dtype: "bfloat16" });
    expect(judged).toMatchObject({ passed: true, findings: [] });
    expect(candidateOf(device, kernels["add.forward"]).target).toBe(targets.wgsl);
    const wrong = await judge("swiglu.forward", candidateOf(device, swiglu(source.replace("0.0", "1.0"))), { runs: 3 });
    expect(wrong.passed).toBe(false);
  });

  test("refuses what does not fit, in one line", async () => {
    const mine = swiglu(source);
    const nameless = candidateOf(device, mine).run({ gate, up }, {});
    await expect(nameless).rejects.toThrow('"mine" is no op, expected one of embedding.forward, ');
    expect(() => candidateOf(device, mine, { op: "add" })).toThrow('op: "add" is no op, expected one of ');
    await expect(candidateOf(device, mine, { op: "add.forward" }).run({ gate, up }, {})).rejects.toThrow(
      new RangeError("mine: the inputs are gate, up, expected those of add.forward: a, b"),
    );
    await expect(judge("add.forward", candidateOf(device, mine))).rejects.toThrow("mine: the inputs are gate, up");
    expect(() => candidateOf({} as GPUDevice, kernels["add.forward"])).toThrow(
      new TypeError("the device is not a GPUDevice, expected one"),
    );
    expect(() => candidateOf(device, (() => {}) as never)).toThrow(TypeError);
    expect(() => defineKernel({ id: "mine", source: new URL("file:///a.wgsl") } as never)).toThrow(
      new TypeError("mine: source is object, expected WGSL text"),
    );
    expect(() => defineKernel({} as never)).toThrow("a kernel has no id");
  });
});
