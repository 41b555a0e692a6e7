// Sources in their shares, documents in shuffled epochs, sequences that leave nothing out, and the same tokens after a stop.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Documents,
  epochOrder,
  mixture,
  type MixtureState,
  nextSource,
  sharesOf,
} from "../../reference/text/mixture.ts";

const weights = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 100, noNaN: true })), {
  minLength: 1,
  maxLength: 7,
});

describe("shares", () => {
  test("every count stays within what the rule proves of its share", () => {
    fc.assert(
      fc.property(
        weights.filter((w) => w.some((x) => x > 0)),
        fc.integer({ min: 1, max: 400 }),
        (all, steps) => {
          const shares = sharesOf(all.map((weight, s) => ({ name: `${s}`, weight })));
          const counts = shares.map(() => 0);
          for (let n = 1; n <= steps; n++) {
            counts[nextSource(shares, counts)]++;
            const slack = n * Number.EPSILON * shares.length; // of the shares' rounding
            const outside = counts.findIndex((count, s) => {
              const above = count - n * shares[s];
              return !(above < 1 + slack && above > -shares.length - slack && (shares[s] > 0 || count === 0));
            });
            expect(outside).toBe(-1);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each([
    [[0, 0], "the weights sum to 0, expected a number above 0"],
    [[], "the weights sum to 0"],
    [[1, -1], 'source "1" has weight -1, expected a number of at least 0'],
    [[1, NaN], 'source "1" has weight NaN'],
    [[1, Infinity], 'source "1" has weight Infinity'],
    [[1.7e308, 1.7e308], "the weights sum to Infinity"],
  ])("of %s are refused", (all, message) => {
    expect(() => sharesOf(all.map((weight, s) => ({ name: `${s}`, weight })))).toThrow(message);
  });
});

test("an epoch has every document once, in an order of its seed, its source and its number", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.nat(), fc.nat(5), (count, seed, epoch) => {
      const order = epochOrder(count, seed, "a", epoch);
      expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(epochOrder(count, seed, "a", epoch)).toEqual(order);
    }),
  );
  const order = epochOrder(50, 1, "a", 0);
  for (const other of [epochOrder(50, 2, "a", 0), epochOrder(50, 1, "b", 0), epochOrder(50, 1, "a", 1)]) {
    expect(other).not.toEqual(order);
  }
  expect([...order]).not.toEqual(Array.from({ length: 50 }, (_, i) => i));
});

/** Documents given as their parts' tokens. */
function documentsOf(parts: readonly (readonly number[])[][]): Documents {
  return {
    count: parts.length,
    part: (d, p) => ({ tokens: Int32Array.from(parts[d][p]), more: p + 1 < parts[d].length }),
  };
}

const documents = fc.array(fc.array(fc.array(fc.nat(99), { maxLength: 6 }), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 5,
});

describe("a mixture", () => {
  const problem = fc.record({
    sources: fc.array(fc.record({ parts: documents, weight: fc.double({ min: 0.1, max: 10, noNaN: true }) }), {
      minLength: 1,
      maxLength: 4,
    }),
    T: fc.integer({ min: 1, max: 7 }),
    B: fc.integer({ min: 1, max: 3 }),
    steps: fc.integer({ min: 1, max: 12 }),
    stop: fc.nat(12),
    seed: fc.nat(),
  });
  const hasTokens = (parts: readonly (readonly number[])[][]): boolean => parts.flat(2).length > 0;

  test("puts out each source's line of documents without a gap, and goes on from any state", () => {
    fc.assert(
      fc.property(problem, ({ sources: given, T, B, steps, stop, seed }) => {
        fc.pre(given.every(({ parts }) => hasTokens(parts)));
        const sources = given.map(({ parts, weight }, s) => ({ name: `s${s}`, weight, documents: documentsOf(parts) }));
        let drawn = mixture(sources, T, seed);
        const lines: number[][] = sources.map(() => []);
        for (let step = 0; step < steps; step++) {
          if (step === stop)
            drawn = mixture(sources, T, seed, JSON.parse(JSON.stringify(drawn.state())) as MixtureState);
          const before = drawn.state().sources.map(({ sequences }) => sequences);
          const { tokens, targets } = drawn.next(B);
          expect([tokens.shape, targets.shape]).toEqual([
            [B, T],
            [B, T],
          ]);
          const shares = sharesOf(sources);
          for (let b = 0; b < B; b++) {
            const s = nextSource(shares, before);
            before[s]++;
            const row = [...tokens.data.subarray(b * T, (b + 1) * T)];
            const next = [...targets.data.subarray(b * T, (b + 1) * T)];
            expect(next.slice(0, -1)).toEqual(row.slice(1));
            lines[s].push(...row);
            // What a target promises behind the sequence is what the source's next sequence begins with.
            wanted(s, lines[s].length, next.at(-1)!);
          }
          expect(drawn.state().sources.map(({ sequences }) => sequences)).toEqual(before);
        }
        for (const [s, row] of lines.entries()) expect(row).toEqual(lineOf(s, row.length));

        function lineOf(s: number, length: number): number[] {
          const all: number[] = [];
          for (let epoch = 0; all.length < length; epoch++) {
            for (const d of epochOrder(given[s].parts.length, seed, `s${s}`, epoch))
              all.push(...given[s].parts[d].flat());
          }
          return all.slice(0, length);
        }
        function wanted(s: number, at: number, token: number): void {
          expect(lineOf(s, at + 1)[at]).toBe(token);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("counts epochs", () => {
    const sources = [{ name: "a", weight: 1, documents: documentsOf([[[1, 2]], [[3], [4]]]) }];
    const drawn = mixture(sources, 2, 7);
    const epochs = Array.from({ length: 5 }, () => {
      drawn.next(1);
      return drawn.state().sources[0].epoch;
    });
    expect(epochs).toEqual([0, 1, 1, 2, 2]);
  });

  test("refuses a source without documents, documents without tokens, and a state of other sources", () => {
    const source = (parts: readonly (readonly number[])[][], name = "a") => [
      { name, weight: 1, documents: documentsOf(parts) },
    ];
    expect(() => mixture(source([]), 2, 1)).toThrow('source "a" has no documents');
    expect(() => mixture(source([[[]], [[], []]]), 2, 1).next(1)).toThrow('source "a": its documents are empty');
    const state = mixture(source([[[1]]]), 2, 1).state();
    expect(() => mixture(source([[[1]]], "b"), 2, 1, state)).toThrow("the state is of sources a, expected b");
    const beyond = { sources: [{ ...state.sources[0], document: 1 }] };
    expect(() => mixture(source([[[1]]]), 2, 1, beyond)).toThrow("document 1 of 1 documents");
  });
});
