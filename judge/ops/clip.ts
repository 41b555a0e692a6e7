import * as gradientNorm from "../../reference/ops/gradient-norm.ts";
import { streamOf, uniform } from "../../reference/random.ts";
import { axis, size } from "../case.ts";
import { fill, inRange, madeUp } from "../profile.ts";
import { none } from "../../reference/none.ts";
import type { Change } from "../cancelling.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { unclipped } from "../relations/shifts.ts";
import { byElement } from "../around.ts";
import { MOST_ELEMENTS } from "../large.ts";
import { judgeRow } from "../row.ts";

/** A limit from a hundredth of the norm to all of it. */
const belowTheNorm: Change = (_, { inputs, scalars }, seed) => {
  const ratio = 0.01 + 0.98 * uniform(seed, streamOf("ratio"), 0);
  return { inputs, scalars: { ...scalars, maxNorm: Number(inputs.norm.data[0]) * ratio } };
};

export const forward = judgeRow("clip.forward", {
  sizes: { N: axis(200) },
  fits: none("every size goes with every other"),
  profiles: madeUp,
  examples: [
    { sizes: { N: 0 }, profile: "unit" },
    { sizes: { N: 1 } },
    { sizes: { N: 193 } },
    { sizes: { N: 67 }, profile: "huge" },
    { sizes: { N: 67 }, profile: "near-underflow" },
  ],
  build(sizes, profile, seed, dtype = "float32") {
    const draw = (name: string): number => uniform(seed, streamOf(name), 0);
    const g = inRange(fill(profile, seed, "g", [size(sizes, "N")]), profile, dtype);
    // g is one of several tensors, so the norm of all is at least its own. Half of the time g is clipped, to as little as a
    // hundredth; half of the time it is not, though the limit may be close.
    const { norm } = gradientNorm.forward(g);
    const whole = { data: Float32Array.of(norm.data[0] * (1 + draw("others"))), shape: [] };
    const ratio = draw("side") < 0.5 ? 0.01 + 0.99 * draw("ratio") : 1 + 2 * draw("ratio");
    return { inputs: { g, norm: whole }, scalars: { maxNorm: whole.data[0] > 0 ? whole.data[0] * ratio : 1 } };
  },
  large: { axes: { N: MOST_ELEMENTS }, work: (sizes) => 20 * size(sizes, "N"), isInBlocks: true },
  around: byElement(["g"], ["norm"]),
  sampling: none("the truth of all is cheap"),
  ordinary: { N: 200 },
  // Without a limit below the norm every gradient is a copy, and neither the norm nor the scale shows.
  probes: () => [
    { sizes: { N: 256 }, outputs: ["g"], draws: 4, change: { name: "a limit below the norm", of: belowTheNorm } },
  ],
  lowProbes: none("elements do not share an error"),
  cancelling: none("no sum"),
  independence: [alone("N", ["g"])],
  padding: none("no output is a sum"),
  symmetry: [along("N")],
  scaling: none("10⁻⁶ is added to the norm"),
  shift: [unclipped],
  overlooked: ["norm"], // only compared with a limit
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: none("one operation an element, at any size"),
});
