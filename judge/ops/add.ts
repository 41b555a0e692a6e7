import { axis, size } from "../case.ts";
import { atRangesEnd, fill, madeUp } from "../profile.ts";
import { none } from "../../reference/none.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { byElement } from "../around.ts";
import { MOST_ELEMENTS } from "../large.ts";
import { judgeRow } from "../row.ts";

export const forward = judgeRow("add.forward", {
  sizes: { N: axis(1500) },
  fits: none("every size goes with every other"),
  profiles: madeUp,
  examples: [
    { sizes: { N: 0 }, profile: "unit" },
    { sizes: { N: 131 } },
    { sizes: { N: 67 }, profile: "huge" },
    { sizes: { N: 67 }, profile: "near-underflow" },
  ],
  build(sizes, profile, seed, dtype = "float32") {
    const addend = (name: string) => atRangesEnd(fill(profile, seed, name, [size(sizes, "N")]), profile, dtype);
    return { inputs: { a: addend("a"), b: addend("b") }, scalars: {} };
  },
  large: { axes: { N: MOST_ELEMENTS }, work: (sizes) => 20 * size(sizes, "N"), isInBlocks: true },
  around: byElement(["a", "b"]),
  sampling: none("the truth of all is cheap"),
  ordinary: { N: 200 },
  probes: () => [{ sizes: { N: 512 }, outputs: ["y"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("one addition: no sum of many terms"),
  independence: [alone("N", ["y"])],
  padding: none("no output is a sum"),
  symmetry: [along("N")],
  scaling: [linearIn(["a", "b"], ["y"])],
  shift: none("linear in each input, which its scaling says"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: none("one operation an element, at any size"),
});
