// Maps of bits: the sizes at which a planted dispatch changes them are found exactly, faults are findings, and nothing compared is no pass.
import { describe, expect, test } from "vitest";
import { invariance, type InvarianceOptions, type InvarianceResult } from "../../index.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";

type Outputs = Record<string, Tensor>;

/** The oracle in float32, with a change of its inputs before, and of its outputs after. */
function kernelOf(
  op: string,
  {
    before = (inputs) => inputs,
    after = (outputs) => outputs,
  }: Partial<Record<"before", (i: Inputs) => Inputs>> & {
    after?: (outputs: Outputs, inputs: Inputs) => Outputs;
  },
): never {
  const { evaluate } = operations.get(op)!;
  return ((inputs: Inputs, scalars: Scalars) =>
    after(evaluate(before(inputs), scalars, Float32Array), inputs)) as never;
}

const times = ({ data, shape }: Tensor, by: (i: number) => number): Tensor => ({
  data: data.map((x, i) => Math.fround(x * by(i))) as Floats,
  shape,
});
/** Another last bit, as another order of summation gives. */
const NUDGE = 1 + 2 ** -22;

const found = ({ maps }: InvarianceResult, relation: string) => maps.find((map) => map.relation === relation)!;
const small: InvarianceOptions = { sizes: "C=64 O=8 R<=129", seed: 1 };

/** A product whose rows have other bits from those numbers of rows on. */
const dispatched = (...gates: number[]): never =>
  kernelOf("linear.forward", {
    after: ({ y }) => ({ y: times(y, () => NUDGE ** gates.filter((gate) => y.shape[0] >= gate).length) }),
  });

describe("linear.forward", () => {
  const op = "linear.forward";

  test("what depends on nothing has one range", async () => {
    const result = await invariance(op, kernelOf(op, {}), { ...small, bitwise: true });
    expect([result.verdict, result.findings, result.repeatable]).toEqual(["pass", [], true]);
    expect(found(result, "number of R").ranges).toEqual([{ from: 1, to: 129, bits: 0, tried: 19 }]);
    expect(result.maps.every(({ compared }) => compared > 0)).toBe(true);
  });

  test("the sizes at which bits change are found exactly, and are findings only where bits are promised", async () => {
    const result = await invariance(op, dispatched(2, 9, 47), small);
    expect(result.verdict).toBe("pass");
    const { ranges, same, ulps, share } = found(result, "number of R");
    expect(ranges.map(({ from, to, bits }) => [from, to, bits])).toEqual([
      [1, 1, 0],
      [2, 8, 1],
      [9, 46, 2],
      [47, 129, 3],
    ]);
    expect([same, ulps > 0, share! > 0 && share! < 1]).toEqual([false, true, true]);
    const promised = await invariance(op, dispatched(2, 9, 47), { ...small, bitwise: true });
    expect([promised.verdict, promised.passed]).toEqual(["FAIL", false]);
    expect(promised.findings[0]).toMatch(
      /^number of R, O=8 C=64: R \d+: y\[\d,\d\]: \S+ became \S+\. How many there are/,
    );
  });

  test("bits that come again with every fourth row", async () => {
    const fourth = kernelOf(op, {
      after: ({ y }) => ({ y: times(y, (i) => (Math.floor(i / y.shape[1]) % 4 === 3 ? NUDGE : 1)) }),
    });
    const { maps } = await invariance(op, fourth, { sizes: "C=64 O=16 R<=9" });
    const places = maps.find(({ counts }) => counts === "place in R")!;
    expect(places.ranges.map(({ bits }) => bits)).toEqual([0, 1, 0, 1, 0]);
  });

  test("numbers further apart than both bounds are a finding of every kernel", async () => {
    const wrong = kernelOf(op, { after: ({ y }) => ({ y: times(y, () => (y.shape[0] === 65 ? 1.01 : 1)) }) });
    const { verdict, findings } = await invariance(op, wrong, small);
    expect(verdict).toBe("FAIL");
    expect(findings[0]).toMatch(/R 65: .* × the sum of both allowances\./);
  });

  test("a row that reads the next one, which zeros show", async () => {
    const leaking = kernelOf(op, {
      after: ({ y }, { x }) => ({
        y: times(y, (i) => (x.data[(Math.floor(i / y.shape[1]) + 1) * x.shape[1]] === 0 ? NUDGE : 1)),
      }),
    });
    const { verdict, findings, maps } = await invariance(op, leaking, { sizes: "C=8 O=16 R<=9" });
    expect(maps.find(({ relation }) => relation === "R filled with zeros")!.isBroken).toBe(true);
    expect([verdict, findings.some((line) => line.startsWith("R filled with zeros"))]).toEqual(["FAIL", true]);
  });

  test("sums on ranks stay within the bounds of their parts, and a rank that is left out does not", async () => {
    const options = { sizes: "R=4 O=8 C<=512" };
    const right = await invariance(op, kernelOf(op, {}), { ...options, bitwise: true });
    const { isPromised, share, ranges } = found(right, "C split over ranks");
    expect([right.verdict, isPromised, share! < 1, ranges.at(-1)!.to]).toEqual(["pass", false, true, 8]);
    const deaf = kernelOf(op, {
      before: ({ x, w }) => ({ x: x.shape[1] < 100 ? { ...x, data: x.data.map(() => 0) as Floats } : x, w }),
    });
    expect(found(await invariance(op, deaf, options), "C split over ranks").isBroken).toBe(true);
  });

  test("runs that differ by themselves are a finding, unless they are declared", async () => {
    let runs = 0;
    const restless = kernelOf(op, {
      after: ({ y }) => {
        const factor = runs++ % 2 === 0 ? 1 : NUDGE;
        return { y: times(y, () => factor) };
      },
    });
    const { verdict, findings, untried } = await invariance(op, restless, small);
    expect([verdict, findings]).toEqual(["FAIL", [expect.stringContaining("two runs on the same inputs differ")]]);
    expect(untried).toContain("number of R");
    const declared = await invariance(op, restless, { ...small, nondeterministic: true });
    expect([declared.verdict, declared.maps[0].ranges, declared.maps[0].same]).toEqual(["pass", [], undefined]);
    const both = { nondeterministic: true, bitwise: true };
    await expect(invariance(op, restless, both)).rejects.toThrow(
      /^options\.bitwise: got true with .*, expected only one/,
    );
  });

  test("runs that differ now and then where there are many workgroups are a finding too", async () => {
    let many = 0;
    const racing = kernelOf(op, {
      after: ({ y }) => ({
        y: times(
          y,
          (
            (factor) => () =>
              factor
          )(y.data.length >= 128 * 128 && ++many === 5 ? NUDGE : 1),
        ),
      }),
    });
    const { verdict, findings } = await invariance(op, racing);
    expect([verdict, findings]).toEqual(["FAIL", [expect.stringContaining("two runs on the same inputs differ")]]);
  });

  test("equal NaN is no equal number, and sizes that leave no steps compare nothing", async () => {
    const broken = kernelOf(op, { after: ({ y }) => ({ y: times(y, () => NaN) }) });
    expect((await invariance(op, broken, small)).verdict).toBe("inconclusive");
    const one = await invariance(op, kernelOf(op, {}), { sizes: "R=3 O=3 C=7" });
    expect(one.maps.filter(({ isPromised }) => isPromised)).toEqual([]);
    expect(one.untried).toContain("number of R: only R 3 fits");
    expect((await invariance("rope-table.forward", kernelOf("rope-table.forward", {}))).verdict).toBe("inconclusive");
  });

  test("a size that the kernel cannot do is a finding that names it", async () => {
    const limited = kernelOf(op, {
      before: (inputs) => {
        if (inputs.x.shape[0] > 40) throw new Error("at most 40 rows");
        return inputs;
      },
    });
    const { findings } = await invariance(op, limited, small);
    expect(findings[0]).toMatch(/^R=129 O=8 C=64: .*at most 40 rows; --sizes states/);
    expect(findings[1]).toMatch(/^number of R, O=8 C=64: R 63: .*at most 40 rows; --sizes states/);
    expect((await invariance(op, limited, { sizes: "C=64 O=8 R<=40" })).verdict).toBe("pass");
  });
});

describe("attention.forward", () => {
  const op = "attention.forward";
  const options = { sizes: "B=1 NKV=1 groups=1 HS=4 T<=64 S<=64" };

  test("correct, whatever comes at once", async () => {
    const result = await invariance(op, kernelOf(op, {}), { ...options, bitwise: true });
    expect([result.verdict, result.findings]).toEqual(["pass", []]);
    const names = result.maps.map(({ relation }) => relation);
    expect(names).toEqual(expect.arrayContaining(["number of queries", "one query", "in pieces"]));
  });

  test("a mask that counts from the first key, not from the last, is wrong in every piece but the first", async () => {
    const offset = kernelOf(op, {
      before: ({ q, k, v }) => {
        const [T, S] = [q.shape[1], k.shape[1]];
        const first = ({ data, shape }: Inputs[string]): Inputs[string] => ({
          data: data.slice(0, (data.length / S) * T),
          shape: shape.with(1, T),
        });
        return S > T ? { q, k: first(k), v: first(v) } : { q, k, v };
      },
    });
    const result = await invariance(op, offset, options);
    expect(result.verdict).toBe("FAIL");
    expect(found(result, "in pieces").isBroken).toBe(true);
    expect(found(result, "without later queries").same).toBe(true);
  });

  test("decoding with other bits from a length of the cache on", async () => {
    const decoding = kernelOf(op, {
      after: ({ y, lse }, { q, k }) => {
        return { y: times(y, () => (q.shape[1] === 1 && k.shape[1] > 40 ? NUDGE : 1)), lse };
      },
    });
    const { ranges, isPairwise } = found(await invariance(op, decoding, options), "one query");
    expect([isPairwise, ranges.map(({ from, to, bits }) => [from, to, bits])]).toEqual([
      true,
      [
        [1, 40, 0],
        [41, 64, 1],
      ],
    ]);
  });
});

describe("attention.backward", () => {
  const op = "attention.backward";
  const options = { sizes: "B<=2 NKV=1 groups=2 HS=4 T<=64 S<=64" };
  const name = "dk, dv in pieces";

  test("what keys get from pieces of the queries adds up to what they get from all", async () => {
    const result = await invariance(op, kernelOf(op, {}), { ...options, bitwise: true });
    expect([result.verdict, result.findings]).toEqual(["pass", []]);
    const { isPromised, share = 0, ranges, unjudged } = found(result, name);
    expect([isPromised, share < 1, unjudged, ranges.length > 0]).toEqual([false, true, 0, true]);
  });

  test("also where D is declared as a sum of stored weights, of which there is no smaller allowance", async () => {
    const result = await invariance(op, kernelOf(op, {}), { ...options, stores: { P_D: "float16" } });
    expect([result.verdict, result.findings]).toEqual(["pass", []]);
  });

  /** A query without a gradient. */
  const lost = ({ dy, ...rest }: Inputs): Inputs => {
    const [, T, NH, HS] = dy.shape;
    const isLast = (i: number): boolean => Math.floor(i / (NH * HS)) % T === T - 1;
    return { ...rest, dy: { ...dy, data: dy.data.map((x, i) => (isLast(i) ? 0 : x)) as Floats } };
  };

  test("a query that is lost in each call is a finding", async () => {
    expect(found(await invariance(op, kernelOf(op, { before: lost }), options), name).isBroken).toBe(true);
  });

  test.each(["bfloat16", "float16"] as const)(
    "in %s each piece is rounded once, and no correct kernel is accused; a lost query is a finding",
    async (dtype) => {
      const stored = (outputs: Outputs): Outputs =>
        Object.fromEntries(
          Object.entries(outputs).map(([key, { data, shape }]) => {
            return [key, { data: data.map((x: number) => round(x, dtypes[dtype])) as Floats, shape }];
          }),
        );
      const given = { ...options, dtype };
      for (const seed of [1, 2, 3]) {
        const right = await invariance(op, kernelOf(op, { after: stored }), { ...given, seed });
        expect([right.verdict, right.findings]).toEqual(["pass", []]);
        const { compared, differing, share = 0 } = found(right, name);
        expect([compared > 0, differing > 0, share < 1]).toEqual([true, true, true]);
      }
      const wrong = await invariance(op, kernelOf(op, { before: lost, after: stored }), given);
      expect(found(wrong, name).isBroken).toBe(true);
    },
  );
});
