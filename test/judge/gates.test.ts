// Faults that begin at a size: a sample of what `npm run campaign:gates` plants.
import { describe, expect, it } from "vitest";
import { exampleCases } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";
import { type FaultName, gatesOf, plantAll, type Planted } from "../gates.ts";

function planted(
  [chosen]: ReturnType<typeof choose>,
  axes: string,
  at: number,
  faults: FaultName[],
): Promise<Planted[]> {
  const { spec } = chosen;
  const work = (sizes: (typeof cases)[number]["sizes"]): number => spec.large!.work(sizes);
  const cases = [...exampleCases(spec, 1), ...largeCases(spec, 1)];
  const cheapFirst = cases.toSorted((a, b) => work(a.sizes) - work(b.sizes));
  return plantAll(chosen, [{ axes: axes.split(" "), at }], cheapFirst, faults);
}

describe("a fault that begins at a size is seen by the cases of a check", () => {
  it.each([
    ["linear.forward", "R C", 1024, "TF32 inputs"],
    ["linear.forward", "O C", 2048, "zeros"],
    ["rmsnorm.forward", "R", 1024, "stale tile"],
    ["swiglu.backward", "F", 2048, "last slice dropped"],
    ["embedding.backward", "R C", 256, "zeros"],
    ["attention.forward", "B NKV groups", 32, "zeros"],
    ["attention.forward", "B T S", 32, "TF32 inputs"],
    ["rope.backward", "T NH HS", 64, "stale tile"],
  ] as const)("%s, %s from %d: %s", async (op, axes, at, fault) => {
    const [one] = await planted(choose([op]), axes, at, [fault]);
    expect(one.outcome).toBe("rejected");
  });

  it("but not beyond the sizes of a check: what such a fault is seen with are sizes that contain it", async () => {
    const all = choose(["rope.forward"]);
    expect(gatesOf(all[0]).length).toBeGreaterThan(30);
    expect(await planted(all, "B T NH", 64, ["zeros"])).toEqual([]); // no case lies beyond
    const [one] = await planted(chosenWithin(all, "B>=64 T>=64 NH>=64"), "B T NH", 64, ["zeros"]);
    expect(one.outcome).toBe("rejected");
  });
});
