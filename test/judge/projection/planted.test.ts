// Faults planted in products whose truth is taken at a sample only: what is missed is as it is said, and little.
import { describe, expect, it } from "vitest";
import { buildCase } from "../../../judge/campaign.ts";
import type { Case } from "../../../judge/case.ts";
import { choose } from "../../../judge/choose.ts";
import { chanceOf, faultExtents, faultKinds, sumOfMisses } from "../../../judge/missed.ts";
import { atSample } from "../../../judge/sampled.ts";
import { targets } from "../../../reference/targets.ts";
import { few } from "../../few.ts";
import { contradicts, plant } from "../../planted.ts";

describe("the share of planted faults that are missed without the truth is as it is said", () => {
  it.each([
    ["linear.forward", { R: 190, O: 170, C: 40 }, "float32"],
    ["linear.backward", { R: 70, O: 120, C: 130 }, "float32"],
    ["linear.forward", { R: 130, O: 140, C: 64 }, "bfloat16"],
  ] as const)("%s %o in %s", (op, sizes, dtype) => {
    const [chosen] = choose([op]);
    const c: Case = { op, sizes, profile: "unit", seed: 12 };
    const sampling = few(chosen.spec.sampling!, 400);
    const planted = plant(chosen, { cases: [c], places: 3, target: targets.wgsl, dtype, sampling });
    expect(contradicts(planted), JSON.stringify(planted)).toBe(false);
    const missed = (what: string): number =>
      planted.filter(({ name }) => name.includes(what)).reduce((n, one) => n + one.missed, 0);
    for (const kind of ["zero", "neighbour"])
      for (const extent of ["row", "tile"]) expect(missed(`${extent} as ${kind}`)).toBe(0);
    if (dtype === "float32") for (const extent of ["row", "tile", "hundredth"]) expect(missed(extent)).toBe(0);
  });
});

it("at 2,048² little is missed", () => {
  const [{ operation, spec }] = choose(["linear.forward"]);
  const c: Case = { op: "linear.forward", sizes: { R: 2048, O: 2048, C: 32 }, profile: "unit", seed: 3 };
  const { inputs, scalars } = buildCase(spec, c);
  const { y } = operation.evaluate(inputs, scalars, Float32Array);
  // Each seed draws 1,024 rows and tiles, and a limit is said of those in which nothing was missed.
  const looks = [3, 4, 5].map((seed) => {
    const compare = atSample(few(spec.sampling!, 20_000), { seed, counts: true });
    const terms = { target: targets.wgsl, dtype: "float32" } as const;
    const { outside, missed, note } = compare(operation, { inputs, scalars }, terms)("y", y);
    expect([outside, note]).toEqual([0, undefined]);
    return missed!;
  });
  const missed = looks.reduce(sumOfMisses);
  const most = { element: 0.05, row: 1e-3, tile: 0.05, hundredth: 1e-6 };
  for (const extent of faultExtents)
    for (const kind of faultKinds)
      expect(chanceOf(missed, extent, kind), `${extent} as ${kind}`).toBeLessThanOrEqual(most[extent]);
});
