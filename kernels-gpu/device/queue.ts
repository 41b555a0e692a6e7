// Steps that have been recorded but have not run yet, and their way to the device: buffers are placed, pipelines awaited,
// commands submitted.
import { sizeOf } from "../../reference/tensor.ts";
import type { Buffers, Memory } from "./buffers.ts";
import type { Device } from "./device.ts";
import { elementSize } from "./packed.ts";
import { mostAtOnce, type Span } from "./placement.ts";
import { dispatchesOf, kernelNames, spansOf, type Step, submitSteps } from "./submission.ts";
import type { DeviceTensor } from "./tensors.ts";

interface Recorded {
  readonly steps: Step[];
  /** Computed for the first time by one of these steps. */
  readonly fresh: Set<Memory>;
  /** Not used by later submissions, and whether the host put it there. */
  readonly released: Map<Memory, boolean>;
}

const nothing = (): Recorded => ({ steps: [], fresh: new Set(), released: new Map() });

export class SubmissionQueue {
  /** Submissions so far. */
  submissions = 0;
  /** Bytes of all buffers while the last submission ran. */
  buffers = 0;
  /** Milliseconds spent waiting for pipelines to compile. */
  compileMilliseconds = 0;
  /** The kernels of the last submission, for messages. */
  recent = "nothing dispatched";
  readonly #device: Device;
  readonly #buffers: Buffers;
  #recorded = nothing();
  #spans = new Map<Memory, Span>();
  #pending = 0;
  #submitted: Promise<void> = Promise.resolve();

  constructor(device: Device, buffers: Buffers) {
    this.#device = device;
    this.#buffers = buffers;
  }

  record(step: Step): void {
    this.#recorded.steps.push(step);
  }

  /** A memory that gets its buffer with the next submission. */
  needs(memory: Memory): void {
    this.#recorded.fresh.add(memory);
  }

  /** A memory that no later submission uses. */
  release(memory: Memory, isUpload: boolean): void {
    this.#recorded.released.set(memory, isUpload);
  }

  /** Forgets what is recorded; returns the memories that waited for their release. */
  clear(): Memory[] {
    const memories = [...this.#recorded.released.keys()];
    this.#recorded = nothing();
    return memories;
  }

  /**
   * Compiles what is needed and hands all that is recorded to the device at once. Throws KernelError, and RangeError when it
   * needs more memory than the limit.
   */
  submit(): Promise<void> {
    const recorded = this.#recorded;
    this.#recorded = nothing();
    let doomed: GPUBuffer[];
    this.#spans = spansOf(recorded.steps);
    try {
      doomed = this.#buffers.place({ ...recorded, spans: this.#spans }, this.#pending === 0);
    } catch (error) {
      this.#recorded = recorded; // whoever frees the buffers still finds them
      return Promise.reject(error);
    }
    this.buffers = this.#buffers.allocated;
    this.#pending++;
    this.#submitted = this.#submitted.then(() => this.#encode(recorded.steps, doomed)).finally(() => this.#pending--);
    return this.#submitted;
  }

  async #encode(steps: readonly Step[], doomed: readonly GPUBuffer[]): Promise<void> {
    if (steps.length > 0) {
      this.recent = kernelNames(steps);
      const start = performance.now();
      const pipelines = await Promise.all(dispatchesOf(steps).map(({ compiled }) => compiled));
      this.compileMilliseconds += performance.now() - start;
      this.#device.check(this.recent);
      await submitSteps(this.#device.device, steps, pipelines);
      this.submissions++;
    }
    for (const buffer of doomed) this.#buffers.destroy(buffer);
  }

  /** The most bytes that these tensors held at once in the last submission, each from the first step that needs it to the last. */
  peakOf(tensors: Iterable<DeviceTensor>): number {
    const memories = new Map(
      [...tensors].map(({ memory, shape, type }) => [memory, elementSize(type) * sizeOf(shape)]),
    );
    const spans = [...memories].flatMap(([memory, bytes]) => {
      const span = this.#spans.get(memory);
      return span === undefined ? [] : [{ ...span, bytes }];
    });
    return mostAtOnce(spans);
  }
}
