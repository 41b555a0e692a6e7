// The collectives by their definitions, their bytes by a ring that is walked hop by hop, and ranks that do not meet.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CollectiveKind, perform, ringBytes } from "../../reference/parallel/collectives.ts";
import { cut, join, partOf } from "../../reference/parallel/cut.ts";
import { dense, type Layout } from "../../reference/parallel/layout.ts";
import { bytesByKind, type RankProgram, type Rank, ranksOf, runInLockstep } from "../../reference/parallel/lockstep.ts";
import { normal } from "../../reference/random.ts";
import { sizeOf, type Tensor } from "../../reference/tensor.ts";

const shapes = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 3 });
const members = fc.integer({ min: 1, max: 7 });
const drawn = (shape: readonly number[], seed: number): Tensor<Float32Array> => ({
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => normal(seed, 0, i)),
  shape,
});

describe("cuts", () => {
  test("the parts follow one another, cover everything, and differ by at most one", () => {
    fc.assert(
      fc.property(fc.nat({ max: 100 }), members, (n, p) => {
        let at = 0;
        for (let i = 0; i < p; i++) {
          const { from, to } = partOf(n, p, i);
          expect(from).toBe(at);
          expect(to - from === Math.floor(n / p) || to - from === Math.ceil(n / p)).toBe(true);
          at = to;
        }
        expect(at).toBe(n);
      }),
    );
  });

  test("the parts joined are the whole, along any axis", () => {
    fc.assert(
      fc.property(shapes, members, fc.nat(), (shape, p, choice) => {
        const axis = choice % shape.length;
        const t = drawn(shape, choice);
        const parts = Array.from({ length: p }, (_, i) => cut(t, axis, p, i));
        expect(join(parts, axis)).toEqual(t);
      }),
    );
  });

  test("a part holds the elements of its indices", () => {
    const t = { data: Float32Array.from({ length: 12 }, (_, i) => i), shape: [2, 3, 2] };
    expect(cut(t, 1, 2, 1)).toEqual({ data: Float32Array.of(2, 3, 4, 5, 8, 9, 10, 11), shape: [2, 2, 2] });
  });

  test("no such axis, and parts that do not fit, are refused", () => {
    expect(() => cut(drawn([2, 3], 1), 2, 2, 0)).toThrow("shape [2,3] has no axis 2");
    expect(() => join([drawn([2, 3], 1), drawn([2, 4], 1)], 0)).toThrow(
      "a part has shape [2,4], expected [2,3] except along axis 0",
    );
  });
});

describe("what a group computes", () => {
  test("a sum is added in double in the order of the members and stored once", () => {
    // In float32 one after another: (2²⁴ + 1) + 1 = 2²⁴.
    const xs = [2 ** 24, 1, 1].map((x) => ({ data: Float32Array.of(x), shape: [1] }));
    expect(perform({ kind: "all-reduce" }, xs).map(({ data }) => data[0])).toEqual([1, 1, 1].map(() => 2 ** 24 + 2));
  });

  test("an all-reduce has the bits of a reduce-scatter and an all-gather", () => {
    fc.assert(
      fc.property(shapes, members, fc.nat(), (shape, p, seed) => {
        const xs = Array.from({ length: p }, (_, i) => drawn(shape, seed + i));
        const axis = seed % shape.length;
        const parts = perform({ kind: "reduce-scatter", axis }, xs);
        expect(perform({ kind: "all-gather", axis }, parts)).toEqual(perform({ kind: "all-reduce" }, xs));
      }),
    );
  });

  test("a maximum, and NaN in it", () => {
    const xs = [
      [1, 5, NaN],
      [4, -Infinity, 2],
    ].map((row) => ({ data: Float64Array.from(row), shape: [3] }));
    expect([...perform({ kind: "all-reduce", reduction: "max" }, xs)[1].data]).toEqual([4, 5, NaN]);
  });

  test("members that give different shapes are refused", () => {
    const xs = [drawn([2], 1), drawn([3], 1)];
    expect(() => perform({ kind: "all-reduce" }, xs)).toThrow("one member gives shape [3], another [2]");
    expect(() => perform({ kind: "reduce-scatter", axis: 0 }, xs)).toThrow("one member gives shape [3], another [2]");
  });
});

describe("bytes on a ring", () => {
  /** What each member sends when parts of these sizes go round, each from its owner to the one before it. */
  function walked(sizes: readonly number[]): number[] {
    const p = sizes.length;
    const sent = sizes.map(() => 0);
    const holds = sizes.map((_, i) => i); // the part that each member passes on next
    for (let hop = 1; hop < p; hop++) {
      for (let i = 0; i < p; i++) sent[i] += sizes[holds[i]];
      for (let i = 0; i < p; i++) holds[i] = (holds[i] + p - 1) % p;
    }
    return sent;
  }
  const sizesOf = (n: number, p: number): number[] =>
    Array.from({ length: p }, (_, i) => partOf(n, p, i).to - partOf(n, p, i).from);
  const sentIn = (kind: CollectiveKind, xs: readonly Tensor[]): number[] => {
    const got = perform({ kind, axis: 0 }, xs);
    return xs.map((_, i) => ringBytes(kind, xs, got, i));
  };

  test("as counted hop by hop, for parts of any sizes", () => {
    fc.assert(
      fc.property(fc.nat({ max: 40 }), fc.integer({ min: 2, max: 7 }), (n, p) => {
        const sizes = sizesOf(n, p);
        const gathered = walked(sizes);
        // To end at its owner, a part starts one member further on.
        const scattered = walked(sizes.map((_, i) => sizes[(i + p - 1) % p]));
        const xs = Array.from({ length: p }, (_, i) => drawn([n], i));
        const parts = xs.map((x, i) => cut(x, 0, p, i));
        expect(sentIn("all-gather", parts)).toEqual(gathered.map((words) => 4 * words));
        expect(sentIn("reduce-scatter", xs)).toEqual(scattered.map((words) => 4 * words));
        expect(sentIn("all-reduce", xs)).toEqual(gathered.map((words, i) => 4 * (words + scattered[i])));
        expect(sentIn("broadcast", xs)).toEqual(xs.map((_, i) => (i < p - 1 ? 4 * n : 0)));
      }),
    );
  });

  test("for equal parts the formula (p − 1)/p · n, twice in an all-reduce", () => {
    const xs = Array.from({ length: 4 }, (_, i) => drawn([16], i));
    expect(sentIn("all-reduce", xs)).toEqual([96, 96, 96, 96]);
    expect(sentIn("reduce-scatter", xs)).toEqual([48, 48, 48, 48]);
  });
});

describe("ranks in lockstep", () => {
  const layout: Layout = { ...dense, data: 2, tensor: 3 };
  const one = (x: number): Tensor<Float64Array> => ({ data: Float64Array.of(x), shape: [1] });
  const run = (program: (rank: Rank, index: number) => RankProgram<unknown>) => {
    const { results, traffic } = runInLockstep(ranksOf(layout).map(program));
    return { results, traffic };
  };

  test("each group meets by itself; tensor ranks are neighbours", () => {
    const { results, traffic } = run(function* (rank, index) {
      const tensor = yield* rank.tensor.allGather("a", one(index), 0);
      const data = yield* rank.data.allGather("b", one(index), 0);
      const world = yield* rank.world.allReduce("c", one(index));
      const first = yield* rank.tensor.broadcast("d", rank.tensor.index === 0 ? one(10 + index) : undefined);
      return [...tensor.data, -1, ...data.data, -1, ...world.data, ...first.data];
    });
    expect(results[0]).toEqual([0, 1, 2, -1, 0, 3, -1, 15, 10]);
    expect(results[4]).toEqual([3, 4, 5, -1, 1, 4, -1, 15, 13]);
    expect(bytesByKind(traffic)).toEqual({
      "all-gather": 8 * (6 * 2 + 6),
      "all-reduce": 8 * 2 * 5,
      "reduce-scatter": 0,
      broadcast: 8 * 4,
    });
    expect(bytesByKind(traffic, 2).broadcast).toBe(0);
  });

  test("a rank that waits for one that has ended, or is elsewhere, is an error that says so", () => {
    const missing = function* (rank: Rank, index: number): RankProgram<unknown> {
      return index === 4 ? undefined : yield* rank.tensor.allReduce("x", one(1));
    };
    expect(() => run(missing)).toThrow("rank 3 waits at the all-reduce of x over tensor, but rank 4 has ended");
    const crossed = function* (rank: Rank, index: number): RankProgram<unknown> {
      return yield* rank.world.allGather(index === 5 ? "y" : "x", one(1), 0);
    };
    expect(() => run(crossed)).toThrow(
      "rank 0 waits at the all-gather of x over world, axis 0, but rank 5 is at the all-gather of y over world, axis 0",
    );
  });

  test("a broadcast of nothing is an error", () => {
    const nothing = (rank: Rank): RankProgram<unknown> => rank.tensor.broadcast("tokens", undefined);
    expect(() => run(nothing)).toThrow("the broadcast of tokens over tensor: a member has nothing to give");
    expect(() => runInLockstep(ranksOf(dense).map(nothing))).toThrow(
      "tokens is missing: rank 0 has nobody to get it from",
    );
  });

  test("a rank's mistake in its own code is thrown as it is", () => {
    const failing = function* (rank: Rank, index: number): RankProgram<unknown> {
      if (index === 1) throw new RangeError("mine");
      return yield* rank.world.allReduce("x", one(1));
    };
    expect(() => run(failing)).toThrow(new RangeError("mine"));
  });
});
