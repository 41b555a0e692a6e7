import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

const shared = {
  sizes: { R: axis(70), F: axis(300) },
  profiles: madeUp,
  examples: [{ sizes: { R: 0, F: 5 }, profile: "unit" }, { sizes: { R: 3, F: 43 } }],
  long: [
    { sizes: { R: 2, F: 22_016 }, profile: "unit" }, // as wide as 65B
    { sizes: { R: 65_537, F: 1 }, profile: "unit" },
  ],
} as const satisfies Partial<CaseSpec>;

export const forward: CaseSpec = {
  op: "swiglu.forward",
  ...shared,
  build(sizes, profile, seed) {
    const shape = [size(sizes, "R"), size(sizes, "F")];
    return { inputs: { gate: fill(profile, seed, "gate", shape), up: fill(profile, seed, "up", shape) }, scalars: {} };
  },
};

export const backward: CaseSpec = {
  op: "swiglu.backward",
  ...shared,
  build(sizes, profile, seed) {
    const { inputs } = forward.build(sizes, profile, seed);
    return { inputs: { dy: fill(profile, seed, "dy", inputs.gate.shape), ...inputs }, scalars: {} };
  },
};
