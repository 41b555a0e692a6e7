// A recorder notes dispatches, submits them in order, and owns every buffer that they need. Its parts do the work: dispatch.ts,
// substitutes.ts, holdings.ts, queue.ts, read-back.ts, guards.ts.
import { type Floats, type Ints, type Tensor, sizeOf } from "../../reference/tensor.ts";
import type { Specs } from "./axes.ts";
import { Buffers, type Memory } from "./buffers.ts";
import type { KernelDeclaration } from "./declaration.ts";
import { type Device, deviceOf } from "./device.ts";
import { planDispatch } from "./dispatch.ts";
import { inspected, type MemoryReport } from "./guards.ts";
import { Holdings } from "./holdings.ts";
import type { ByName } from "./names.ts";
import { isLow, type LowType } from "./packed.ts";
import { pipelineOf } from "./pipelines.ts";
import type { Kernel } from "./program.ts";
import { SubmissionQueue } from "./queue.ts";
import { type ReadBack, readWords } from "./read-back.ts";
import { mostBytesOf } from "./sizes.ts";
import { type SubstituteOptions, Substitutes } from "./substitutes.ts";
import { asTensor, type DeviceTensor, wordsFor } from "./tensors.ts";

/**
 * checked: NaN in outputs, guards after all tensors, for judging. fast: nothing is filled, and a tensor that is released
 * before the submission shares its buffer with tensors that no dispatch needs at the same time.
 */
export type Mode = "checked" | "fast";

export interface RecorderOptions extends SubstituteOptions {
  /** "fast" if left out. */
  readonly mode?: Mode;
  /** Storage of non-wide float32 outputs when no input determines it (casts). */
  readonly outputs?: LowType;
  /** Milliseconds after which a kernel counts as hanging. Without it a read waits forever. */
  readonly timeout?: number;
  /** Bytes that all buffers may take together; a submission that needs more throws RangeError. */
  readonly memoryLimit?: number;
}

/**
 * Records dispatches on one device. Tensors live until `release` or `destroy`, over any number of submissions. A program's
 * `record` gets one.
 *
 * @example
 * ```ts
 * import { type DeviceTensor, type KernelRecorder, kernels } from "touchstone-llama/webgpu";
 *
 * const twice = (run: KernelRecorder, x: DeviceTensor): DeviceTensor =>
 *   run.dispatch(kernels["add.forward"], { a: x, b: x }).y; // x: [N] → y: [N]
 * ```
 */
export class KernelRecorder {
  readonly #device: Device;
  readonly #isChecked: boolean;
  readonly #otherwise: LowType | undefined;
  readonly #substitutes: Substitutes;
  readonly #buffers: Buffers;
  readonly #holdings: Holdings;
  readonly #queue: SubmissionQueue;
  readonly #reading: ReadBack;

  constructor(device: GPUDevice | Device, options: RecorderOptions = {}) {
    this.#device = deviceOf(device);
    this.#isChecked = options.mode === "checked";
    this.#otherwise = options.outputs;
    this.#substitutes = new Substitutes(options);
    const gpu = this.#device.device;
    this.#buffers = new Buffers(gpu, options.memoryLimit);
    this.#holdings = new Holdings(this.#buffers, this.#isChecked, mostBytesOf(gpu));
    this.#queue = new SubmissionQueue(this.#device, this.#buffers);
    this.#reading = { device: this.#device, queue: this.#queue, timeout: options.timeout };
  }

  /** Submissions so far. */
  get submissions(): number {
    return this.#queue.submissions;
  }

  /** Bytes of all buffers while the last submission ran. */
  get buffers(): number {
    return this.#queue.buffers;
  }

  /** Milliseconds spent waiting for pipelines to compile. */
  get compileMilliseconds(): number {
    return this.#queue.compileMilliseconds;
  }

  /** Copies a tensor of float32 or int32 to the device; float32 rounded to a low type where one is given. */
  upload(tensor: Tensor<Floats | Ints>, label = "upload", low?: LowType): DeviceTensor {
    return this.#holdings.upload(tensor, label, low);
  }

  /**
   * Records one dispatch and returns its outputs, which are fresh tensors. Where an input of float32 is stored low, so are
   * the outputs of float32 that the kernel does not name as wide. Throws RangeError when names, types or shapes do not fit
   * the kernel.
   */
  dispatch<I extends Specs, O extends Specs, S extends string>(
    kernel: Kernel<I, O, S>,
    inputs: ByName<keyof I, DeviceTensor>,
    ...[scalars]: [S] extends [never] ? [scalars?: ByName<never, number>] : [scalars: ByName<S, number>]
  ): ByName<keyof O, DeviceTensor> {
    return this.#dispatch(kernel, inputs as ByName<string, DeviceTensor>, scalars ?? {}) as never;
  }

  /** The same with every output of float32 stored in the given type, whatever the inputs are. */
  dispatchAs<I extends Specs, O extends Specs>(
    stored: LowType | "f32",
    kernel: Kernel<I, O, never>,
    inputs: ByName<keyof I, DeviceTensor>,
  ): ByName<keyof O, DeviceTensor> {
    return this.#dispatch(kernel, inputs as ByName<string, DeviceTensor>, {}, stored) as never;
  }

  #dispatch(
    kernel: KernelDeclaration,
    inputs: ByName<string, DeviceTensor>,
    scalars: ByName<string, number>,
    stored?: LowType | "f32",
  ): ByName<string, DeviceTensor> {
    const { id } = kernel;
    for (const [name, given] of Object.entries(inputs)) this.#holdings.check(given, `${id}: ${name} (${given.label})`);
    const text = this.#substitutes.textOf(kernel);
    const constants = this.#substitutes.constantsOf(kernel, text);
    const plan = planDispatch(kernel, { text, constants, inputs, scalars, stored, otherwise: this.#otherwise });
    for (const [name, { shape, type }] of Object.entries(plan.outputs))
      this.#holdings.bytesOf(`${id} ${name}`, shape, type);
    const outputs = Object.fromEntries(
      Object.entries(plan.outputs).map(([name, { shape, type }]) => [
        name,
        this.#allocate(shape, type, `${id} ${name}`),
      ]),
    );
    if (plan.groups.includes(0)) return outputs;
    const compiled = pipelineOf(this.#device.device, kernel, plan.source, constants);
    compiled.catch(() => {}); // reported by submit
    this.#queue.record({
      id,
      compiled,
      buffers: plan.bindings.map(({ name, index }) => [index, (inputs[name] ?? outputs[name]!).memory] as const),
      dims: plan.dims,
      dimsIndex: text.module.dimsIndex,
      groups: plan.groups,
    });
    return outputs;
  }

  /** Records a copy of several tensors of one type laid end to end: [N]. */
  concatenate(tensors: readonly DeviceTensor[], label: string): DeviceTensor {
    const type = tensors[0]?.type ?? "f32";
    if (isLow(type)) throw new RangeError(`${label}: ${type} cannot be laid end to end, copies are of whole words`);
    const sources = tensors.map((given) => {
      this.#holdings.check(given, `${label}: ${given.label}`);
      if (given.type !== type) throw new RangeError(`${label}: ${given.label} is ${given.type}, expected ${type}`);
      return { memory: given.memory, bytes: 4 * sizeOf(given.shape) };
    });
    const shape = [sources.reduce((n, { bytes }) => n + bytes / 4, 0)];
    const whole = this.#allocate(shape, type, label);
    this.#queue.record({ sources, into: whole.memory });
    return whole;
  }

  #allocate(shape: readonly number[], type: DeviceTensor["type"], label: string): DeviceTensor {
    const tensor = this.#holdings.allocate(shape, type, label);
    if (!this.#isChecked) this.#queue.needs(tensor.memory);
    return tensor;
  }

  /**
   * Compiles what is needed and hands all recorded dispatches to the device at once. Throws KernelError, and RangeError when
   * they need more memory than the limit.
   */
  submit(): Promise<void> {
    return this.#queue.submit();
  }

  /** The most bytes that these tensors held at once in the last submission, each from the first step that needs it to the last. */
  peakOf(tensors: Iterable<DeviceTensor>): number {
    return this.#queue.peakOf(tensors);
  }

  /**
   * Submits what is recorded, waits, and copies a tensor back: integers as Int32Array, others as Float32Array, exactly.
   * Throws KernelError.
   */
  async read(tensor: DeviceTensor): Promise<Tensor<Float32Array | Int32Array>> {
    const [read] = await this.readAll([tensor]);
    return read!;
  }

  /** The same of several tensors; what is recorded and the copies are one submission. */
  async readAll(tensors: readonly DeviceTensor[]): Promise<Tensor<Float32Array | Int32Array>[]> {
    for (const tensor of tensors) this.#holdings.check(tensor, tensor.label);
    const words = await readWords(this.#reading, tensors, ({ shape, type }) => wordsFor(sizeOf(shape), type));
    return tensors.map((tensor, i) => asTensor(tensor, words[i]!));
  }

  /**
   * Gives a tensor back; nothing that is recorded later may use it. In fast mode its memory serves others after its last use.
   */
  release(tensor: DeviceTensor): void {
    const { upload } = this.#holdings.find(tensor);
    if (this.#isChecked) return; // its guard is still to be inspected
    this.#holdings.drop(tensor);
    this.#queue.release(tensor.memory, upload !== false);
  }

  /** Releases every tensor whose numbers are in none of `keep`, whatever the shapes. */
  releaseAllBut(keep: Iterable<DeviceTensor>): void {
    const kept = new Set([...keep].map(({ memory }) => memory));
    for (const { tensor } of this.#holdings.all()) if (!kept.has(tensor.memory)) this.release(tensor);
  }

  /** Frees every buffer of this recorder. */
  destroy(): void {
    const held = this.#holdings.all().map(({ tensor }) => tensor);
    for (const tensor of held) this.#holdings.drop(tensor);
    this.#buffers.destroyAll([...held.map(({ memory }) => memory), ...this.#queue.clear()]);
  }

  /**
   * Reports what the kernels did to memory that was not theirs, and the words of every tensor, even inputs and intermediate ones.
   * Those named in `outputs` must be fully written. Throws TypeError unless the mode is checked.
   */
  async inspect(
    outputs: ByName<string, DeviceTensor>,
  ): Promise<{ hygiene: MemoryReport; words: Map<Memory, Uint32Array> }> {
    if (!this.#isChecked) throw new TypeError("only a checked recorder can be inspected");
    const held = this.#holdings.all();
    const tensors = held.map(({ tensor }) => tensor);
    const contents = await readWords(this.#reading, tensors, (tensor) => this.#holdings.wordsOf(tensor));
    const words = new Map(tensors.map(({ memory }, i) => [memory, contents[i]!]));
    const written = new Set(Object.values(outputs).map(({ memory }) => memory));
    return { hygiene: inspected(held, words, written), words };
  }

  /** Replacement texts and overrides that no dispatch used. */
  unused(): string[] {
    return this.#substitutes.unused();
  }
}
