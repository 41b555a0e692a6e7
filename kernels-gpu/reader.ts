// Reading on a device, with a key/value cache there: the kernels compute what reference/model/reader.ts promises.
import { type LlamaConfig, headSize } from "../reference/config.ts";
import type { KeysAndValues } from "../reference/model/block.ts";
import type { Reader } from "../reference/model/reader.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type Device, deviceOf } from "./device/device.ts";
import { as, forward, type OnDevice } from "./model.ts";
import { KernelRecorder } from "./device/recorder.ts";
import type { DeviceTensor } from "./device/tensors.ts";
import { counted } from "../reference/words.ts";

/** The cache grows by so many positions at a time, so that few sizes of buffers are in use. */
const STRIDE = 64;

/**
 * Reads token after token on a device, with a cache of keys and values there, up to the model's maxSeqLen.
 *
 * @example
 * ```ts
 * import { reference } from "touchstone-llama";
 * import { openDevice } from "touchstone-llama/node";
 * import { deviceReader } from "touchstone-llama/webgpu";
 *
 * const config = { ...reference.presets.tiny, nLayers: 1 };
 * const weights = reference.initialWeights(config, 1, Float32Array);
 * const reader = deviceReader(await openDevice(), config, weights);
 * const logits = await reader.read(new Int32Array([1, 2, 3])); // [3, V]
 * reader.cut(1); // forgets all positions but the first
 * reader.close();
 * ```
 *
 * Closing it closes what openDevice returned, while a plain GPUDevice stays open.
 */
export function deviceReader(
  gpu: GPUDevice | Device,
  config: LlamaConfig,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
): Reader {
  const device = deviceOf(gpu);
  const run = new KernelRecorder(device);
  const held = new Map([...weights].map(([name, w]) => [name, run.upload(w, name)]));
  const { nKvHeads, vocabSize, maxSeqLen } = config;
  const HS = headSize(config);
  const room = run.upload({ data: new Float32Array(STRIDE * nKvHeads * HS), shape: [STRIDE * nKvHeads * HS] }, "room");
  const layers: OnDevice<KeysAndValues>[] = [];
  let length = 0;

  /** The first `length` positions of `kept`, those of t, and room up to the next multiple of the stride. */
  function extended(kept: DeviceTensor | undefined, t: DeviceTensor, label: string): DeviceTensor {
    const S = length + t.shape[1];
    const left = (STRIDE - (S % STRIDE)) % STRIDE;
    const parts = [t, as(room, left * nKvHeads * HS)];
    if (kept !== undefined) parts.unshift(as(kept, 1, length, nKvHeads, HS));
    return as(run.concatenate(parts, label), 1, S, nKvHeads, HS);
  }

  return {
    config,
    get length() {
      return length;
    },
    async read(tokens) {
      const T = tokens.length;
      if (!(length + T <= maxSeqLen)) {
        throw new RangeError(
          `${counted(T, "token")} after ${counted(length, "position")}, expected at most maxSeqLen=${maxSeqLen} in all`,
        );
      }
      const wrong = tokens.findIndex((id) => !(id >= 0 && id < vocabSize));
      if (wrong >= 0) throw new RangeError(`tokens[${wrong}] is ${tokens[wrong]}, expected an id in [0, ${vocabSize})`);
      const extend = (i: number, { k, v }: OnDevice<KeysAndValues>): OnDevice<KeysAndValues> => {
        layers[i] = { k: extended(layers[i]?.k, k, `keys ${i}`), v: extended(layers[i]?.v, v, `values ${i}`) };
        return layers[i];
      };
      const { logits } = forward(run, config, held, run.upload({ data: tokens, shape: [1, T] }, "tokens"), {
        length,
        extend,
      });
      const read = (await run.read(logits)) as Tensor;
      run.releaseAllBut([...held.values(), room, ...layers.flatMap(({ k, v }) => [k, v])]);
      length += T;
      return read;
    },
    cut(kept) {
      if (!(Number.isInteger(kept) && kept >= 0 && kept <= length)) {
        throw new RangeError(`the cache holds ${length} positions, cannot keep ${kept}`);
      }
      length = kept;
    },
    close() {
      run.destroy();
      if (gpu === device) device.close(); // a GPUDevice stays open
    },
  };
}
