// Words from the device: copied into a buffer that the host may map, with a limit on how long that may take.
import { startTimer } from "../../reference/timer.ts";
import type { Device } from "./device.ts";
import { bufferUsage, mapMode } from "./flags.ts";
import { oneLine } from "./pipelines.ts";
import type { SubmissionQueue } from "./queue.ts";
import type { DeviceTensor } from "./tensors.ts";
import { append } from "../../reference/lists.ts";
import { doneOrFailed } from "./waiting.ts";

const MOST_STAGING = 2 ** 28;

/** Where words are read from; `timeout`: milliseconds after which a kernel counts as hanging. */
export interface ReadBack {
  readonly device: Device;
  readonly queue: SubmissionQueue;
  readonly timeout?: number | undefined;
}

/**
 * The first `count` words of each tensor, in one submission with what is recorded; in several where they exceed 256 MiB.
 * Throws KernelError.
 */
export async function readWords(
  from: ReadBack,
  tensors: readonly DeviceTensor[],
  count: (tensor: DeviceTensor) => number,
): Promise<Uint32Array[]> {
  const sizes = tensors.map((tensor) => count(tensor) * 4);
  const results: Uint32Array[] = [];
  for (let first = 0, next = 0; first < tensors.length; first = next) {
    let total = 0;
    do total += sizes[next++]!;
    while (next < tensors.length && total + sizes[next]! <= MOST_STAGING);
    append(results, await copyBack(from, tensors.slice(first, next), sizes.slice(first, next), total));
  }
  return results;
}

async function copyBack(
  { device, queue, timeout }: ReadBack,
  tensors: readonly DeviceTensor[],
  sizes: readonly number[],
  total: number,
): Promise<Uint32Array[]> {
  if (total === 0) {
    await queue.submit();
    return sizes.map(() => new Uint32Array(0));
  }
  const usage = bufferUsage.MAP_READ | bufferUsage.COPY_DST;
  const staging = device.device.createBuffer({ label: "staging", size: total, usage });
  try {
    const sources = tensors.map(({ memory }, i) => ({ memory, bytes: sizes[i]! }));
    queue.record({ sources, into: { bytes: total, buffer: staging } });
    await queue.submit();
    await finished(device, staging.mapAsync(mapMode.READ), timeout);
    device.check(queue.recent);
    const mapped = staging.getMappedRange();
    let at = 0;
    return sizes.map((size) => new Uint32Array(mapped.slice(at, (at += size))));
  } finally {
    staging.destroy();
  }
}

/** Waits for the device, but not for a lost one, nor longer than the timeout. */
async function finished(device: Device, work: Promise<unknown>, timeout: number | undefined): Promise<void> {
  const late = (): void => device.fail(`no result within ${timeout} ms`);
  const stopTimer = startTimer(timeout ?? Infinity, late);
  const settled = work.catch((error: Error) => device.fail(oneLine(error.message)));
  await doneOrFailed(device, settled);
  stopTimer();
}
