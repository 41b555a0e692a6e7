// Faults planted in products whose truth is taken at a sample only: what is missed is as it is said, and little.
import { describe, expect, it } from "vitest";
import type { Case } from "../../../judge/case.ts";
import { choose } from "../../../judge/choose.ts";
import { drawElements, SAMPLE_WORK } from "../../../judge/draws.ts";
import type { Sampling } from "../../../judge/sampled.ts";
import { targets } from "../../../reference/targets.ts";
import { contradicts, plant } from "../../planted.ts";

/** Fewer elements than a check would take, so that a fault is hit by chance hardly ever. */
const FEW = 400;
const few = (sampling: Sampling): Sampling => ({
  ...sampling,
  draw: (_problem, output, shape, seed) => drawElements(output, shape, SAMPLE_WORK / FEW, seed),
});

describe("the share of planted faults that are missed without the truth is as it is said", () => {
  it.each([
    ["linear.forward", { R: 190, O: 170, C: 40 }, "float32"],
    ["linear.backward", { R: 70, O: 120, C: 130 }, "float32"],
    ["linear.forward", { R: 130, O: 140, C: 64 }, "bfloat16"],
  ] as const)("%s %o in %s", (op, sizes, dtype) => {
    const [chosen] = choose([op]);
    const c: Case = { op, sizes, profile: "unit", seed: 12 };
    const sampling = few(chosen.spec.sampling!);
    const planted = plant(chosen, { cases: [c], places: 4, target: targets.wgsl, dtype, sampling });
    expect(contradicts(planted), JSON.stringify(planted)).toBe(false);
    const missed = (what: string): number =>
      planted.filter(({ name }) => name.includes(what)).reduce((n, one) => n + one.missed, 0);
    for (const kind of ["zero", "neighbour"])
      for (const extent of ["row", "tile"]) expect(missed(`${extent} as ${kind}`)).toBe(0);
    if (dtype === "float32") for (const extent of ["row", "tile", "hundredth"]) expect(missed(extent)).toBe(0);
  });
});
