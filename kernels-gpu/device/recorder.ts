// A recorder takes dispatches down, submits them in order, and owns every buffer that they need.
import { globals } from "webgpu";
import { type Floats, type Ints, type Tensor, sizeOf } from "../../reference/tensor.ts";
import { resolveAxes, shapeOf, type Specs } from "./axes.ts";
import { Buffers, type Memory } from "./buffers.ts";
import type { Device } from "./device.ts";
import { guardLength, guardOf, type Hygiene, note, type Offence, unwrittenOf } from "./hygiene.ts";
import { type Kernel, type KernelDeclaration, MOST_WORKGROUPS, type Named, checkKernel } from "./kernel.ts";
import {
  elementBytes,
  elementsIn,
  fromHalves,
  isLow,
  type LowType,
  packedSource,
  type StoredType,
  toHalves,
} from "./packed.ts";
import { bindingsOf, oneLine, pipelineOf, type Source } from "./pipelines.ts";
import { mostAtOnce, type Span } from "./placement.ts";
import { dispatchesOf, nameOf, spansOf, type Step, submitSteps } from "./submission.ts";
import { packDims, parseWgsl } from "./wgsl.ts";

const { GPUBufferUsage, GPUMapMode } = globals as typeof globalThis;

/** A tensor on the device: contiguous, row-major. */
export interface DeviceTensor {
  readonly memory: Memory;
  readonly shape: readonly number[];
  readonly type: StoredType;
  /** Where it comes from: "swiglu.forward y". */
  readonly label: string;
}

/**
 * checked: NaN in outputs, guards behind all tensors, for judging. fast: nothing is filled, and a tensor that is released
 * before the submission shares its buffer with those that no dispatch needs together with it.
 */
export type Mode = "checked" | "fast";

export interface RecorderOptions {
  readonly mode?: Mode;
  /** Texts that stand in for WGSL files, by file name: "swiglu.forward.wgsl". */
  readonly sources?: ReadonlyMap<string, string>;
  /** What outputs of float32 that are not wide are stored as where no input says it: those of a cast. */
  readonly outputs?: LowType;
  /** Values of overrides, for every kernel that has one of that name. */
  readonly overrides?: Readonly<Record<string, number>>;
  /** Milliseconds after which a kernel counts as hanging. Without it a read waits for ever. */
  readonly timeout?: number;
  /** Bytes that all buffers may take together; a submission that needs more throws RangeError. */
  readonly memoryLimit?: number;
}

const MOST_STAGING = 2 ** 28;

interface Batch {
  readonly steps: Step[];
  /** Computed for the first time by one of these steps. */
  readonly fresh: Set<Memory>;
  /** Not used by later submissions, and whether the host put it there. */
  readonly released: Map<Memory, boolean>;
}

const emptyBatch = (): Batch => ({ steps: [], fresh: new Set(), released: new Map() });

interface Owned {
  readonly tensor: DeviceTensor;
  /** Whether the host put it there, and in checked mode as which elements. */
  readonly upload: Uint32Array | Uint16Array | boolean;
  /** Which payload its guard carries. */
  readonly serial: number;
}

/** Records dispatches on one device. Tensors live until `release` or `destroy`, over any number of submissions. */
export class Recorder {
  readonly device: Device;
  readonly mode: Mode;
  /** Milliseconds spent waiting for pipelines to compile. */
  compileMilliseconds = 0;
  readonly #options: RecorderOptions;
  readonly #sources = new Map<string, Source>();
  readonly #used = new Set<string>();
  /** Submissions so far. */
  submissions = 0;
  /** Bytes of all buffers while the last submission ran. */
  buffers = 0;
  readonly #owned = new Map<Memory, Owned>();
  readonly #released = new WeakSet<Memory>();
  readonly #buffers: Buffers;
  #pending = 0;
  #serial = 0;
  #batch = emptyBatch();
  #spans = new Map<Memory, Span>();
  #submitted: Promise<void> = Promise.resolve();
  #recent = "nothing dispatched";

  constructor(device: Device, options: RecorderOptions = {}) {
    this.device = device;
    this.mode = options.mode ?? "fast";
    this.#options = options;
    this.#buffers = new Buffers(device.device, options.memoryLimit);
  }

  /** Copies a tensor of float32 or int32 to the device; float32 rounded to a low type where one is given. */
  upload(tensor: Tensor<Floats | Ints>, label = "upload", low?: LowType): DeviceTensor {
    const { data, shape } = tensor;
    if (!(data instanceof Float32Array || data instanceof Int32Array)) {
      throw new TypeError(`${label} is a ${data.constructor.name}, expected Float32Array or Int32Array`);
    }
    if (data.length !== sizeOf(shape))
      throw new RangeError(`${label} has shape [${shape}] but holds ${data.length} numbers`);
    if (low !== undefined && data instanceof Int32Array) throw new TypeError(`${label} holds integers, not ${low}`);
    const type = data instanceof Int32Array ? "i32" : (low ?? "f32");
    const bits = isLow(type)
      ? toHalves(data as Float32Array, type)
      : new Uint32Array(data.buffer, data.byteOffset, data.length);
    const serial = this.#serial++;
    const buffer = this.#create(label, shape, type, (elements) => {
      if (this.mode === "checked") elements.fill(guardOf(serial, type), bits.length);
      elements.set(bits);
    });
    const uploaded: DeviceTensor = { memory: { bytes: buffer.size, buffer }, shape, type, label };
    const upload = this.mode === "checked" ? bits.slice() : true;
    this.#owned.set(uploaded.memory, { tensor: uploaded, upload, serial });
    return uploaded;
  }

  /**
   * Records one dispatch and returns its outputs, which are fresh tensors. Where an input of float32 is stored low, so are
   * the outputs of float32 that the kernel does not name as wide. Throws RangeError when names, types or shapes do not fit
   * the kernel.
   */
  dispatch<I extends Specs, O extends Specs, S extends string>(
    kernel: Kernel<I, O, S>,
    inputs: Named<keyof I, DeviceTensor>,
    ...[scalars]: [S] extends [never] ? [scalars?: Named<never, number>] : [scalars: Named<S, number>]
  ): Named<keyof O, DeviceTensor> {
    return this.#dispatch(kernel, inputs as Named<string, DeviceTensor>, scalars ?? {}) as never;
  }

  /** The same with every output of float32 stored as named, whatever the inputs are. */
  dispatchAs<I extends Specs, O extends Specs>(
    stored: LowType | "f32",
    kernel: Kernel<I, O, never>,
    inputs: Named<keyof I, DeviceTensor>,
  ): Named<keyof O, DeviceTensor> {
    return this.#dispatch(kernel, inputs as Named<string, DeviceTensor>, {}, stored) as never;
  }

  #dispatch(
    kernel: KernelDeclaration,
    inputs: Named<string, DeviceTensor>,
    scalars: Named<string, number>,
    stored?: LowType | "f32",
  ): Named<string, DeviceTensor> {
    const { id } = kernel;
    const given = this.#sourceOf(kernel);
    const bindings = bindingsOf(kernel, given.module);
    sameNames(`${id}: inputs`, Object.keys(kernel.inputs), Object.keys(inputs));
    sameNames(`${id}: scalars`, kernel.scalars, Object.keys(scalars));
    const types = new Map<string, LowType>();
    for (const { name, type } of bindings) {
      const input = inputs[name];
      if (input === undefined) continue;
      if (this.#released.has(input.memory)) throw new RangeError(`${id}: ${name} (${input.label}) was released`);
      if (isLow(input.type) && type === "f32") types.set(name, input.type);
      else if (input.type !== type)
        throw new RangeError(`${id}: ${name} (${input.label}) is ${input.type}, expected ${type}`);
    }
    const [low, ...others] = new Set(types.values());
    if (others.length > 0) throw new RangeError(`${id}: inputs are stored as ${low} and ${others[0]}, expected one`);
    const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    const lengths = named(id, () => resolveAxes(kernel.inputs, shapes, scalars));
    const constants = this.#constantsOf(kernel, given);
    const defaults = Object.fromEntries(given.module.overrides.map(({ name, value }) => [name, value]));
    const groups = checkGroups(id, kernel.workgroups({ ...lengths, ...defaults, ...constants } as never));
    const { dimsIndex } = given.module;
    const dims = dimsIndex === undefined ? undefined : named(id, () => packDims(given.module.dims, lengths));

    const outputs: Record<string, DeviceTensor> = {};
    for (const [name, spec] of Object.entries(kernel.outputs)) {
      const shape = named(id, () => shapeOf(name, spec, lengths));
      const { type } = bindings.find((binding) => binding.name === name)!;
      const as =
        type === "f32" && !kernel.wide.includes(name) ? (stored ?? low ?? this.#options.outputs ?? type) : type;
      if (isLow(as)) types.set(name, as);
      outputs[name] = this.#allocate(shape, as, `${id} ${name}`);
    }
    if (!groups.includes(0)) {
      const source = named(id, () => packedSource(kernel.file, given, types));
      const compiled = pipelineOf(this.device, kernel, source, constants);
      compiled.catch(() => {}); // reported by submit
      this.#batch.steps.push({
        id,
        compiled,
        buffers: bindings.map(({ name, index }) => [index, (inputs[name] ?? outputs[name]!).memory] as const),
        dims,
        dimsIndex,
        groups,
      });
    }
    return outputs;
  }

  /** Records a copy of several tensors of one type laid end to end: [N]. */
  concatenate(tensors: readonly DeviceTensor[], label: string): DeviceTensor {
    const type = tensors[0]?.type ?? "f32";
    if (isLow(type)) throw new RangeError(`${label}: ${type} cannot be laid end to end, copies are of whole words`);
    const sources = tensors.map((given) => {
      if (this.#released.has(given.memory)) throw new RangeError(`${label}: ${given.label} was released`);
      if (given.type !== type) throw new RangeError(`${label}: ${given.label} is ${given.type}, expected ${type}`);
      return { memory: given.memory, bytes: 4 * sizeOf(given.shape) };
    });
    const shape = [sources.reduce((n, { bytes }) => n + bytes / 4, 0)];
    const whole = this.#allocate(shape, type, label);
    this.#batch.steps.push({ sources, into: whole.memory });
    return whole;
  }

  /** Releases every tensor whose numbers none of `keep` holds, under whatever shape. */
  releaseAllBut(keep: Iterable<DeviceTensor>): void {
    const kept = new Set([...keep].map(({ memory }) => memory));
    for (const [memory, { tensor }] of this.#owned) if (!kept.has(memory)) this.release(tensor);
  }

  /**
   * Compiles what is needed and hands all recorded dispatches to the device at once. Throws KernelError, and RangeError when
   * they need more memory than the limit.
   */
  submit(): Promise<void> {
    const batch = this.#batch;
    this.#batch = emptyBatch();
    let doomed: GPUBuffer[];
    this.#spans = spansOf(batch.steps);
    try {
      doomed = this.#buffers.place({ ...batch, spans: this.#spans }, this.#pending === 0);
    } catch (error) {
      this.#batch = batch; // destroy still finds its buffers
      return Promise.reject(error);
    }
    this.buffers = this.#buffers.allocated;
    this.#pending++;
    this.#submitted = this.#submitted.then(() => this.#encode(batch, doomed)).finally(() => this.#pending--);
    return this.#submitted;
  }

  async #encode({ steps }: Batch, doomed: readonly GPUBuffer[]): Promise<void> {
    if (steps.length > 0) {
      this.#recent = nameOf(steps);
      const start = performance.now();
      const pipelines = await Promise.all(dispatchesOf(steps).map(({ compiled }) => compiled));
      this.compileMilliseconds += performance.now() - start;
      this.device.check(this.#recent);
      await submitSteps(this.device.device, steps, pipelines);
      this.submissions++;
    }
    for (const buffer of doomed) this.#buffers.destroy(buffer);
  }

  /** The most bytes that these tensors held at once in the last submission, each from the first step that needs it to the last. */
  peakOf(tensors: Iterable<DeviceTensor>): number {
    const memories = new Map(
      [...tensors].map(({ memory, shape, type }) => [memory, elementBytes(type) * sizeOf(shape)]),
    );
    const spans = [...memories].flatMap(([memory, bytes]) => {
      const span = this.#spans.get(memory);
      return span === undefined ? [] : [{ ...span, bytes }];
    });
    return mostAtOnce(spans);
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
    for (const { memory, label } of tensors) {
      if (this.#released.has(memory)) throw new RangeError(`${label} was released`);
    }
    const words = await this.#readWords(tensors, ({ shape, type }) => wordsFor(sizeOf(shape), type));
    return tensors.map((tensor, i) => asTensor(tensor, words[i]!));
  }

  /**
   * Gives a tensor back: what is recorded from now on must not use it. In fast mode its memory serves others from its last
   * use on.
   */
  release({ memory, label }: DeviceTensor): void {
    const owned = this.#owned.get(memory);
    if (owned === undefined) throw new RangeError(`${label} does not belong to this recorder, or was released`);
    if (this.mode === "checked") return; // its guard is still to be inspected
    this.#owned.delete(memory);
    this.#released.add(memory);
    this.#batch.released.set(memory, owned.upload !== false);
  }

  /** Frees every buffer of this recorder. */
  destroy(): void {
    const memories = [...this.#owned.keys(), ...this.#batch.released.keys()];
    for (const memory of memories) this.#released.add(memory);
    this.#buffers.destroyAll(memories);
    this.#owned.clear();
    this.#batch = emptyBatch();
  }

  /**
   * What the kernels did to memory that was not theirs, and the words of every tensor, inputs and intermediate ones too.
   * Those named in `outputs` must be fully written. Throws TypeError unless the mode is checked.
   */
  async inspect(
    outputs: Named<string, DeviceTensor>,
  ): Promise<{ hygiene: Hygiene; words: Map<DeviceTensor, Uint32Array> }> {
    if (this.mode !== "checked") throw new TypeError("only a checked recorder can be inspected");
    const tensors = [...this.#owned.values()].map(({ tensor }) => tensor);
    const contents = await this.#readWords(tensors, ({ shape, type }) => this.#wordsOf(shape, type));
    const words = new Map(tensors.map((tensor, i) => [tensor, contents[i]!]));
    const writtenBeyondEnd: Offence[] = [];
    const inputsChanged: Offence[] = [];
    const neverWritten: Offence[] = [];
    for (const [tensor, raw] of words) {
      const { upload, serial } = this.#owned.get(tensor.memory)!;
      const all = elementsIn(raw, tensor.type);
      const size = sizeOf(tensor.shape);
      const guard = guardOf(serial, tensor.type);
      note(writtenBeyondEnd, tensor.label, all, size, all.length, (element) => element !== guard);
      if (typeof upload === "object")
        note(inputsChanged, tensor.label, all, 0, size, (element, i) => element !== upload[i]);
    }
    for (const tensor of Object.values(outputs)) {
      const unwritten = unwrittenOf(this.#owned.get(tensor.memory)!.serial, tensor.type);
      const all = elementsIn(words.get(tensor)!, tensor.type);
      note(neverWritten, tensor.label, all, 0, sizeOf(tensor.shape), (element) => element === unwritten);
    }
    return { hygiene: { writtenBeyondEnd, inputsChanged, neverWritten }, words };
  }

  /** Replacement texts and overrides that no dispatch used. */
  unused(): string[] {
    const asked = [...(this.#options.sources?.keys() ?? []), ...Object.keys(this.#options.overrides ?? {})];
    return asked.filter((name) => !this.#used.has(name));
  }

  #sourceOf(kernel: KernelDeclaration): Source {
    const text = this.#options.sources?.get(kernel.file);
    if (text === undefined) return { text: kernel.source, module: kernel.module };
    this.#used.add(kernel.file);
    let source = this.#sources.get(kernel.id);
    if (source === undefined) {
      source = { text, module: parseWgsl(kernel.file, text) };
      checkKernel(kernel, source.module);
      this.#sources.set(kernel.id, source);
    }
    return source;
  }

  #constantsOf(kernel: KernelDeclaration, source: Source): Record<string, number> {
    const constants = { ...kernel.overrides };
    for (const [name, value] of Object.entries(this.#options.overrides ?? {})) {
      if (!source.module.overrides.some((override) => override.name === name)) continue;
      this.#used.add(name);
      constants[name] = value;
    }
    return constants;
  }

  #wordsOf(shape: readonly number[], type: StoredType): number {
    const words = wordsFor(sizeOf(shape) + (this.mode === "checked" ? guardLength(shape) : 0), type);
    return Math.max(4, Math.ceil(words / 4) * 4); // a whole vec4, and never an empty binding
  }

  #allocate(shape: readonly number[], type: StoredType, label: string): DeviceTensor {
    const serial = this.#serial++;
    const memory: Memory = { bytes: this.#bytesOf(label, shape, type) };
    if (this.mode === "checked") {
      memory.buffer = this.#create(label, shape, type, (elements) =>
        elements.fill(guardOf(serial, type)).fill(unwrittenOf(serial, type), 0, sizeOf(shape)),
      );
    } else this.#batch.fresh.add(memory);
    const tensor: DeviceTensor = { memory, shape, type, label };
    this.#owned.set(memory, { tensor, upload: false, serial });
    return tensor;
  }

  #bytesOf(label: string, shape: readonly number[], type: StoredType): number {
    const size = this.#wordsOf(shape, type) * 4;
    const most = this.device.device.limits.maxStorageBufferBindingSize;
    if (size <= most) return size;
    throw new RangeError(`${label} [${shape}] takes ${size} bytes, this device binds at most ${most}`);
  }

  /** A buffer that the host fills. */
  #create(
    label: string,
    shape: readonly number[],
    type: StoredType,
    fill: (elements: Uint32Array | Uint16Array) => void,
  ): GPUBuffer {
    const size = this.#bytesOf(label, shape, type);
    const buffer = this.#buffers.mapped(label, size);
    fill(elementsIn(new Uint32Array(buffer.getMappedRange()), type));
    buffer.unmap();
    return buffer;
  }

  async #readWords(tensors: readonly DeviceTensor[], count: (tensor: DeviceTensor) => number): Promise<Uint32Array[]> {
    const sizes = tensors.map((tensor) => count(tensor) * 4);
    const results: Uint32Array[] = [];
    for (let first = 0, next = 0; first < tensors.length; first = next) {
      let total = 0;
      do total += sizes[next++]!;
      while (next < tensors.length && total + sizes[next]! <= MOST_STAGING);
      results.push(...(await this.#copyBack(tensors.slice(first, next), sizes.slice(first, next), total)));
    }
    return results;
  }

  async #copyBack(tensors: readonly DeviceTensor[], sizes: readonly number[], total: number): Promise<Uint32Array[]> {
    if (total === 0) {
      await this.submit();
      return sizes.map(() => new Uint32Array(0));
    }
    const staging = this.device.device.createBuffer({
      label: "staging",
      size: total,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      const sources = tensors.map(({ memory }, i) => ({ memory, bytes: sizes[i]! }));
      this.#batch.steps.push({ sources, into: { bytes: total, buffer: staging } });
      await this.submit();
      await this.#finished(staging.mapAsync(GPUMapMode.READ));
      const mapped = staging.getMappedRange();
      let at = 0;
      return sizes.map((size) => new Uint32Array(mapped.slice(at, (at += size))));
    } finally {
      staging.destroy();
    }
  }

  /** Waits for the device, but not for a lost one, nor longer than the timeout. */
  async #finished(work: Promise<unknown>): Promise<void> {
    const { timeout } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      if (timeout === undefined) return;
      timer = setTimeout(() => {
        this.device.fail(`no result within ${timeout} ms`);
        resolve();
      }, timeout);
    });
    const settled = work.then(
      () => {},
      (error: Error) => this.device.fail(oneLine(error.message)),
    );
    await Promise.race([settled, late, this.device.failed]);
    clearTimeout(timer);
    this.device.check(this.#recent);
  }
}

/** Words of 4 bytes that so many elements take. */
function wordsFor(elements: number, type: StoredType): number {
  return Math.ceil((elements * elementBytes(type)) / 4);
}

/** Words as numbers of the tensor's type; u32 as Int32Array of the same bits. */
export function asTensor({ shape, type }: DeviceTensor, words: Uint32Array): Tensor<Float32Array | Int32Array> {
  if (isLow(type)) {
    const halves = elementsIn(words, type).subarray(0, sizeOf(shape)) as Uint16Array;
    return { data: fromHalves(halves, type), shape };
  }
  const Storage = type === "f32" ? Float32Array : Int32Array;
  return { data: new Storage(words.buffer as ArrayBuffer, words.byteOffset, sizeOf(shape)), shape };
}

/** Throws RangeError unless exactly the declared names are given. */
export function sameNames(what: string, declared: readonly string[], given: readonly string[]): void {
  const missing = declared.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !declared.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const parts = [
    missing.length > 0 ? `missing ${missing.join(", ")}` : "",
    unknown.length > 0 ? `unknown ${unknown.join(", ")}` : "",
  ];
  throw new RangeError(
    `${what}: ${parts.filter((part) => part !== "").join("; ")}; expected ${declared.join(", ") || "none"}`,
  );
}

function named<T>(id: string, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw new RangeError(`${id}: ${(error as Error).message}`, { cause: error });
  }
}

function checkGroups(id: string, groups: readonly number[]): readonly number[] {
  const fits = groups.length >= 1 && groups.length <= 3;
  if (!fits || !groups.every((n) => Number.isInteger(n) && n >= 0 && n <= MOST_WORKGROUPS)) {
    throw new RangeError(
      `${id}: workgroups are [${groups}], expected 1 to 3 whole numbers from 0 to ${MOST_WORKGROUPS}`,
    );
  }
  return groups;
}
