// A device that has failed is opened again for what runs next (software.test.ts has one that hangs).
import { expect, test } from "vitest";
import type { Device } from "../../kernels-gpu/device/device.ts";
import { KernelError } from "../../kernels-gpu/device/errors.ts";
import { reopening } from "../../kernels-gpu/device/reopening.ts";

/** A device of which only its failure and its end are looked at. */
function fake(name: string, done = Promise.resolve()) {
  const seen = { closed: 0, fail: (why: string): void => void why };
  const failed = new Promise<KernelError>((resolve) => (seen.fail = (why) => resolve(new KernelError(why))));
  const queue = { onSubmittedWorkDone: () => done };
  const device = { name, failed, close: () => void seen.closed++, device: { queue } } as unknown as Device;
  return { device, seen };
}

test("a device stays until it fails, and is closed when its work is done", async () => {
  let finish = (): void => {};
  const [first, second] = [fake("first", new Promise<void>((resolve) => (finish = resolve))), fake("second")];
  const waiting = [first.device, second.device];
  const device = await reopening(async () => waiting.shift()!);
  expect(await device.current()).toBe(first.device);
  expect(await device.current()).toBe(first.device);
  first.seen.fail("no result within 5 ms");
  await first.device.failed;
  expect(await device.current()).toBe(second.device);
  expect(await device.current()).toBe(second.device);
  expect(first.seen.closed).toBe(0);
  finish();
  await new Promise((resolve) => setImmediate(resolve));
  expect([first.seen.closed, second.seen.closed, device.name]).toEqual([1, 0, "first"]);
});

test("a device that cannot be opened again throws why", async () => {
  const { device: first, seen } = fake("first");
  let opened = 0;
  const device = await reopening(async () => {
    if (opened++ === 0) return first;
    throw new Error("no device is left");
  });
  seen.fail("lost");
  await first.failed;
  await expect(device.current()).rejects.toThrow("no device is left");
});
