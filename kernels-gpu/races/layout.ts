// Where a value lies in memory, in words of 4 bytes (WGSL 14.4.1).
import type { Type } from "wesl/core";

/** Words that a value takes, padding inside it included; undefined where the host gives the length. */
export function wordsOf(type: Type): number | undefined {
  switch (type.kind) {
    case "scalar":
    case "atomic":
      return 1;
    case "vector":
      return type.size;
    case "matrix":
      return type.cols * strideOf({ kind: "vector", size: type.rows, elem: type.elem })!;
    case "array": {
      const stride = strideOf(type.elem);
      return type.count === undefined || stride === undefined ? undefined : type.count * stride;
    }
    case "struct": {
      const end = offsetsOf(type.members.map((member) => member.type)).at(-1);
      return end === undefined ? undefined : roundUp(end, alignOf(type));
    }
    default:
      return undefined;
  }
}

/** From one element of an array to the next. */
export function strideOf(element: Type): number | undefined {
  const words = wordsOf(element);
  return words === undefined ? undefined : roundUp(words, alignOf(element));
}

/** Where each member of a struct begins, and where the last one ends: NaN after one of unknown length. */
export function offsetsOf(members: readonly Type[]): number[] {
  const offsets: number[] = [];
  let at = 0;
  for (const type of members) {
    at = roundUp(at, alignOf(type));
    offsets.push(at);
    at += wordsOf(type) ?? NaN;
  }
  return [...offsets, at];
}

function alignOf(type: Type): number {
  switch (type.kind) {
    case "vector":
      return type.size === 2 ? 2 : 4;
    case "matrix":
      return type.rows === 2 ? 2 : 4;
    case "array":
      return alignOf(type.elem);
    case "struct":
      return type.members.reduce((most, member) => Math.max(most, alignOf(member.type)), 1);
    default:
      return 1;
  }
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}
