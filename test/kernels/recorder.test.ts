import { expect, test, vi } from "vitest";
import { KernelError } from "../../kernels-gpu/device/errors.ts";
import { kernels } from "../../kernels-gpu/index.ts";
import { spread } from "../../kernels-gpu/device/declaration.ts";
import { defineKernel, defineProgram } from "../../kernels-gpu/device/kernel.ts";
import { offences } from "../../kernels-gpu/device/guards.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { KernelRecorder } from "../../kernels-gpu/device/recorder.ts";
import * as swiglu from "../../kernels-gpu/swiglu.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { accumulate, columns, finish } from "./columns.ts";
import { device } from "./device.ts";

/** Small whole numbers: every sum is exact. */
function whole(shape: number[], from = 0): Tensor<Float32Array> {
  const data = Float32Array.from(
    { length: shape.reduce((n, length) => n * length, 1) },
    (_, i) => ((i + from) % 17) - 8,
  );
  return { data, shape };
}

function columnSums({ data, shape: [R = 0, C = 0] }: Tensor<Float32Array>): Float32Array {
  return Float32Array.from({ length: C }, (_, c) => {
    let sum = 0;
    for (let r = 0; r < R; r++) sum += data[r * C + c]!;
    return sum;
  });
}

test.each([[[1, 1]], [[0, 3]], [[3, 0]], [[10, 37]], [[129, 5]]])("a program of two dispatches %j", async (shape) => {
  const x = whole(shape);
  const { y } = await columns(device, { x, scale: 2 });
  expect(y.data).toEqual(columnSums(x).map((sum) => 2 * sum));
});

test("inputs and outputs beyond what the device binds are refused by name before anything is allocated", async () => {
  const most = Math.min(device.device.limits.maxStorageBufferBindingSize, device.device.limits.maxBufferSize);
  const F = 2 ** 14;
  const R = Math.ceil(most / 4 / F);
  const buffers = vi.spyOn(device.device, "createBuffer");
  // A row that stands for all: no array of that many numbers is made.
  const gate = { data: new Float32Array(F), shape: [R, F] };
  await expect(kernels["swiglu.forward"](device, { gate, up: gate })).rejects.toThrow(
    new RegExp(
      String.raw`^swiglu\.forward: gate \[${R},${F}\] takes \d+ bytes, this device binds at most ${most}, expected at most \d+ elements$`,
    ),
  );
  const run = new KernelRecorder(device);
  expect(() => run.upload({ ...gate, shape: [2 * R, F] }, "gate")).toThrow(
    /^gate \[\d+,\d+\] takes \d+ bytes, .* expected at most \d+ elements$/,
  );
  run.destroy();
  expect(buffers).not.toHaveBeenCalled();
  buffers.mockRestore();
});

test("an override changes every kernel of a program, and its number of workgroups", async () => {
  const x = whole([10, 37]);
  const { outputs, hygiene } = await launch(device, columns, { x }, { scale: 1 }, { overrides: { WG: 8 } });
  expect(outputs["y"]!.data).toEqual(columnSums(x));
  expect(offences(hygiene)).toEqual([]);
});

test("an intermediate tensor's guard is inspected too", async () => {
  const text = accumulate.source.replace("if (id.x >= dims.P * dims.C) { return; }", "");
  const sources = new Map([["columns.wgsl", text]]);
  const { hygiene } = await launch(device, columns, { x: whole([3, 3]) }, { scale: 1 }, { sources });
  expect(offences(hygiene).join("; ")).toMatch(
    /columns:accumulate partial: 20 elements written past its end, first at \[12\]/,
  );
});

test("integers come back as they are", async () => {
  const run = new KernelRecorder(device, { mode: "checked" });
  const x = run.upload(whole([10, 3]), "x");
  const { counts } = run.dispatch(accumulate, { x }, { P: 4, scale: 1 });
  expect(counts.type).toBe("u32");
  expect((await run.read(counts)).data).toEqual(new Int32Array([3, 3, 2, 2]));
  run.destroy();
});

test("fast mode reuses released buffers in order, and keeps tensors across submissions", async () => {
  const run = new KernelRecorder(device);
  const kept = run.upload(whole([8, 16]), "x");
  const buffers = new Set<GPUBuffer>();
  const results: Promise<Tensor<Float32Array | Int32Array>>[] = [];
  for (let step = 0; step < 20; step++) {
    const x = run.upload(whole([8, 16], step), "x");
    const first = run.dispatch(swiglu.forward, { gate: kept, up: x });
    const second = run.dispatch(swiglu.forward, { gate: first.y, up: x });
    run.release(first.y);
    const third = run.dispatch(swiglu.forward, { gate: second.y, up: kept });
    run.release(second.y);
    run.release(x);
    results.push(run.read(third.y));
    for (const { y } of [first, second, third]) buffers.add(y.memory.buffer!);
    run.release(third.y);
  }
  const got = await Promise.all(results);
  expect(buffers.size).toBeLessThanOrEqual(3);
  for (let step = 0; step < 20; step++) {
    const x = whole([8, 16], step);
    const first = await swiglu.forward(device, { gate: whole([8, 16]), up: x });
    const second = await swiglu.forward(device, { gate: first.y, up: x });
    const third = await swiglu.forward(device, { gate: second.y, up: whole([8, 16]) });
    expect(got[step]!.data).toEqual(third.y.data);
  }
  run.destroy();
});

test("a released or destroyed tensor is refused", async () => {
  const run = new KernelRecorder(device);
  const gate = run.upload(whole([2, 2]), "gate");
  const { y } = run.dispatch(swiglu.forward, { gate, up: gate });
  run.release(y);
  expect(() => run.dispatch(swiglu.forward, { gate: y, up: gate })).toThrow(
    "swiglu.forward: gate (swiglu.forward y) was released",
  );
  expect(() => run.release(y)).toThrow("does not belong to this recorder");
  await expect(run.read(y)).rejects.toThrow("swiglu.forward y was released");
  run.destroy();
  expect(() => run.dispatch(swiglu.forward, { gate, up: gate })).toThrow("released");
});

function call(inputs: Record<string, Tensor>, scalars = {}): Promise<unknown> {
  return launch(device, kernels["swiglu.forward"]!, inputs, scalars);
}

test("arguments that do not fit are named", async () => {
  const gate = whole([2, 3]);
  await expect(call({ gate, up: whole([2, 4]) })).rejects.toThrow("up has shape [2,4], expected [R,F] with R=2, F=3");
  await expect(call({ gate, up: whole([6]) })).rejects.toThrow("up has shape [6], expected [R,F] with R=2, F=3");
  await expect(call({ gate })).rejects.toThrow("swiglu.forward: inputs: missing up; expected gate, up");
  await expect(call({ gate, up: gate, down: gate })).rejects.toThrow("unknown down");
  await expect(call({ gate, up: gate }, { eps: 1 })).rejects.toThrow("scalars: unknown eps; expected none");
  const doubles = { data: new Float64Array(6), shape: [2, 3] };
  await expect(call({ gate, up: doubles })).rejects.toThrow("up is a Float64Array, expected Float32Array");
  const ints = { data: new Int32Array(6), shape: [2, 3] } as unknown as Tensor;
  await expect(call({ gate, up: ints })).rejects.toThrow("swiglu.forward: up (up) is i32, expected f32");
  await expect(call({ gate, up: { data: gate.data, shape: [2, 3, 1] } })).rejects.toThrow("expected [R,F]");
  await expect(call({ gate, up: { data: new Float32Array(5), shape: [2, 3] } })).rejects.toThrow("holds 5 numbers");
});

test("scalars must fit their type in the uniform struct", () => {
  const run = new KernelRecorder(device);
  const x = run.upload(whole([2, 3]), "x");
  for (const P of [-1, 1.5, Number.NaN, 2 ** 32]) {
    expect(() => run.dispatch(accumulate, { x }, { P, scale: 1 })).toThrow(/columns:accumulate: (P is|workgroups are)/);
  }
  run.destroy();
});

test("a tensor that the device cannot bind is refused by name", () => {
  const run = new KernelRecorder(device);
  const x = run.upload(whole([2, 3]), "x");
  expect(() => run.dispatch(accumulate, { x }, { P: 2 ** 30, scale: 1 })).toThrow(/workgroups|binds at most/);
  run.destroy();
});

const good = {
  id: "swiglu.forward",
  source: swiglu.forward.source,
  inputs: { gate: "R,F", up: "R,F" },
  outputs: { y: "R,F" },
  workgroups: () => spread(1),
} as const;

test("a declaration that contradicts its file is refused when it is defined", () => {
  expect(defineKernel(good).id).toBe("swiglu.forward");
  const bad: [object, string][] = [
    [{ inputs: { gate: "R,F", up: "F,R" } }, "swiglu.forward.wgsl:6 up is commented [R,F], declared [F,R]"],
    [{ inputs: { gate: "R,F", down: "R,F" } }, "0 bindings down"],
    [{ inputs: { gate: "R,F" }, outputs: { y: "R,F", up: "R,F" } }, "up is read, expected read_write"],
    [{ outputs: { y: "R,F", gate: "R,F" } }, "gate is both an input and an output"],
    [{ entry: "other" }, "has no entry point other, only main"],
    [{ overrides: { TILE: 4 } }, "has no override TILE"],
    [{ scalars: ["eps"] }, "scalar eps is not a field"],
  ];
  for (const [change, message] of bad) expect(() => defineKernel({ ...good, ...change })).toThrow(message);
  const lone = {
    id: "columns",
    source: finish.source,
    entry: "finish",
    inputs: { partial: "P,C" },
    outputs: { y: "C" },
    workgroups: () => spread(1),
  };
  expect(() => defineKernel(lone)).toThrow("columns:finish: columns.wgsl has the field R, which is neither");
});

test("the compiler knows axes, tensors and scalars", async () => {
  // @ts-expect-error X is no axis
  defineKernel({ ...good, workgroups: ({ R, X }) => [R, X] });
  const gate = whole([1, 1]);
  // @ts-expect-error up is missing
  await expect(swiglu.forward(device, { gate })).rejects.toThrow("missing up");
  // @ts-expect-error scale is missing
  await expect(columns(device, { x: gate })).rejects.toThrow("missing scale");
  const run = new KernelRecorder(device);
  // @ts-expect-error R is missing
  expect(() => run.dispatch(finish, { partial: run.upload(gate) }, { scale: 1 })).toThrow("missing R");
  run.destroy();
});

test("what the device refuses comes with the kernel's name and the line", async () => {
  const given = { gate: whole([1, 1]), up: whole([1, 1]) };
  const withText = (text: string): Promise<unknown> =>
    launch(device, swiglu.forward, given, {}, { sources: new Map([["swiglu.forward.wgsl", text]]) });
  const { source } = swiglu.forward;
  await expect(withText(source.replace("= exp(", "= expo("))).rejects.toThrow(
    new KernelError("swiglu.forward: swiglu.forward.wgsl:13:11 unresolved call target 'expo'"),
  );
  const wide = launch(device, swiglu.forward, given, {}, { overrides: { WG: 4096 } });
  await expect(wide).rejects.toThrow(/^swiglu.forward: .*exceeds the maximum allowed/);
  await expect(withText(source.replace("[R, F]", "[F]"))).rejects.toThrow("gate is commented [F], declared [R,F]");
  const { y } = await swiglu.forward(device, given); // the device is unharmed
  expect(y.data).toHaveLength(1);
});

test("a replacement or override that nothing uses is an error", async () => {
  const given = { gate: whole([1, 1]), up: whole([1, 1]) };
  const sources = new Map([["swiglu.wgsl", "x"]]);
  await expect(launch(device, swiglu.forward, given, {}, { sources })).rejects.toThrow("does not use swiglu.wgsl");
  await expect(launch(device, swiglu.forward, given, {}, { overrides: { TILE: 3 } })).rejects.toThrow(
    "does not use TILE",
  );
});

test("outputs of another shape than the program declares are refused", async () => {
  const wrong = defineProgram({ ...columns, id: "wrong", outputs: { y: "R" } });
  await expect(wrong(device, { x: whole([2, 3]), scale: 1 })).rejects.toThrow("wrong: y is f32 [3], expected f32 [2]");
});

test("too many workgroups are refused", () => {
  const kernel = defineKernel({ ...good, workgroups: () => [70_000] });
  const run = new KernelRecorder(device);
  const gate = run.upload(whole([1, 1]));
  expect(() => run.dispatch(kernel, { gate, up: gate })).toThrow("workgroups are [70000]");
  run.destroy();
  for (const n of [0, 1, 65_535, 65_536, 70_001, 65_535 * 3 + 1]) {
    const [x, y] = spread(n);
    expect(x * y).toBeGreaterThanOrEqual(n);
    expect(Math.max(x, y)).toBeLessThanOrEqual(65_535);
    expect(x * y - n).toBeLessThan(y);
  }
});

test("launches at the same time do not disturb one another", async () => {
  const given = [1, 2, 3, 4, 5].map((n) => whole([n, 7], n));
  const results = await Promise.all(given.map((x) => columns(device, { x, scale: 1 })));
  for (const [i, { y }] of results.entries()) expect(y.data).toEqual(columnSums(given[i]!));
});

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

test("a dispatch with read-back takes little beside compiling", async () => {
  const given = { gate: whole([64, 64]), up: whole([64, 64]) };
  const { source } = swiglu.forward;
  const sources = new Map([["swiglu.forward.wgsl", `${source}// a text that is not compiled yet\n`]]);
  const first = await launch(device, swiglu.forward, given, {}, { sources });
  const runs = [];
  for (let i = 0; i < 30; i++) runs.push(await launch(device, swiglu.forward, given, {}, { sources }));
  const compile = first.milliseconds.compile;
  const again = median(runs.map(({ milliseconds }) => milliseconds.compile));
  const run = median(runs.map(({ milliseconds }) => milliseconds.run));
  console.log(
    `pipeline ${compile.toFixed(1)} ms, found again ${again.toFixed(3)} ms, checked launch ${run.toFixed(2)} ms`,
  );
  expect(again).toBeLessThan(compile);
});
