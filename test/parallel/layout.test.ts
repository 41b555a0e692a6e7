// Which layouts are legal, and what is said of the others: the rule, and the nearest legal choice.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LlamaConfig, presets } from "../../reference/config.ts";
import { checkLayout, dense, type Layout, membersOf, rankCount } from "../../reference/parallel/layout.ts";

const layout = (change: Partial<Record<keyof Layout, unknown>>): Layout => ({ ...dense, ...change }) as Layout;

test.each([
  [
    layout({ tensor: 3 }),
    "tensor 3 does not divide nKvHeads 4: a rank holds whole key/value heads; the nearest legal choice is tensor 2",
  ],
  [
    layout({ tensor: 100 }),
    "tensor 100 does not divide nKvHeads 4: a rank holds whole key/value heads; the nearest legal choice is tensor 4",
  ],
  [layout({ data: 4 }), "data 4 does not divide the batch of 6 sequences; the nearest legal choice is data 3"],
  [
    layout({ tensor: 4, sequence: true }),
    "tensor 4 does not divide the sequence of 10 tokens: sequence parallelism cuts it evenly; the nearest legal choice is tensor 2",
  ],
  [layout({ tensor: 0 }), "tensor is 0, expected a positive integer; the nearest legal choice is tensor 1"],
  [layout({ data: 2.5 }), "data is 2.5, expected a positive integer; the nearest legal choice is data 3"],
  [layout({ data: NaN }), "data is NaN, expected a positive integer; the nearest legal choice is data 1"],
  [layout({ zero: 4 }), "zero is 4, expected one of 0, 1, 2, 3; the nearest legal choice is zero 3"],
  [layout({ zero: NaN }), "zero is NaN, expected one of 0, 1, 2, 3; the nearest legal choice is zero 0"],
  [layout({ sequence: 1 }), "sequence is 1, expected true or false; the nearest legal choice is sequence false"],
])("%j is refused", (illegal, message) => {
  const refused = () => checkLayout(presets.small, illegal, { B: 6, T: 10 });
  expect(refused).toThrow(RangeError);
  expect(refused).toThrow(`layout: ${message}`);
});

test("the feed-forward width too must divide", () => {
  const config: LlamaConfig = { ...presets.small, ffnDim: 342 };
  expect(() => checkLayout(config, layout({ tensor: 4 }))).toThrow(
    "layout: tensor 4 does not divide ffnDim 342: the feed-forward width is cut evenly; the nearest legal choice is tensor 2",
  );
});

test("what is legal, and that the choice that is named is the nearest legal one", () => {
  const counts = fc.integer({ min: 1, max: 40 });
  const sizes = fc.record({ nKvHeads: counts, ffnDim: counts, B: counts, T: counts, data: counts, tensor: counts });
  /** Of 1 … 80, the smaller where two are as near. */
  const nearest = (wanted: number, isLegal: (n: number) => boolean): number =>
    Array.from({ length: 80 }, (_, i) => i + 1)
      .filter(isLegal)
      .reduce((a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a));
  fc.assert(
    fc.property(sizes, fc.boolean(), ({ nKvHeads, ffnDim, B, T, data, tensor }, sequence) => {
      const config: LlamaConfig = { ...presets.small, nHeads: 2 * nKvHeads, nKvHeads, ffnDim };
      const said = (): string => {
        try {
          checkLayout(config, { data, tensor, sequence, zero: 0 }, { B, T });
          return "legal";
        } catch (error) {
          return (error as Error).message.replace(/.* choice is /, "");
        }
      };
      const divides = (n: number): boolean => nKvHeads % n === 0 && ffnDim % n === 0;
      const cutsRows = (n: number): boolean => divides(n) && (!sequence || T % n === 0);
      if (!divides(tensor)) expect(said()).toBe(`tensor ${nearest(tensor, divides)}`);
      else if (B % data !== 0) expect(said()).toBe(`data ${nearest(data, (n) => B % n === 0)}`);
      else if (!cutsRows(tensor)) expect(said()).toBe(`tensor ${nearest(tensor, cutsRows)}`);
      else expect(said()).toBe("legal");
    }),
    { numRuns: 500 },
  );
});

describe("the grid", () => {
  const grid = layout({ data: 3, tensor: 2 });
  test("has data × tensor ranks, each in a group of either kind", () => {
    expect(rankCount(grid)).toBe(6);
    expect(membersOf(grid, "tensor", 3)).toEqual([2, 3]);
    expect(membersOf(grid, "data", 3)).toEqual([1, 3, 5]);
    expect(membersOf(grid, "world", 3)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

test("the paper's largest model is legal on 2,048 GPUs, eight to a model", () => {
  expect(() =>
    checkLayout(presets["65B"], { data: 256, tensor: 8, sequence: true, zero: 1 }, { B: 2048, T: 2048 }),
  ).not.toThrow();
});
