// The recorder's parts, each alone: what a dispatch comes to, what stands in for a text, who owns a tensor, what is inspected,
// what is submitted. None needs a device.
import { describe, expect, test } from "vitest";
import { Buffers, type Memory } from "../../kernels-gpu/device/buffers.ts";
import { type Given, planDispatch } from "../../kernels-gpu/device/dispatch.ts";
import { guardLength, guardOf, inspected, unwrittenOf } from "../../kernels-gpu/device/guards.ts";
import { Holdings } from "../../kernels-gpu/device/holdings.ts";
import { SubmissionQueue } from "../../kernels-gpu/device/queue.ts";
import { Substitutes } from "../../kernels-gpu/device/substitutes.ts";
import { asTensor, type DeviceTensor, elementsOf } from "../../kernels-gpu/device/tensors.ts";
import * as cast from "../../kernels-gpu/cast.ts";
import * as rmsnorm from "../../kernels-gpu/rmsnorm.ts";
import * as swiglu from "../../kernels-gpu/swiglu.ts";

const tensor = (shape: number[], type: DeviceTensor["type"] = "f32", label = "x"): DeviceTensor => ({
  memory: { bytes: 16 },
  shape,
  type,
  label,
});

/** A device that makes buffers of the host's memory, and nothing else. */
const memories: ArrayBuffer[] = [];
const hostDevice = {
  createBuffer({ size }: { size: number }) {
    const memory = new ArrayBuffer(size);
    memories.push(memory);
    return { size, getMappedRange: () => memory, unmap() {}, destroy() {} };
  },
} as unknown as GPUDevice;

describe("planDispatch", () => {
  const plan = (kernel: Parameters<typeof planDispatch>[0], given: Partial<Given> & Pick<Given, "inputs">) => {
    const text = { text: kernel.source, module: kernel.module };
    return planDispatch(kernel, { text, constants: kernel.overrides, scalars: {}, ...given });
  };

  test("gives shapes, workgroups and the uniform's bytes from the inputs' shapes", () => {
    const { outputs, groups, dims } = plan(swiglu.forward, { inputs: { gate: tensor([5, 30]), up: tensor([5, 30]) } });
    expect(outputs).toEqual({ y: { shape: [5, 30], type: "f32" } });
    expect(groups).toEqual([3, 1]); // 150 elements, 64 each
    expect([...new Uint32Array(dims!)].slice(0, 2)).toEqual([5, 30]);
  });

  test("overrides decide the workgroups, an empty tensor needs none", () => {
    const inputs = { gate: tensor([5, 30]), up: tensor([5, 30]) };
    expect(plan(swiglu.forward, { inputs, constants: { WG: 10 } }).groups).toEqual([15, 1]);
    const nothing = { gate: tensor([0, 30]), up: tensor([0, 30]) };
    expect(plan(swiglu.forward, { inputs: nothing }).groups).toContain(0);
  });

  test("outputs are stored as the inputs are, but those that are wide", () => {
    const inputs = { x: tensor([2, 4], "bf16"), w: tensor([4], "bf16") };
    const { outputs, source } = plan(rmsnorm.forward, { inputs, scalars: { eps: 1 } });
    expect(outputs).toEqual({ y: { shape: [2, 4], type: "bf16" }, rstd: { shape: [2], type: "f32" } });
    expect(source.text).toContain("widen_bf16");
    const x = tensor([4]);
    expect(plan(cast.forward, { inputs: { x }, otherwise: "f16" }).outputs["y"]!.type).toBe("f16");
    expect(plan(cast.forward, { inputs: { x }, otherwise: "f16", stored: "f32" }).outputs["y"]!.type).toBe("f32");
  });

  test.each([
    [{ gate: tensor([2]), up: tensor([2]) }, "swiglu.forward: gate has shape [2], expected [R,F]"],
    [{ gate: tensor([2, 2]) }, "swiglu.forward: inputs: missing up; expected gate, up"],
    [{ gate: tensor([2, 2], "i32"), up: tensor([2, 2]) }, "swiglu.forward: gate (x) is i32, expected f32"],
    [
      { gate: tensor([2, 2], "bf16"), up: tensor([2, 2], "f16") },
      "swiglu.forward: inputs are stored as bf16 and f16, expected one",
    ],
  ])("refuses inputs that do not fit: %#", (inputs, message) => {
    expect(() => plan(swiglu.forward, { inputs })).toThrow(message);
  });
});

describe("Substitutes", () => {
  test("stand in for a text and an override, and know which nobody asked for", () => {
    const text = swiglu.forward.source.replace("exp(", "exp2(");
    const substitutes = new Substitutes({
      sources: new Map([
        ["swiglu.forward.wgsl", text],
        ["other.wgsl", ""],
      ]),
      overrides: { WG: 8, TILE: 2 },
    });
    expect(substitutes.unused()).toEqual(["swiglu.forward.wgsl", "other.wgsl", "WG", "TILE"]);
    const found = substitutes.textOf(swiglu.forward);
    expect(found.text).toBe(text);
    expect(substitutes.constantsOf(swiglu.forward, found)).toEqual({ WG: 8 });
    expect(substitutes.textOf(swiglu.backward).text).toBe(swiglu.backward.source);
    expect(substitutes.unused()).toEqual(["other.wgsl", "TILE"]);
  });

  test("a text that contradicts the declaration is refused", () => {
    const text = swiglu.forward.source.replace("// [R, F]", "// [F]");
    const substitutes = new Substitutes({ sources: new Map([["swiglu.forward.wgsl", text]]) });
    expect(() => substitutes.textOf(swiglu.forward)).toThrow("gate is commented [F], declared [R,F]");
  });
});

describe("Holdings", () => {
  test("a checked tensor is followed by its guard, an output starts as NaN", () => {
    const holdings = new Holdings(new Buffers(hostDevice), true, 2 ** 20);
    holdings.upload({ data: Float32Array.of(1, 2), shape: [2] }, "x");
    const uploaded = new Uint32Array(memories.at(-1)!);
    expect(uploaded).toHaveLength(260); // 2 elements, a guard of 256 + 2
    expect([...uploaded.subarray(0, 3)]).toEqual([0x3f80_0000, 0x4000_0000, guardOf(0, "f32")]);
    const y = holdings.allocate([3], "f32", "y");
    const output = new Uint32Array(memories.at(-1)!);
    expect([...output.subarray(2, 4)]).toEqual([unwrittenOf(1, "f32"), guardOf(1, "f32")]);
    expect(holdings.find(y).upload).toBe(false);
  });

  test("a fast tensor has no guard, and a buffer only once it is placed", () => {
    const holdings = new Holdings(new Buffers(hostDevice), false, 2 ** 20);
    expect(holdings.allocate([3], "f32", "y").memory).toEqual({ bytes: 16 });
    expect(holdings.upload({ data: Float32Array.of(1), shape: [1] }, "x").memory.bytes).toBe(16);
  });

  test("what was dropped is known as released, what is strange as not held", () => {
    const holdings = new Holdings(new Buffers(hostDevice), false, 2 ** 20);
    const y = holdings.allocate([3], "f32", "y");
    holdings.check(y, "y");
    holdings.drop(y);
    expect(() => holdings.check(y, "add.forward: a (y)")).toThrow("add.forward: a (y) was released");
    expect(() => holdings.find(tensor([1]))).toThrow("x does not belong to this recorder, or was released");
    expect(holdings.all()).toEqual([]);
  });

  test("a tensor beyond what the device binds is refused by name", () => {
    const holdings = new Holdings(new Buffers(hostDevice), false, 64);
    expect(() => holdings.allocate([17], "f32", "y")).toThrow(
      "y [17] takes 80 bytes, this device binds at most 64, expected at most 16 elements",
    );
    expect(() => holdings.allocate([33], "bf16", "y")).toThrow("expected at most 32 elements");
    const x = { data: new Float32Array(17), shape: [17] };
    expect(() => holdings.upload(x, "x")).toThrow("x [17] takes 80 bytes");
    expect(holdings.all()).toEqual([]);
  });
});

describe("inspected", () => {
  const guard = guardOf(7, "f32");
  const look = (change: (words: Uint32Array) => void, upload: Uint32Array | boolean, isOutput: boolean) => {
    const one = tensor([2]);
    const words = new Uint32Array(2 + guardLength([2])).fill(guard);
    words.set([1, 2]);
    change(words);
    const outputs = new Set(isOutput ? [one.memory] : []);
    return inspected([{ tensor: one, upload, serial: 7 }], new Map([[one.memory, words]]), outputs);
  };
  const clean = { writtenBeyondEnd: [], inputsChanged: [], neverWritten: [] };

  test("finds nothing where nothing is amiss", () => {
    expect(look(() => {}, Uint32Array.of(1, 2), false)).toEqual(clean);
    expect(look(() => {}, false, true)).toEqual(clean);
  });

  test("finds what was written after the end, changed, and never written", () => {
    const beyond = [{ tensor: "x", elements: 2, first: 3 }];
    expect(look((words) => words.fill(0, 3, 5), true, false)).toEqual({ ...clean, writtenBeyondEnd: beyond });
    const changed = [{ tensor: "x", elements: 1, first: 1 }];
    expect(look(() => {}, Uint32Array.of(1, 3), false)).toEqual({ ...clean, inputsChanged: changed });
    const unwritten = unwrittenOf(7, "f32");
    expect(look((words) => (words[0] = unwritten), false, true).neverWritten).toEqual([{ ...changed[0], first: 0 }]);
    expect(look((words) => (words[0] = unwritten), false, false)).toEqual(clean); // an intermediate tensor
  });
});

describe("SubmissionQueue", () => {
  test("a submission of nothing places and frees nothing, and counts for none", async () => {
    const queue = new SubmissionQueue({ device: hostDevice, check() {} } as never, new Buffers(hostDevice));
    await queue.submit();
    expect([queue.submissions, queue.buffers, queue.recent]).toEqual([0, 0, "nothing dispatched"]);
  });

  test("beyond the memory limit it is refused, and what was released is still known", async () => {
    const queue = new SubmissionQueue({ device: hostDevice, check() {} } as never, new Buffers(hostDevice, 16));
    const [from, into, old]: Memory[] = [{ bytes: 16 }, { bytes: 16 }, { bytes: 16 }];
    for (const memory of [from!, into!]) queue.needs(memory);
    queue.record({ sources: [{ memory: from!, bytes: 16 }], into: into! });
    queue.release(old!, true);
    await expect(queue.submit()).rejects.toThrow("32 bytes of buffers are needed, the limit is 16");
    expect(queue.clear()).toEqual([old]);
    expect(
      queue.peakOf([
        { ...tensor([4]), memory: from! },
        { ...tensor([4]), memory: into! },
      ]),
    ).toBe(32);
  });
});

test("host tensors become elements and come back", () => {
  const x = { data: Float32Array.of(1, -2.5), shape: [2] };
  expect(elementsOf(x, "x")).toEqual({ type: "f32", elements: Uint32Array.of(0x3f80_0000, 0xc020_0000) });
  expect(elementsOf(x, "x", "bf16")).toEqual({ type: "bf16", elements: Uint16Array.of(0x3f80, 0xc020) });
  expect(asTensor(tensor([2], "bf16"), Uint32Array.of(0xc020_3f80))).toEqual(x);
  expect(asTensor(tensor([1], "u32"), Uint32Array.of(7)).data).toEqual(Int32Array.of(7));
  expect(() => elementsOf({ data: new Float64Array(2), shape: [2] }, "x")).toThrow(TypeError);
  expect(() => elementsOf({ ...x, shape: [3] }, "x")).toThrow("x has shape [3] but holds 2 numbers");
  expect(() => elementsOf({ data: Int32Array.of(1), shape: [1] }, "t", "bf16")).toThrow("t holds integers, not bf16");
});
