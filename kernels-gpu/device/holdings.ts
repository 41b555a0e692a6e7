// The tensors that a recorder owns, uploaded or allocated, until they are released. In checked mode a guard follows each, and
// outputs start as NaN.
import { type Floats, type Ints, type Tensor, sizeOf } from "../../reference/tensor.ts";
import type { Buffers, Memory } from "./buffers.ts";
import { guardOf, unwrittenOf } from "./guards.ts";
import { elementsIn, type LowType, type StoredType } from "./packed.ts";
import { bufferBytes, checkedBytes } from "./sizes.ts";
import { type DeviceTensor, type Elements, elementsOf } from "./tensors.ts";

/** A tensor that a recorder owns. */
export interface Holding {
  readonly tensor: DeviceTensor;
  /** Whether the host uploaded it; in checked mode, the elements that it uploaded. */
  readonly upload: Elements | boolean;
  /** The number of the payload in its guard. */
  readonly serial: number;
}

export class Holdings {
  readonly #held = new Map<Memory, Holding>();
  readonly #released = new WeakSet<Memory>();
  readonly #buffers: Buffers;
  readonly #isChecked: boolean;
  readonly #mostBytes: number;
  #serial = 0;

  /** `mostBytes`: of one tensor, guard included. */
  constructor(buffers: Buffers, isChecked: boolean, mostBytes: number) {
    this.#buffers = buffers;
    this.#isChecked = isChecked;
    this.#mostBytes = mostBytes;
  }

  /** Copies a tensor to the device, float32 rounded to a low type where one is given. */
  upload(tensor: Tensor<Floats | Ints>, label: string, low?: LowType): DeviceTensor {
    this.bytesOf(label, tensor.shape, low ?? "f32"); // before its elements are copied
    const { type, elements } = elementsOf(tensor, label, low);
    const serial = this.#serial++;
    const buffer = this.#filled(label, tensor.shape, type, (all) => {
      if (this.#isChecked) all.fill(guardOf(serial, type), elements.length);
      all.set(elements);
    });
    const upload = this.#isChecked ? elements.slice() : true;
    return this.#hold({ memory: { bytes: buffer.size, buffer }, shape: tensor.shape, type, label }, upload, serial);
  }

  /** A tensor that a dispatch will write; only in checked mode does it have a buffer already. */
  allocate(shape: readonly number[], type: StoredType, label: string): DeviceTensor {
    const serial = this.#serial++;
    const memory: Memory = { bytes: this.bytesOf(label, shape, type) };
    if (this.#isChecked) {
      memory.buffer = this.#filled(label, shape, type, (all) =>
        all.fill(guardOf(serial, type)).fill(unwrittenOf(serial, type), 0, sizeOf(shape)),
      );
    }
    return this.#hold({ memory, shape, type, label }, false, serial);
  }

  /** Throws RangeError for a tensor that was released; `what` is its name in messages. */
  check({ memory }: DeviceTensor, what: string): void {
    if (this.#released.has(memory)) throw new RangeError(`${what} was released`);
  }

  /** Throws RangeError for a tensor that is not held. */
  find({ memory, label }: DeviceTensor): Holding {
    const held = this.#held.get(memory);
    if (held === undefined) throw new RangeError(`${label} does not belong to this recorder, or was released`);
    return held;
  }

  all(): Holding[] {
    return [...this.#held.values()];
  }

  /** Ends a tensor's life: nothing later may use it. */
  drop({ memory }: DeviceTensor): void {
    this.#held.delete(memory);
    this.#released.add(memory);
  }

  /** Words of a tensor's buffer, guard included. */
  wordsOf({ shape, type }: Pick<DeviceTensor, "shape" | "type">): number {
    return bufferBytes(shape, type, this.#isChecked) / 4;
  }

  /** Bytes of a tensor's buffer. Throws RangeError where they are more than the device binds. */
  bytesOf(label: string, shape: readonly number[], type: StoredType): number {
    return checkedBytes(label, shape, type, this.#isChecked, this.#mostBytes);
  }

  #hold(tensor: DeviceTensor, upload: Holding["upload"], serial: number): DeviceTensor {
    this.#held.set(tensor.memory, { tensor, upload, serial });
    return tensor;
  }

  #filled(label: string, shape: readonly number[], type: StoredType, fill: (all: Elements) => void): GPUBuffer {
    const buffer = this.#buffers.mapped(label, this.bytesOf(label, shape, type));
    fill(elementsIn(new Uint32Array(buffer.getMappedRange()), type));
    buffer.unmap();
    return buffer;
  }
}
