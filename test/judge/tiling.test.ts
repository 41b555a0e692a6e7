// Which sizes drawn cases have: many on multiples of 16 and at edges, where kernels change their ways.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryCase, type Sizes } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";

const all = [...choose([]), ...choose(["rmsnorm.forward+linear.forward", "rope.forward+attention.forward"])];
const RUNS = 2000;
/** Five standard deviations of a share of a quarter in so many runs. */
const LEAST = 0.25 - 5 * Math.sqrt((0.25 * 0.75) / RUNS);
const EDGES = new Set([8, 16, 32, 64, 128, 256, 512, 1024, 2048].flatMap((n) => [n - 1, n, n + 1]));

function drawn(spec: (typeof all)[number]["spec"], numRuns = RUNS): Sizes[] {
  return fc.sample(arbitraryCase(spec, false), { seed: 5, numRuns }).map(({ sizes }) => sizes);
}

const shareOf = (list: readonly Sizes[], is: (sizes: Sizes) => boolean): number => list.filter(is).length / list.length;

describe("drawn cases", () => {
  it.each(all)(
    "$operation.name: a quarter has multiples of 16 throughout, an eighth is at edges, all fit",
    ({ spec }) => {
      const list = drawn(spec);
      const tiled = Object.keys(spec.tiling!.tiled);
      expect(tiled.length).toBeGreaterThan(0);
      expect(list.every((sizes) => spec.fits(sizes))).toBe(true);
      const every = (is: (n: number) => boolean) =>
        shareOf(list, (sizes) => tiled.every((name) => is(Number(sizes[name]))));
      expect(every((n) => n > 0 && n % 16 === 0)).toBeGreaterThan(LEAST);
      expect(every((n) => EDGES.has(n) || n === 2)).toBeGreaterThan(0.1);
      // Beyond 256 as well, where the other axes leave room.
      expect(list.some((sizes) => tiled.some((name) => EDGES.has(Number(sizes[name])) && Number(sizes[name]) > 500))).toBe(true); // prettier-ignore
    },
  );

  it("obey --sizes, on multiples of 16 and at edges as well", () => {
    const [{ spec }] = chosenWithin(choose(["linear.forward"]), "C%8=0 R<=40 O=C");
    const list = drawn(spec, 400);
    expect(list.every(({ R, O, C }) => Number(C) % 8 === 0 && Number(R) <= 40 && O === C)).toBe(true);
    expect(shareOf(list, ({ R, O, C }) => [R, O, C].every((n) => Number(n) % 16 === 0))).toBeGreaterThan(0.2);
  });

  it("are the same for a seed", () => {
    for (const { spec } of all) expect(drawn(spec, 20)).toEqual(drawn(spec, 20));
  });

  it("shrink to the smallest sizes at which they fail", () => {
    const { spec } = choose(["linear.forward"])[0];
    const smallest = (fails: (sizes: Sizes) => boolean): Sizes => {
      const property = fc.property(arbitraryCase(spec, false), ({ sizes }) => !fails(sizes));
      const [found] = fc.check(property, { seed: 3, numRuns: RUNS }).counterexample!;
      return found.sizes;
    };
    expect(smallest(({ R }) => Number(R) >= 5)).toEqual({ R: 5, O: 1, C: 1 });
    const isAligned = ({ R, O, C }: Sizes): boolean => [R, O, C].every((n) => Number(n) % 16 === 0);
    expect(smallest(isAligned)).toEqual({ R: 16, O: 16, C: 16 });
    expect(smallest(({ R, C }) => R === 1025 && C !== 1)).toMatchObject({ R: 1025 });
  });
});
