import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sentencePiece } from "../../reference/text/tokenizer-sentencepiece.ts";
import { trainTokenizer } from "../../reference/text/train.ts";
import { wordCounter } from "../../reference/text/train-words.ts";
import { llama, prose, words } from "./prose.ts";

const options = { characterCoverage: 1, longestPiece: 16 };
const learnt = (text: string, vocabSize: number): string[] =>
  trainTokenizer(words(text), { ...options, vocabSize })
    .pieces.slice(259)
    .map(({ text: piece }) => piece);

/** Algorithm 1 itself: all pairs counted anew for each piece. Any two texts may be joined but those with a digit or a space within. */
function plainTraining(counts: ReadonlyMap<string, number>, wanted: number): string[] {
  const pieces: string[] = [];
  let all = [...counts].map(([word, times]) => ({ parts: [...word], times }));
  while (pieces.length < wanted) {
    const pairs = new Map<string, { left: string; right: string; count: number }>();
    for (const { parts, times } of all) {
      for (let i = 0; i + 1 < parts.length; i++) {
        const [left, right] = [parts[i], parts[i + 1]];
        if (/\d/.test(left + right) || (/^\u2581\u2581|.\u2581/.test(left + right) && !/^\u2581+$/.test(left + right)))
          continue;
        const key = `${left} ${right}`;
        const pair = pairs.get(key) ?? { left, right, count: 0 };
        pairs.set(key, { ...pair, count: pair.count + times });
      }
    }
    const [best] = [...pairs.values()].toSorted((a, b) => {
      const [one, other] = [a.left + a.right, b.left + b.right];
      return (
        b.count - a.count ||
        one.length - other.length ||
        (one < other ? -1 : one > other ? 1 : a.left.length - b.left.length)
      );
    });
    if (best === undefined) return pieces;
    const joined = best.left + best.right;
    if (!pieces.includes(joined)) pieces.push(joined);
    all = all.map(({ parts, times }) => {
      const next: string[] = [];
      for (let i = 0; i < parts.length; i++) {
        if (parts[i] === best.left && parts[i + 1] === best.right) {
          next.push(joined);
          i++;
        } else next.push(parts[i]);
      }
      return { parts: next, times };
    });
  }
  return pieces;
}

describe("learning", () => {
  test("gives the pieces of algorithm 1 in its order", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "\n", "1"), minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 12 }), (given, wanted) => {
        const counts = words(given);
        const characters = new Set([...counts.keys()].join("")).size;
        const plain = plainTraining(counts, wanted);
        if (plain.length < wanted) {
          expect(() => learnt(given, 259 + characters + wanted)).toThrow(
            `expected at most ${259 + characters + plain.length}`,
          );
        } else {
          expect(learnt(given, 259 + characters + wanted).slice(0, wanted)).toEqual(plain);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("keeps digits single, spaces in front or alone, and scripts apart", () => {
    const pieces = llama.pieces.slice(259).map(({ text }) => text);
    expect(pieces.length).toBeGreaterThan(150);
    for (const text of pieces) {
      if (/\p{Nd}/u.test(text)) expect([...text]).toHaveLength(1);
      expect(text).toMatch(/^(\u2581+|\u2581?[^\u2581\n]+)$/);
      expect(/\p{Script=Latin}/u.test(text) && /[\p{P}\p{Script=Cyrillic}\p{Script=Han}]/u.test(text)).toBe(false);
      expect([...text].length).toBeLessThanOrEqual(16);
    }
    expect(pieces).toContain("\u2581merchant");
    expect(pieces).toContain("\u2581\u2581");
  });

  test("is the same each time, and encodes its own text in fewer tokens than characters", () => {
    expect(trainTokenizer(words(prose), { ...options, vocabSize: 450 })).toEqual(
      trainTokenizer(words(prose), { ...options, vocabSize: 450 }),
    );
    expect(sentencePiece(llama).encode(prose).length).toBeLessThan(prose.length * 0.6);
  });

  test("leaves the rarest characters to the bytes", () => {
    const half = trainTokenizer(words("aaaaaaaa bbbb cc d"), { ...options, characterCoverage: 0.5, vocabSize: 263 });
    expect(half.pieces.slice(259).map(({ text }) => text)).toEqual(["aa", "a", "b", "\u2581"]);
    const { decode, encode } = sentencePiece(half);
    expect(decode(encode("abcd"))).toBe("abcd");
  });

  test("says what a vocabulary too small or too large would need", () => {
    expect(() => trainTokenizer(words("ab"), { ...options, vocabSize: 261 })).toThrow(
      "a vocabulary of 261 pieces is too small, expected at least 262: 3 specials, 256 bytes, 3 characters",
    );
    expect(() => trainTokenizer(words("ab"), { ...options, vocabSize: 265 })).toThrow(
      "a vocabulary of 265 pieces is too large for the text, expected at most 264",
    );
    expect(trainTokenizer(words("ab"), { ...options, vocabSize: 264 }).pieces).toHaveLength(264);
    expect(() => trainTokenizer(words("ab"), { ...options, vocabSize: NaN })).toThrow(RangeError);
  });

  test("a single word of a million letters", () => {
    const long = "ab".repeat(500_000);
    expect(learnt(long, 266).slice(0, 3)).toEqual(["ab", "abab", "abababab"]);
  });
});

describe("counting words", () => {
  test("is the same however the text is cut", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", " ", "\u2581", "\n", "\0", "\ufffd", "🦙"),
      maxLength: 60,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat(60)), (given, cuts) => {
        const counter = wordCounter();
        const characters = [...given];
        let from = 0;
        for (const cut of [...cuts.toSorted((a, b) => a - b), characters.length]) {
          counter.add(characters.slice(from, cut).join(""));
          from = Math.max(from, cut);
        }
        expect([...counter.finish()]).toEqual([...words(given)]);
      }),
    );
  });

  test("takes spaces with what follows, and no line's end", () => {
    expect([...words("the the\n  x \nthe")]).toEqual([
      ["\u2581the", 2],
      ["\u2581\u2581x", 1],
      ["\u2581", 1],
      ["the", 1],
    ]);
  });

  test("forgets the rarest words when there are too many, and cuts what is too long", () => {
    const counter = wordCounter(3);
    counter.add("a a a b c d e a");
    expect([...counter.finish()]).toEqual([
      ["\u2581a", 4],
      ["\u2581e", 1],
    ]);
    expect(Math.max(...[...words("x".repeat(5000)).keys()].map((word) => word.length))).toBeLessThanOrEqual(1025);
  });
});
