// What a workgroup's invocations share while they are interpreted: memory, who is running, and how far the barriers have come.
import { Shadow } from "./shadow.ts";

/** A number, a truth value, the parts of a vector, matrix, array or struct, or a pointer. */
export type Value = number | boolean | Value[] | Pointer;

/** To a word of memory, or to a part of a value that an invocation holds alone. */
export type Pointer =
  | { readonly memory: Memory; readonly word: number }
  | { readonly holder: Value[]; readonly key: number };

/** The address spaces in which invocations can meet. */
export type Space = "workgroup" | "storage" | "uniform";

/** A variable in memory. */
export class Memory {
  readonly name: string;
  readonly space: Space;
  readonly words: Uint32Array;
  /** Words from one element of an array to the next; 0 for anything else. */
  readonly stride: number;
  readonly floats: Float32Array;
  readonly ints: Int32Array;
  /** Absent for what nothing writes. */
  readonly shadow: Shadow | undefined;

  constructor(name: string, space: Space, words: Uint32Array, stride: number, isWritten: boolean) {
    this.name = name;
    this.space = space;
    this.words = words;
    this.stride = stride;
    this.floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    this.ints = new Int32Array(words.buffer, words.byteOffset, words.length);
    if (isWritten) this.shadow = new Shadow(words.length, space === "storage");
  }
}

/** The steps that were allowed are used up. */
export class OutOfSteps extends Error {
  override readonly name = "OutOfSteps";
}

export class Machine {
  /** By variable, in the order in which the compiler has met them. */
  readonly memories: Memory[] = [];
  steps: number;
  workgroup = 0;
  invocation = 0;
  /** The private variables of the invocation that runs. */
  privates: Value[] = [];
  /** What each interval of a memory began with, since the dispatch did. */
  readonly intervals: Readonly<Record<Space, string[]>> = { workgroup: [], storage: [], uniform: [] };

  /** Writes outside of variables, in words: they change nothing. */
  readonly beyond = new Set<string>();
  /** Whether an atomic function was called: only then may the order of invocations matter where nothing races. */
  usesAtomics = false;
  readonly #isReversed: boolean;

  /** `isReversed`: workgroups and invocations take turns from the last to the first. */
  constructor(steps: number, isReversed = false) {
    this.steps = steps;
    this.#isReversed = isReversed;
  }

  /** The order in which so many take turns. */
  inOrder(count: number): number[] {
    const order = [...Array(count).keys()];
    return this.#isReversed ? order.toReversed() : order;
  }

  /** Counts a step of a loop or a call. Throws OutOfSteps. */
  step(): void {
    if (--this.steps < 0) throw new OutOfSteps("the kernel takes more steps than are interpreted");
  }

  /** Whether the word exists; notes the access. */
  touch(memory: Memory, word: number, line: number, isWrite: boolean): boolean {
    if (!(word >= 0 && word < memory.words.length)) return false;
    const { shadow, space } = memory;
    if (shadow !== undefined) {
      shadow.note(word, isWrite, line, this.workgroup, this.invocation, this.intervals[space].length - 1);
    }
    return true;
  }
}
