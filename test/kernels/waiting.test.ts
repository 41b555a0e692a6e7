// What waits for a device, and what is kept for it, does not grow with its launches.
import { expect, test, vi } from "vitest";
import { forward } from "../../kernels-gpu/add.ts";
import type { Device } from "../../kernels-gpu/device/device.ts";
import { KernelError } from "../../kernels-gpu/device/errors.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { pipelineOf } from "../../kernels-gpu/device/pipelines.ts";
import { doneOrFailed, waitersOn } from "../../kernels-gpu/device/waiting.ts";
import { testDevice } from "../device.ts";

/** A device of which only `failed` is looked at; its reactions are counted. */
function failing(): { device: Device; fail: () => void; reactions: () => number } {
  let fail = (): void => {};
  let count = 0;
  const failed = new Promise<KernelError>((resolve) => (fail = () => resolve(new KernelError("lost"))));
  const then = failed.then.bind(failed);
  vi.spyOn(failed, "then").mockImplementation(((...handlers: Parameters<typeof then>) => {
    count++;
    return then(...handlers);
  }) as typeof failed.then);
  return { device: { failed } as Device, fail, reactions: () => count };
}

test("a thousand waits leave nothing behind but one reaction to the device's failure", async () => {
  const { device, reactions } = failing();
  for (let i = 0; i < 1000; i++) {
    const work = doneOrFailed(device, Promise.resolve());
    expect(waitersOn(device)).toBe(1);
    await work;
    expect(waitersOn(device)).toBe(0);
  }
  await expect(doneOrFailed(device, Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  expect(waitersOn(device)).toBe(0);
  expect(reactions()).toBe(1);
});

test("a failure wakes all who wait, and nobody waits after it", async () => {
  const { device, fail } = failing();
  const never = new Promise(() => {});
  const waiting = [doneOrFailed(device, never), doneOrFailed(device, never)];
  expect(waitersOn(device)).toBe(2);
  fail();
  await Promise.all(waiting);
  await doneOrFailed(device, never);
  expect(waitersOn(device)).toBe(0);
});

test("a device that has failed before anybody waits", async () => {
  const { device, fail } = failing();
  fail();
  await doneOrFailed(device, new Promise(() => {}));
});

test("launches leave no waiter on a device", async () => {
  const device = await testDevice();
  const x = { data: Float32Array.of(1, 2, 3), shape: [3] };
  for (let i = 0; i < 20; i++) {
    const launched = launch(device, forward, { a: x, b: x }, {}, i % 2 === 0 ? {} : { timeout: 60_000 });
    expect((await launched).outputs["y"]!.data).toEqual(Float32Array.of(2, 4, 6));
    expect(waitersOn(device)).toBe(0);
  }
});

test("of the pipelines of a device, the 256 used last are kept", async () => {
  let compiled = 0;
  const device = {
    pushErrorScope() {},
    popErrorScope: async () => null,
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipelineAsync: async () => ({ number: compiled++ }),
  } as unknown as GPUDevice;
  const compile = (WG: number) =>
    pipelineOf(device, forward, { text: forward.source, module: forward.module }, { WG }).then(
      ({ pipeline }) => pipeline,
    );
  const first = await compile(0);
  for (let WG = 1; WG < 256; WG++) await compile(WG);
  expect(await compile(0)).toBe(first); // and so 1 is the oldest
  await compile(256);
  expect(await compile(0)).toBe(first);
  expect(compiled).toBe(257);
  await compile(1);
  expect(compiled).toBe(258);
});
