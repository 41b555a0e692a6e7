// The buffers of a recorder: they are made, shared among the tensors of a submission by when each is needed, and counted.
import { bufferUsage } from "./flags.ts";
import { place, type Span } from "./placement.ts";

const USAGE = bufferUsage.STORAGE | bufferUsage.COPY_SRC | bufferUsage.COPY_DST;

/** Where a tensor's numbers are; tensors of different shapes may share one. */
export interface Memory {
  /** Size of the buffer that it needs. */
  readonly bytes: number;
  /** Undefined until the submission that computes it; it may be longer than `bytes`. */
  buffer?: GPUBuffer;
}

/** How a submission uses memory. */
export interface Use {
  /** From the first step that uses a memory to the last. */
  readonly spans: ReadonlyMap<Memory, Span>;
  /** Computed for the first time. */
  readonly fresh: ReadonlySet<Memory>;
  /** Not used by later submissions, and whether the host put it there. */
  readonly released: ReadonlyMap<Memory, boolean>;
}

export class Buffers {
  /** Bytes of all existing buffers. */
  allocated = 0;
  readonly #device: GPUDevice;
  readonly #limit: number;
  #free: GPUBuffer[] = [];

  /** `limit`: bytes that all may take together. */
  constructor(device: GPUDevice, limit = Infinity) {
    this.#device = device;
    this.#limit = limit;
  }

  /** A buffer that the host fills. Throws RangeError beyond the limit. */
  mapped(label: string, size: number): GPUBuffer {
    this.#check(size);
    return this.#create(label, size, true);
  }

  /**
   * Gives every fresh memory of a submission its buffer; returns the buffers that nothing needs after it. `isIdle`: every
   * earlier submission has been encoded. Throws RangeError beyond the limit.
   */
  place({ spans, fresh, released }: Use, isIdle: boolean): GPUBuffer[] {
    const vacancies = [...released]
      .filter(([{ buffer }]) => buffer !== undefined)
      .map(([memory, isUpload]) => ({ buffer: memory.buffer!, isUpload, freeFrom: (spans.get(memory)?.to ?? -1) + 1 }));
    const memories = [...fresh].filter((memory) => spans.has(memory) || !released.has(memory));
    const needed = memories.map((memory): Span => {
      const { from, to } = spans.get(memory) ?? { from: 0, to: 0 };
      return { bytes: memory.bytes, from, to: released.has(memory) ? to : Infinity };
    });
    const { taken, added } = place(
      needed,
      vacancies.map(({ buffer, freeFrom }) => ({ bytes: buffer.size, freeFrom })),
    );
    // Earlier buffers are reused where one of their size is needed. The plan does not count on them, so that equal steps have
    // equal plans; the rest would only pile up.
    const found = added.map((bytes) => {
      const i = this.#free.findIndex(({ size }) => size === bytes);
      return i < 0 ? undefined : this.#free.splice(i, 1)[0];
    });
    const idle = isIdle ? [] : this.#free;
    if (isIdle) for (const buffer of this.#free) this.destroy(buffer);
    this.#check(added.reduce((sum, bytes, i) => sum + (found[i] === undefined ? bytes : 0), 0));
    const buffers = [
      ...vacancies.map(({ buffer }) => buffer),
      ...added.map((bytes, i) => found[i] ?? this.#create("tensors", bytes)),
    ];
    const kept = new Set<GPUBuffer>();
    for (const [i, memory] of memories.entries()) {
      memory.buffer = buffers[taken[i]!]!;
      if (!released.has(memory)) kept.add(memory.buffer);
    }
    // Buffers that the host filled have unusual sizes, for which nothing would look again.
    const isUpload = (i: number): boolean => vacancies[i]?.isUpload ?? false;
    const rest = buffers
      .map((buffer, i) => ({ buffer, isUpload: isUpload(i) }))
      .filter(({ buffer }) => !kept.has(buffer));
    this.#free = rest.filter((one) => !one.isUpload).map(({ buffer }) => buffer);
    return [...idle, ...rest.filter((one) => one.isUpload).map(({ buffer }) => buffer)];
  }

  destroy(buffer: GPUBuffer): void {
    this.allocated -= buffer.size;
    buffer.destroy();
  }

  /** Destroys the buffers of these memories, and those that wait to be reused. */
  destroyAll(memories: Iterable<Memory>): void {
    for (const buffer of [...this.#free, ...[...memories].map((memory) => memory.buffer)]) {
      if (buffer !== undefined) this.destroy(buffer);
    }
    this.#free = [];
  }

  #create(label: string, size: number, mappedAtCreation = false): GPUBuffer {
    this.allocated += size;
    return this.#device.createBuffer({ label, size, usage: USAGE, mappedAtCreation });
  }

  #check(more: number): void {
    const needed = this.allocated + more;
    if (needed > this.#limit)
      throw new RangeError(`${needed} bytes of buffers are needed, the limit is ${this.#limit}`);
  }
}
