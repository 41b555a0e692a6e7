// The training step on a device: the kernels compute what reference/training/engine.ts promises. Weights, moments and
// activations stay on the device; the host gets the loss and the gradient norm.
import type { LlamaConfig } from "../reference/config.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../reference/tensor.ts";
import type { MeasuredStep, StepEngine, StepOptions } from "../reference/training/engine.ts";
import type { Hyperparameters } from "../reference/training/hyperparameters.ts";
import { meanLoss, targetShares, splitBatch } from "../reference/training/micro-batches.ts";
import { recordCopies, recordParts, recordUpdate } from "../reference/training/recorded.ts";
import { adamwScalars } from "../reference/training/schedule.ts";
import type { PassesInParts } from "../reference/training/in-parts.ts";
import type { Batch, TrainingState } from "../reference/training/step.ts";
import * as adamw from "./adamw.ts";
import * as add from "./add.ts";
import { cast } from "./cast.ts";
import * as clip from "./clip.ts";
import * as crossEntropy from "./cross-entropy.ts";
import { type Device, deviceOf } from "./device/device.ts";
import { overAll } from "./gradient-norm.ts";
import { as, backward, forward, type OnDevice } from "./model.ts";
import { lowTypes, type StoredType } from "./device/packed.ts";
import { KernelRecorder } from "./device/recorder.ts";
import type { DeviceTensor } from "./device/tensors.ts";

/** The target that is ignored (PyTorch's number). */
const IGNORE_INDEX = -100;

type DeviceTensors = Map<string, DeviceTensor>;

/**
 * The training step on a device, as deviceEngine gives it: `differentiate` and `update`, or both as one `step`.
 *
 * @example
 * ```ts
 * import type { DeviceEngine } from "touchstone-llama/webgpu";
 *
 * const bytes = (engine: DeviceEngine): number => engine.measured().buffers;
 * ```
 */
export interface DeviceEngine extends StepEngine {
  measured(): MeasuredStep;
}

/** Gradients that have been recorded, and may not have been computed yet. */
interface Recorded {
  readonly shares: readonly number[];
  readonly losses: readonly DeviceTensor[];
  readonly weights: DeviceTensors;
  readonly norm: DeviceTensor;
  readonly passes: OnDevice<Omit<PassesInParts, "loss">>;
  /** The low copies that the passes read instead of the weights, in mixed precision. */
  readonly copies: DeviceTensors | undefined;
}

/**
 * The training step on a device: forward, loss, backward, norm, clipping and AdamW in one submission, from a state that is
 * rounded to float32. Closing it closes what openDevice returned, while a plain GPUDevice stays open.
 *
 * @example
 * ```ts
 * import { reference } from "touchstone-llama";
 * import { openDevice } from "touchstone-llama/node";
 * import { deviceEngine } from "touchstone-llama/webgpu";
 *
 * const config = { ...reference.presets.tiny, nLayers: 1 };
 * const state = reference.training.initialState(reference.initialWeights(config, 1, Float32Array));
 * const engine = deviceEngine(await openDevice(), config, state, { recompute: "full" });
 * const tokens = { data: new Int32Array([1, 2, 3, 4]), shape: [1, 4] };
 * const targets = { data: new Int32Array([2, 3, 4, 5]), shape: [1, 4] };
 * const hyperparameters = {
 *   learningRate: 0.01,
 *   warmupSteps: 1,
 *   totalSteps: 10,
 *   minLearningRateRatio: 0.1,
 *   weightDecay: 0.1,
 *   beta1: 0.9,
 *   beta2: 0.95,
 *   adamEps: 1e-8,
 *   maxGradientNorm: 1,
 * };
 * const { loss, gradientNorm } = await engine.step({ tokens, targets }, hyperparameters, 1); // AdamW's t = 1
 * const { activations, buffers } = engine.measured(); // bytes
 * engine.close();
 * ```
 *
 * Options left out are recompute "none", microBatches 1, dtype "float32" and no memory limit. A step that needs more memory than
 * the limit rejects with RangeError, one that the device refuses with KernelError.
 */
export function deviceEngine(
  gpu: GPUDevice | Device,
  config: LlamaConfig,
  initial: TrainingState,
  { recompute = "none", microBatches = 1, memoryLimit, dtype = "float32" }: StepOptions = {},
): DeviceEngine {
  const low = dtype === "float32" ? undefined : lowTypes[dtype];
  const device = deviceOf(gpu);
  const run = new KernelRecorder(device, memoryLimit === undefined ? {} : { memoryLimit });
  const upload = (tensors: ReadonlyMap<string, Tensor>): DeviceTensors =>
    new Map([...tensors].map(([name, t]) => [name, run.upload(float32(t), name)]));
  let weights = upload(initial.weights);
  let firstMoment = upload(initial.firstMoment);
  let secondMoment = upload(initial.secondMoment);
  let gradients: { weights: DeviceTensors; norm: DeviceTensor } | undefined;
  let held: readonly DeviceTensor[] = []; // activations and their gradients, of the first micro-batch
  let activations = 0;
  const recordedAs = new WeakMap<Floats | Ints, StoredType>();
  const toHost = <T>(form: unknown): Promise<T> => onHost(run, form, recordedAs);
  const kept = () => [...weights.values(), ...firstMoment.values(), ...secondMoment.values()];
  const state = async (): Promise<TrainingState> => ({
    weights: await toHost(weights),
    firstMoment: await toHost(firstMoment),
    secondMoment: await toHost(secondMoment),
  });

  /** Records both passes over each part of a batch, the sums of their gradients and the norm of those. */
  function derive(batch: Batch): Recorded {
    run.releaseAllBut(kept()); // an earlier batch that was not used
    const parts = splitBatch(batch, microBatches);
    const shares = targetShares(parts, IGNORE_INDEX);
    const stored = low === undefined ? weights : new Map([...weights].map(([name, w]) => [name, cast(run, w, low)]));
    const passes: ReturnType<typeof passOver>[] = [];
    const sums: DeviceTensors[] = [];
    for (const [i, part] of parts.entries()) {
      const pass = passOver(stored, part, shares[i]);
      const { weights: ofPart } = pass.gradients;
      sums.push(i === 0 ? ofPart : added(run, sums[i - 1], ofPart)); // before the next part, so that one sum is held
      passes.push(pass);
    }
    const total = sums[parts.length - 1];
    const norm = overAll(run, [...total.values()]);
    held = passes[0].held;
    const all = { parts: passes.map(({ held: _held, ...pass }) => pass), sums, norm };
    const copies = low === undefined ? undefined : stored;
    return { shares, losses: passes.map(({ loss }) => loss), weights: total, norm, passes: all, copies };
  }

  function passOver(stored: DeviceTensors, { tokens, targets: ids }: Batch, share: number) {
    const targets = as(run.upload(ids, "targets"), sizeOf(ids.shape));
    const activated = forward(run, config, stored, run.upload(tokens, "tokens"));
    const { logits } = activated;
    const ignoring = { ignoreIndex: IGNORE_INDEX };
    const { loss, lse } = crossEntropy.forward.record(run, { logits, targets }, ignoring);
    const dloss = run.upload({ data: Float32Array.of(share), shape: [] }, "dloss");
    const { dlogits } = crossEntropy.backward.record(run, { dloss, logits, targets, lse }, ignoring);
    const recomputed: DeviceTensor[] = [];
    const passed = backward(run, config, stored, activated, dlogits, recompute, recomputed);
    const { weights: _, terms: __, ...activationGradients } = passed;
    const layers = passed.layers.map(({ weights: ___, ...layer }) => layer);
    const tensors = tensorsIn([activated, targets, lse, { ...activationGradients, layers }, recomputed]);
    return { activations: activated, loss, lse, dloss, gradients: passed, held: tensors };
  }

  /** Records clipping and AdamW at step t; their outputs become the state. Returns the clipped gradients. */
  function move(g: { weights: DeviceTensors; norm: DeviceTensor }, h: Hyperparameters, t: number): DeviceTensors {
    const clipped: DeviceTensors = new Map();
    const next = {
      weights: new Map() as DeviceTensors,
      firstMoment: new Map() as DeviceTensors,
      secondMoment: new Map() as DeviceTensors,
    };
    for (const [name, w] of weights) {
      const N = sizeOf(w.shape);
      const flat = (from: DeviceTensors): DeviceTensor => as(from.get(name)!, N);
      const cut = clip.forward.record(run, { g: flat(g.weights), norm: g.norm }, { maxNorm: h.maxGradientNorm });
      const { step: _, ...scalars } = adamwScalars(h, t, { data: new Float32Array(0), shape: w.shape });
      const moments = { m: flat(firstMoment), v: flat(secondMoment) };
      const moved = adamw.forward.record(run, { w: as(w, N), g: cut.g, ...moments }, scalars);
      clipped.set(name, as(cut.g, ...w.shape));
      next.weights.set(name, as(moved.w, ...w.shape));
      next.firstMoment.set(name, as(moved.m, ...w.shape));
      next.secondMoment.set(name, as(moved.v, ...w.shape));
    }
    ({ weights, firstMoment, secondMoment } = next);
    gradients = undefined;
    return clipped;
  }

  /** Runs what is recorded, in one submission with the copies of the losses and the norm. */
  async function finish({ shares, losses, norm }: Recorded): Promise<{ loss: number; gradientNorm: number }> {
    const numbers = (await run.readAll([...losses, norm])).map(({ data }) => data[0]);
    const loss = Math.fround(meanLoss(shares, numbers.slice(0, -1)));
    activations = run.peakOf(held);
    return { loss, gradientNorm: numbers.at(-1)! };
  }

  return {
    async differentiate(batch, record) {
      const recorded = derive(batch);
      const keep = [...kept(), ...recorded.weights.values(), recorded.norm];
      if (record !== undefined) {
        const passes = await toHost<Omit<PassesInParts, "loss">>(recorded.passes); // before anything is released
        if (recorded.copies !== undefined) recordCopies(await toHost(recorded.copies), record);
        const losses = passes.parts.map(({ loss }) => loss.data[0]);
        const loss = Float32Array.of(meanLoss(recorded.shares, losses));
        recordParts({ ...passes, loss: { data: loss, shape: [] } }, record);
      }
      run.releaseAllBut([...keep, ...recorded.losses]);
      gradients = recorded;
      return finish(recorded);
    },

    async update(h, t, record) {
      if (gradients === undefined)
        throw new RangeError("update needs the gradients of a batch: differentiate one first");
      const clipped = move(gradients, h, t);
      if (record !== undefined) recordUpdate(await toHost(clipped), await state(), record);
      run.releaseAllBut(kept());
      await run.submit();
    },

    async step(batch, h, t) {
      const recorded = derive(batch);
      move(recorded, h, t);
      run.releaseAllBut([...kept(), ...recorded.losses, recorded.norm]);
      return finish(recorded);
    },

    state,

    storedAs: ({ data }) => (recordedAs.get(data) === "bf16" ? "bfloat16" : undefined),

    measured: () => ({ activations, buffers: run.buffers, submissions: run.submissions }),

    close() {
      run.destroy();
      if (gpu === device) device.close(); // a GPUDevice stays open
    },
  };
}

function float32(t: Tensor): Tensor<Float32Array> {
  return { data: t.data instanceof Float32Array ? t.data : new Float32Array(t.data), shape: t.shape };
}

/** The sums of two parts' gradients, in float32 whatever they are stored as: with many parts, each is small against the sum. */
function added(run: KernelRecorder, sum: DeviceTensors, more: DeviceTensors): DeviceTensors {
  return new Map(
    [...sum].map(([name, dw]) => {
      const [a, b] = [dw, more.get(name)!].map((t) => as(t, sizeOf(t.shape)));
      return [name, as(run.dispatchAs("f32", add.forward, { a, b }).y, ...dw.shape)];
    }),
  );
}

/** The same form with the tensors read back, all in one submission; how each was stored goes to `recordedAs`. */
async function onHost<T>(
  run: KernelRecorder,
  form: unknown,
  recordedAs: WeakMap<Floats | Ints, StoredType>,
): Promise<T> {
  const tensors = tensorsIn(form);
  const read = await run.readAll(tensors);
  for (const [i, { data }] of read.entries()) recordedAs.set(data, tensors[i].type);
  const found = new Map(tensors.map((t, i) => [t, read[i]]));
  return mapTensors(form, (t) => found.get(t)!) as T;
}

function tensorsIn(form: unknown): DeviceTensor[] {
  const tensors: DeviceTensor[] = [];
  mapTensors(form, (t) => void tensors.push(t));
  return tensors;
}

function mapTensors(form: unknown, f: (t: DeviceTensor) => Tensor<Floats | Ints> | void): unknown {
  if (isDeviceTensor(form)) return f(form);
  if (Array.isArray(form)) return form.map((one) => mapTensors(one, f));
  if (form instanceof Map) return new Map([...form].map(([name, one]) => [name, mapTensors(one, f)]));
  return Object.fromEntries(Object.entries(form as object).map(([name, one]) => [name, mapTensors(one, f)]));
}

function isDeviceTensor(value: unknown): value is DeviceTensor {
  return typeof value === "object" && value !== null && "memory" in value && "shape" in value;
}
