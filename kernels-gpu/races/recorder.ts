// Stands in for the recorder of a device: a program's dispatches are interpreted as they are recorded.
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { append } from "../../reference/lists.ts";
import { sizeOf } from "../../reference/tensor.ts";
import { planDispatch } from "../device/dispatch.ts";
import type { KernelDeclaration } from "../device/declaration.ts";
import type { ByName } from "../device/names.ts";
import type { LowType } from "../device/packed.ts";
import { Substitutes, type SubstituteOptions } from "../device/substitutes.ts";
import { type DeviceTensor, elementsOf, wordsFor } from "../device/tensors.ts";
import type { Memory } from "../device/buffers.ts";
import { Machine } from "./machine.ts";
import { Program } from "./program.ts";
import { type Found, runDispatch } from "./workgroups.ts";

export interface InterpreterOptions extends SubstituteOptions {
  /** Steps of loops and calls that all dispatches together may take. */
  readonly steps: number;
  /** A dispatch along one axis is spread over two, as one of more than 65,535 workgroups is; fresh memory holds zeros in place of NaN. */
  readonly isSplit?: boolean;
  /** Workgroups and invocations take turns from the last to the first. */
  readonly isReversed?: boolean;
}

const NAN = 0x7fc00000;

/** The part of a recorder that a program's `record` may call. */
export class Interpreter {
  readonly found: Found = { races: [], workgroups: 0 };
  usesAtomics = false;
  /** Writes outside of bindings and variables, in words. */
  readonly beyond: string[] = [];
  /** Steps taken so far. */
  get steps(): number {
    return this.#options.steps - this.#steps;
  }
  readonly #substitutes: Substitutes;
  readonly #words = new Map<Memory, Uint32Array>();
  readonly #options: InterpreterOptions;
  #steps: number;

  constructor(options: InterpreterOptions) {
    this.#options = options;
    this.#steps = options.steps;
    this.#substitutes = new Substitutes(options);
  }

  upload(tensor: Tensor<Floats | Ints>, label = "upload", low?: LowType): DeviceTensor {
    const { type, elements } = elementsOf(tensor, label, low);
    const result = this.#allocate(tensor.shape, type, label);
    const bytes = new Uint8Array(this.#words.get(result.memory)!.buffer);
    bytes.set(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
    return result;
  }

  dispatch(kernel: KernelDeclaration, inputs: ByName<string, DeviceTensor>, scalars: ByName<string, number> = {}) {
    return this.#dispatch(kernel, inputs, scalars);
  }

  dispatchAs(stored: LowType | "f32", kernel: KernelDeclaration, inputs: ByName<string, DeviceTensor>) {
    return this.#dispatch(kernel, inputs, {}, stored);
  }

  concatenate(tensors: readonly DeviceTensor[], label: string): DeviceTensor {
    const all = tensors.map((tensor) => this.wordsOf(tensor).subarray(0, sizeOf(tensor.shape)));
    const whole = this.#allocate([all.reduce((n, { length }) => n + length, 0)], tensors[0]?.type ?? "f32", label);
    let at = 0;
    for (const words of all) {
      this.wordsOf(whole).set(words, at);
      at += words.length;
    }
    return whole;
  }

  release(): void {}

  releaseAllBut(): void {}

  wordsOf({ memory }: DeviceTensor): Uint32Array {
    return this.#words.get(memory)!;
  }

  #dispatch(
    kernel: KernelDeclaration,
    inputs: ByName<string, DeviceTensor>,
    scalars: ByName<string, number>,
    stored?: LowType | "f32",
  ): ByName<string, DeviceTensor> {
    const text = this.#substitutes.textOf(kernel);
    const constants = this.#substitutes.constantsOf(kernel, text);
    const plan = planDispatch(kernel, { text, constants, inputs, scalars, stored });
    const outputs = Object.fromEntries(
      Object.entries(plan.outputs).map(([name, { shape, type }]) => [
        name,
        this.#allocate(shape, type, `${kernel.id} ${name}`),
      ]),
    );
    const tensors = { ...inputs, ...outputs };
    const bound = new Map(plan.bindings.map(({ name }) => [name, this.wordsOf(tensors[name]!)]));
    const { dims } = plan;
    const uniform = /var<uniform>\s*(\w+)/.exec(plan.source.text)?.[1];
    if (dims !== undefined && uniform !== undefined) bound.set(uniform, new Uint32Array(dims));
    const [x = 1, y = 1, z = 1] = plan.groups;
    const isSplit = this.#options.isSplit === true && plan.groups.length === 2 && y === 1 && x > 1;
    const groups = isSplit ? ([Math.ceil(x / 2), 2, 1] as const) : ([x, y, z] as const);
    const machine = new Machine(this.#steps, this.#options.isReversed);
    const program = new Program(machine, { text: plan.source.text, entry: kernel.entry, constants }, bound);
    const before = this.found.races.length;
    try {
      runDispatch(machine, program, groups, this.found);
    } finally {
      this.#steps = machine.steps;
      this.usesAtomics ||= machine.usesAtomics;
      append(this.beyond, [...machine.beyond]);
      const { races } = this.found;
      for (let i = before; i < races.length; i++) races[i] = `${kernel.file}: ${races[i]}`;
    }
    return outputs;
  }

  #allocate(shape: readonly number[], type: DeviceTensor["type"], label: string): DeviceTensor {
    // Nothing says what fresh memory holds.
    const words = new Uint32Array(wordsFor(sizeOf(shape), type)).fill(this.#options.isSplit === true ? 0 : NAN);
    const memory: Memory = { bytes: words.byteLength };
    this.#words.set(memory, words);
    return { memory, shape, type, label };
  }
}
