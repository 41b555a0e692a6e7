// Waiting for work on a device that may fail meanwhile.
//
// `Promise.race([work, device.failed])` would leave a reaction on `failed` each time, and they all live as long as the device. Here
// one reaction wakes whoever waits, and each waiter is forgotten when its work is done.
import type { Device } from "./device.ts";

interface Waiters {
  readonly wake: Set<() => void>;
  hasFailed: boolean;
}

const waiters = new WeakMap<Device, Waiters>();

/** Resolves when the work is done or the device has failed. Rejects as the work does. */
export async function doneOrFailed(device: Device, work: Promise<unknown>): Promise<void> {
  const waiting = waitersOf(device);
  if (waiting.hasFailed) return;
  let wake = (): void => {};
  const failed = new Promise<void>((resolve) => waiting.wake.add((wake = resolve)));
  try {
    await Promise.race([work, failed]);
  } finally {
    waiting.wake.delete(wake);
  }
}

/** How many wait for work on the device now. */
export function waitersOn(device: Device): number {
  return waitersOf(device).wake.size;
}

function waitersOf(device: Device): Waiters {
  const known = waiters.get(device);
  if (known !== undefined) return known;
  const made: Waiters = { wake: new Set(), hasFailed: false };
  waiters.set(device, made);
  void device.failed.then(() => {
    made.hasFailed = true;
    for (const wake of made.wake) wake();
  });
  return made;
}
