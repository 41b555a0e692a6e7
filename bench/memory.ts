// How much memory attention's kernels hold, in both directions, as the sequence grows: linear in its length, where a matrix of
// scores would be quadratic.
import { openDevice } from "../kernels-gpu/device/dawn.ts";
import type { Device } from "../kernels-gpu/device/device.ts";
import * as attention from "../kernels-gpu/attention.ts";
import { KernelRecorder } from "../kernels-gpu/device/recorder.ts";
import type { DeviceTensor } from "../kernels-gpu/device/tensors.ts";
import { normal, streamOf } from "../reference/random.ts";

const [B, NH, HS] = [1, 1, 4];
const LENGTHS = [256, 512, 1024, 2048, 4096];

/** Prints bytes of all buffers while forward and backward run on this machine's device, and of the scores in float32. */
export async function benchMemory(): Promise<void> {
  const device = await openDevice();
  console.log(`attention, B=${B} NH=${NH} HS=${HS}, on ${device.name}: bytes of all buffers, as measured`);
  console.log("     T     forward    backward  of a token    the scores alone");
  for (const T of LENGTHS) {
    const [forward, backward] = await attentionMemory(device, T);
    const scores = 4 * B * NH * T * T;
    const columns = [
      String(T).padStart(6),
      count(forward, 12),
      count(backward, 12),
      count(backward / T, 12),
      count(scores, 20),
    ];
    console.log(columns.join(""));
  }
  device.close();
}

/** Bytes of all buffers after the forward, and after the backward that follows it. */
export async function attentionMemory(device: Device, T: number): Promise<[number, number]> {
  const run = new KernelRecorder(device);
  const input = (name: string): DeviceTensor => {
    const stream = streamOf(name);
    const data = Float32Array.from({ length: B * T * NH * HS }, (_, i) => normal(1, stream, i));
    return run.upload({ data, shape: [B, T, NH, HS] }, name);
  };
  const [q, k, v] = [input("q"), input("k"), input("v")];
  const { y, lse } = attention.forward.record(run, { q, k, v }, {});
  await run.read(lse);
  const forward = run.buffers;
  const dy = input("dy");
  const { dq, dk, dv } = attention.backward.record(run, { dy, q, k, v, y, lse }, {});
  run.releaseAllBut([dy, q, k, v, y, lse, dq, dk, dv]);
  await run.read(dv);
  const backward = run.buffers;
  run.destroy();
  return [forward, backward];
}

function count(value: number, width: number): string {
  return Math.round(value).toLocaleString("en").padStart(width);
}
