// The training step on a device: what reference/training/engine.ts promises, computed by the kernels. Weights, moments and
// activations stay on the device; the host gets the loss and the gradient norm.
import type { LlamaConfig } from "../reference/config.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../reference/tensor.ts";
import type { StepEngine } from "../reference/training/engine.ts";
import { recordPasses, recordUpdate } from "../reference/training/recorded.ts";
import { adamwScalars } from "../reference/training/schedule.ts";
import type { Passes, TrainingState } from "../reference/training/step.ts";
import * as adamw from "./adamw.ts";
import * as clip from "./clip.ts";
import * as crossEntropy from "./cross-entropy.ts";
import type { Device } from "./device.ts";
import { overAll } from "./gradient-norm.ts";
import { as, backward, forward, type OnDevice } from "./model.ts";
import { type DeviceTensor, Recorder } from "./recorder.ts";

/** What a target must be not to count (PyTorch's). */
const IGNORE_INDEX = -100;

type Named = Map<string, DeviceTensor>;

/** An engine that starts from a state, rounded to float32. Closing it closes the device. */
export function deviceEngine(device: Device, config: LlamaConfig, initial: TrainingState): StepEngine {
  const run = new Recorder(device);
  const upload = (tensors: ReadonlyMap<string, Tensor>): Named =>
    new Map([...tensors].map(([name, t]) => [name, run.upload(float32(t), name)]));
  let weights = upload(initial.weights);
  let firstMoment = upload(initial.firstMoment);
  let secondMoment = upload(initial.secondMoment);
  let gradients: { weights: Named; norm: DeviceTensor } | undefined;
  const kept = () => [...weights.values(), ...firstMoment.values(), ...secondMoment.values()];
  const state = async (): Promise<TrainingState> => ({
    weights: await readAll(run, weights),
    firstMoment: await readAll(run, firstMoment),
    secondMoment: await readAll(run, secondMoment),
  });

  return {
    async differentiate(batch, record) {
      run.releaseAllBut(kept()); // an earlier batch that was not used
      const R = sizeOf(batch.targets.shape);
      const activations = forward(run, config, weights, run.upload(batch.tokens, "tokens"));
      const targets = as(run.upload(batch.targets, "targets"), R);
      const { logits } = activations;
      const ignoring = { ignoreIndex: IGNORE_INDEX };
      const { loss, lse } = crossEntropy.forward.record(run, { logits, targets }, ignoring);
      const dloss = run.upload({ data: Float32Array.of(1), shape: [] }, "dloss");
      const { dlogits } = crossEntropy.backward.record(run, { dloss, logits, targets, lse }, ignoring);
      const passed = backward(run, config, weights, activations, dlogits);
      const norm = overAll(run, [...passed.weights.values()]);
      gradients = { weights: passed.weights, norm };
      const [lossValue, gradientNorm] = [await scalar(run, loss), await scalar(run, norm)];
      if (record !== undefined) {
        const passes: OnDevice<Passes> = { activations, loss, lse, dloss, gradients: passed, norm };
        recordPasses((await onHost(run, passes)) as Passes, record);
      }
      run.releaseAllBut([...kept(), ...passed.weights.values(), norm]);
      return { loss: lossValue, gradientNorm };
    },

    async update(h, t, record) {
      if (gradients === undefined)
        throw new RangeError("update needs the gradients of a batch: differentiate one first");
      const { norm } = gradients;
      const clipped: Named = new Map();
      const next = { weights: new Map() as Named, firstMoment: new Map() as Named, secondMoment: new Map() as Named };
      for (const [name, w] of weights) {
        const N = sizeOf(w.shape);
        const flat = (from: Named): DeviceTensor => as(from.get(name)!, N);
        const inputs = { g: flat(gradients.weights), norm };
        const { g } = clip.forward.record(run, inputs, { maxNorm: h.maxGradientNorm });
        const scalars = adamwScalars(h, t, { data: new Float32Array(0), shape: w.shape });
        const moments = { m: flat(firstMoment), v: flat(secondMoment) };
        const moved = adamw.forward.record(run, { w: as(w, N), g, ...moments }, { ...scalars });
        clipped.set(name, as(g, ...w.shape));
        next.weights.set(name, as(moved.w, ...w.shape));
        next.firstMoment.set(name, as(moved.m, ...w.shape));
        next.secondMoment.set(name, as(moved.v, ...w.shape));
      }
      ({ weights, firstMoment, secondMoment } = next);
      gradients = undefined;
      await run.submit();
      if (record !== undefined) recordUpdate(await readAll(run, clipped), await state(), record);
      run.releaseAllBut(kept());
    },

    state,

    close() {
      run.destroy();
      device.close();
    },
  };
}

function float32(t: Tensor): Tensor<Float32Array> {
  return { data: t.data instanceof Float32Array ? t.data : new Float32Array(t.data), shape: t.shape };
}

async function scalar(run: Recorder, t: DeviceTensor): Promise<number> {
  return (await run.read(t)).data[0];
}

async function readAll(run: Recorder, tensors: ReadonlyMap<string, DeviceTensor>): Promise<Map<string, Tensor>> {
  return (await onHost(run, tensors)) as Map<string, Tensor>;
}

/** The same form with the tensors read back. */
async function onHost(run: Recorder, value: unknown): Promise<unknown> {
  if (isDeviceTensor(value)) return (await run.read(value)) as Tensor<Floats | Ints>;
  if (value instanceof Map) {
    const read = new Map<unknown, unknown>();
    for (const [name, t] of value) read.set(name, await onHost(run, t));
    return read;
  }
  if (Array.isArray(value)) return Promise.all(value.map((one) => onHost(run, one)));
  const read: Record<string, unknown> = {};
  for (const [name, t] of Object.entries(value as object)) read[name] = await onHost(run, t);
  return read;
}

function isDeviceTensor(value: unknown): value is DeviceTensor {
  return typeof value === "object" && value !== null && "buffer" in value && "shape" in value;
}
