// Atomic functions. They race with nothing, so they are not noted.
import type { Memory, Value } from "./machine.ts";

const combine: Readonly<Record<string, (old: number, value: number) => number>> = {
  atomicLoad: (old) => old,
  atomicStore: (_, value) => value,
  atomicExchange: (_, value) => value,
  atomicAdd: (old, value) => old + value,
  atomicSub: (old, value) => old - value,
  atomicMax: Math.max,
  atomicMin: Math.min,
  atomicAnd: (old, value) => old & value,
  atomicOr: (old, value) => old | value,
  atomicXor: (old, value) => old ^ value,
};

/** The function on a word of u32 or i32; undefined for one that is not known. */
export function atomicCall(
  name: string,
  scalar: string,
): ((memory: Memory, word: number, values: number[]) => Value) | undefined {
  const old = (memory: Memory, word: number): number => (scalar === "i32" ? memory.ints : memory.words)[word] ?? 0;
  if (name === "atomicCompareExchangeWeak") {
    return (memory, word, [expected, value]) => {
      const before = old(memory, word);
      if (before === expected) memory.words[word] = value!;
      return [before, before === expected];
    };
  }
  const of = combine[name];
  if (of === undefined) return undefined;
  return (memory, word, [value = 0]) => {
    const before = old(memory, word);
    if (word < memory.words.length) memory.words[word] = of(before, value);
    return before;
  };
}
