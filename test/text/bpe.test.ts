import fc from "fast-check";
import { expect, test } from "vitest";
import { merger } from "../../reference/text/bpe.ts";
import { minHeap } from "../../reference/text/bpe-heap.ts";
import { pairTable } from "../../reference/text/bpe-pairs.ts";
import { symbolsOf } from "../../reference/text/bpe-symbols.ts";
import { queue } from "../../reference/text/train-queue.ts";

/** The definition itself, in quadratic time: the best pair, the leftmost of equals, until there is none. */
function plainMerges(characters: string[], scores: ReadonlyMap<string, number>): string[] {
  const parts = [...characters];
  for (;;) {
    let best = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const score = scores.get(parts[i] + parts[i + 1]);
      if (score === undefined) continue;
      if (best < 0 || score > (scores.get(parts[best] + parts[best + 1]) ?? NaN)) best = i;
    }
    if (best < 0) return parts;
    parts.splice(best, 2, parts[best] + parts[best + 1]);
  }
}

const piece = fc.string({ unit: fc.constantFrom("a", "b", "c", "🦙"), minLength: 1, maxLength: 5 });
const score = fc.constantFrom(0, -0, 1, 2, 3, 0.5, -1, Infinity, -Infinity);

test("merges in the order of the scores, the leftmost of equals first: as the plain loops", () => {
  const vocabulary = fc.uniqueArray(fc.tuple(piece, score), { selector: ([text]) => text, maxLength: 25 });
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "🦙", "d"), maxLength: 30 });
  fc.assert(
    fc.property(vocabulary, fc.array(text, { maxLength: 3 }), (pieces, texts) => {
      const symbols = symbolsOf(
        pieces.map(([name]) => name),
        pieces.map(([, value]) => value),
      );
      const { run } = merger(symbols);
      for (const given of texts) {
        const characters = [...given];
        const sequence = Int32Array.from(characters, (c) => {
          const codePoint = c.codePointAt(0) ?? 0;
          const symbol = symbols.ofCharacter(codePoint);
          return symbol < 0 ? -1 - codePoint : symbol;
        });
        const count = run(sequence, sequence.length);
        const got = [...sequence.subarray(0, count)].map((s) =>
          s < 0 ? String.fromCodePoint(-1 - s) : symbols.texts[s],
        );
        expect(got).toEqual(plainMerges(characters, new Map(pieces)));
      }
    }),
    { numRuns: 1000 },
  );
});

test("characters that touch in no piece are told from those that do", () => {
  const symbols = symbolsOf(["ab", "b", undefined, "bcd"], [0, 0, 0, 0]);
  const of = (character: string): number => symbols.ofCharacter(character.codePointAt(0) ?? 0);
  expect(symbols.texts).toEqual(["ab", "b", "", "bcd", "a", "c", "d"]);
  expect([of("a"), of("b"), of("e")]).toEqual([4, 1, -1]);
  expect(symbols.touch(of("a"), of("b"))).toBe(true);
  expect(symbols.touch(of("c"), of("d"))).toBe(true);
  expect(symbols.touch(of("b"), of("a"))).toBe(false);
  expect(symbols.merge(of("a"), of("b"))).toBe(0);
  expect(symbols.merge(of("b"), of("c"))).toBe(-1);
});

test("a table of pairs answers as a Map", () => {
  const entry = fc.tuple(fc.nat(20), fc.nat(20), fc.nat());
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 100 }), (entries) => {
      const table = pairTable(entries.flat());
      const map = new Map(entries.map(([left, right, value]) => [`${left} ${right}`, value]));
      for (let left = -2; left <= 21; left++) {
        for (let right = -2; right <= 21; right++)
          expect(table.get(left, right)).toBe(map.get(`${left} ${right}`) ?? -1);
      }
    }),
  );
});

test("both queues give what a sort gives, with pushes in between", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(50), { maxLength: 200 }), { maxLength: 4 }), (batches) => {
      const heap = minHeap();
      const entries = queue<number>((a, b) => a < b);
      let held: number[] = [];
      for (const batch of batches) {
        for (const key of batch) {
          heap.push(key);
          entries.push(key);
        }
        held = [...held, ...batch].toSorted((a, b) => a - b);
        for (const wanted of held.splice(0, held.length >> 1)) {
          expect(heap.pop()).toBe(wanted);
          expect(entries.pop()).toBe(wanted);
        }
        expect(heap.size).toBe(held.length);
      }
    }),
  );
  expect(queue<number>(() => true).pop()).toBeUndefined();
});

test("pieces within pieces within pieces: each split is found", () => {
  const letters = "a".repeat(300);
  const symbols = symbolsOf(
    Array.from(letters, (_, i) => letters.slice(i)),
    Array.from(letters, () => 0),
  );
  const symbolOfLength = (length: number): number => letters.length - length;
  for (const [left, right] of [
    [1, 1],
    [299, 1],
    [1, 299],
    [123, 100],
  ]) {
    expect(symbols.merge(symbolOfLength(left), symbolOfLength(right))).toBe(symbolOfLength(left + right));
  }
  expect(symbols.merge(symbolOfLength(150), symbolOfLength(151))).toBe(-1);
});
