// Places that can be read and written: variables in memory, whose accesses are noted, and variables of an invocation.
import type { Type } from "wesl/core";
import { offsetsOf, strideOf, wordsOf } from "./layout.ts";
import { type Machine, type Memory, type Value } from "./machine.ts";

/** The local variables of a call. */
export type Frame = Value[];
export type Compute<T = Value> = (frame: Frame) => T;

/** A part of a memory: which one, from which word on. */
export interface InMemory {
  readonly memory: Compute<Memory>;
  readonly word: Compute<number>;
  readonly type: Type;
  /** The vector of which this is one component: writing a component may write the vector (WGSL 14.5). */
  readonly vector?: { readonly word: Compute<number>; readonly words: number };
}

/** A part of a value that an invocation holds alone. */
export interface Local {
  readonly holder: Compute<Value[]>;
  readonly key: Compute<number>;
}

type Loader = (memory: Memory, word: number, line: number) => Value;
type Storer = (memory: Memory, word: number, line: number, value: Value) => void;

/** Reads a value of a type; undefined for types without a known length. */
export function loaderOf(machine: Machine, type: Type): Loader | undefined {
  switch (type.kind) {
    case "scalar":
    case "atomic": {
      const scalar = type.kind === "scalar" ? type.scalar : type.elem.scalar;
      const notes = type.kind === "scalar";
      return (memory, word, line) => {
        const exists = notes ? machine.touch(memory, word, line, false) : word >= 0 && word < memory.words.length;
        if (!exists) return beyond(memory, scalar);
        if (scalar === "f32") return memory.floats[word]!;
        if (scalar === "bool") return memory.words[word] !== 0;
        return scalar === "i32" ? memory.ints[word]! : memory.words[word]!;
      };
    }
    default: {
      const parts = partsOf(type);
      const loaders = parts?.map((part) => loaderOf(machine, part.type));
      if (parts === undefined || loaders!.includes(undefined)) return undefined;
      return (memory, word, line) => parts.map(({ at }, i) => loaders![i]!(memory, word + at, line));
    }
  }
}

export function storerOf(machine: Machine, type: Type): Storer | undefined {
  switch (type.kind) {
    case "scalar":
    case "atomic": {
      const scalar = type.kind === "scalar" ? type.scalar : type.elem.scalar;
      const notes = type.kind === "scalar";
      return (memory, word, line, value) => {
        const exists = notes ? machine.touch(memory, word, line, true) : word >= 0 && word < memory.words.length;
        if (!exists) {
          machine.beyond.add(`line ${line} writes beyond the end of ${memory.name}`);
          return;
        }
        if (scalar === "f32") memory.floats[word] = value as number;
        else memory.words[word] = Number(value);
      };
    }
    default: {
      const parts = partsOf(type);
      const storers = parts?.map((part) => storerOf(machine, part.type));
      if (parts === undefined || storers!.includes(undefined)) return undefined;
      return (memory, word, line, value) => {
        for (const [i, { at }] of parts.entries()) storers![i]!(memory, word + at, line, (value as Value[])[i]!);
      };
    }
  }
}

/** What is read outside of a variable: in a binding, the guard that follows it. */
function beyond({ space }: Memory, scalar: string): Value {
  if (scalar === "bool") return false;
  if (space !== "storage") return 0;
  return scalar === "f32" ? NaN : GUARD;
}

const GUARD = 0x7fc0_0000;

/** The parts of a composite type and where each begins; undefined where their number is not known. */
function partsOf(type: Type): readonly { readonly type: Type; readonly at: number }[] | undefined {
  const alike = (part: Type, count: number | undefined) => {
    const stride = strideOf(part);
    if (count === undefined || stride === undefined) return undefined;
    return Array.from({ length: count }, (_, i) => ({ type: part, at: i * stride }));
  };
  switch (type.kind) {
    case "vector":
      return Array.from({ length: type.size }, (_, i) => ({ type: type.elem, at: i }));
    case "matrix":
      return alike({ kind: "vector", size: type.rows, elem: type.elem }, type.cols);
    case "array":
      return alike(type.elem, type.count);
    case "struct": {
      const types = type.members.map((member) => member.type);
      const offsets = offsetsOf(types);
      return types.map((part, i) => ({ type: part, at: offsets[i]! }));
    }
    default:
      return undefined;
  }
}

/** Words between the elements of what is indexed, and their type; undefined for what cannot be indexed. */
export function elementOf(type: Type): { readonly type: Type; readonly stride: number } | undefined {
  switch (type.kind) {
    case "vector":
      return { type: type.elem, stride: 1 };
    case "matrix": {
      const column: Type = { kind: "vector", size: type.rows, elem: type.elem };
      return { type: column, stride: strideOf(column)! };
    }
    case "array": {
      const stride = strideOf(type.elem);
      return stride === undefined ? undefined : { type: type.elem, stride };
    }
    default:
      return undefined;
  }
}

/** The value that a variable has before anything is assigned; undefined for a type without one. */
export function zeroOf(type: Type): Value | undefined {
  if (type.kind === "scalar") return type.scalar === "bool" ? false : 0;
  if (wordsOf(type) === undefined) return undefined;
  return partsOf(type)?.map((part) => zeroOf(part.type)!);
}
