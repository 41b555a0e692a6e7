import { axis, type CaseSpec, size } from "../case.ts";
import { atRangesEnd, besideHuge, fill, inRange, madeUp, unlessHuge } from "../profile.ts";
import { none } from "../../reference/none.ts";
import { allAs, elementwise, type Lengths, lengthsIn } from "../at-scale.ts";
import { alone } from "../relations/independence.ts";
import { along } from "../relations/permutation.ts";
import { linearIn } from "../relations/scaling.ts";
import { mirrored } from "../relations/shifts.ts";
import { byElement } from "../around.ts";
import { type Large, MOST_COLUMNS, MOST_ROWS, subsetsOf } from "../large.ts";
import { judgeRow } from "../row.ts";

const shared = {
  sizes: { R: axis(70), F: axis(300) },
  profiles: madeUp,
  examples: [
    { sizes: { R: 0, F: 5 }, profile: "unit" },
    { sizes: { R: 3, F: 43 } },
    { sizes: { R: 3, F: 22 }, profile: "huge" },
    { sizes: { R: 3, F: 22 }, profile: "near-underflow" },
  ],
  large: {
    axes: { R: MOST_ROWS, F: MOST_COLUMNS },
    work: (sizes) => 25 * size(sizes, "R") * size(sizes, "F"),
    isInBlocks: true,
    together: [...subsetsOf(["R", "F"]), { long: ["R", "F"], share: 1 / 8 }],
  },
} as const satisfies Partial<CaseSpec & { large: Large }>;

const ordinary = { R: 9, F: 70 };

export const forward = judgeRow("swiglu.forward", {
  ...shared,
  fits: none("every size goes with every other"),
  build(sizes, profile, seed, dtype = "float32") {
    const shape = [size(sizes, "R"), size(sizes, "F")];
    const gate = fill(unlessHuge(profile), seed, "gate", shape);
    return { inputs: { gate, up: atRangesEnd(fill(profile, seed, "up", shape), profile, dtype) }, scalars: {} };
  },
  around: byElement(["gate", "up"]),
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: () => [{ sizes: { R: 4, F: 128 }, outputs: ["y"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("no sum of many terms"),
  independence: [alone("R", ["y"]), alone("F", ["y"])],
  padding: none("no output is a sum"),
  symmetry: [along("R"), along("F")],
  scaling: [linearIn(["up"], ["y"])],
  shift: [mirrored],
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ofFeedForward,
    of: (sizes) => {
      const [R, F] = lengthsIn(sizes, "R", "F");
      return {
        inputs: allAs(["gate", "up"], { kind: "normal", shape: [R, F] }),
        scalars: {},
        parts: (seed) => elementwise(seed, [R, F], ["gate", "up"], ["y"]),
      };
    },
  },
});

export const backward = judgeRow("swiglu.backward", {
  ...shared,
  fits: none("every size goes with every other"),
  build(sizes, profile, seed, dtype = "float32") {
    const { gate } = forward.build(sizes, profile, seed).inputs;
    const dy = fill(besideHuge(profile, dtype), seed, "dy", gate.shape);
    return { inputs: { dy, gate, up: inRange(fill(profile, seed, "up", gate.shape), profile, dtype) }, scalars: {} };
  },
  around: byElement(["dy", "gate", "up"]),
  sampling: none("the truth of all is cheap"),
  ordinary,
  probes: () => [{ sizes: { R: 4, F: 128 }, outputs: ["dgate", "dup"] }],
  lowProbes: none("elements do not share an error"),
  cancelling: none("no sum of many terms"),
  independence: [alone("R", ["dgate", "dup"]), alone("F", ["dgate", "dup"])],
  padding: none("no output is a sum"),
  symmetry: [along("R"), along("F")],
  scaling: [linearIn(["dy"], ["dgate", "dup"])],
  shift: none("linear in dy, which its scaling says"),
  overlooked: none("every input is read"),
  shown: none("the first number of every input shows"),
  unread: none("every number is part of the formula"),
  atScale: {
    sizes: ofFeedForward,
    of: (sizes) => {
      const [R, F] = lengthsIn(sizes, "R", "F");
      return {
        inputs: allAs(["dy", "gate", "up"], { kind: "normal", shape: [R, F] }),
        scalars: {},
        parts: (seed) => elementwise(seed, [R, F], ["dy", "gate", "up"], ["dgate", "dup"]),
      };
    },
  },
});

function ofFeedForward({ F, T: R }: Lengths) {
  return { R, F };
}
