import * as gradientNorm from "../../reference/ops/gradient-norm.ts";
import { streamOf, uniform } from "../../reference/random.ts";
import { axis, type CaseSpec, size } from "../case.ts";
import { fill, madeUp } from "../profile.ts";

export const forward: CaseSpec = {
  op: "clip.forward",
  sizes: { N: axis(200) },
  profiles: madeUp,
  examples: [{ sizes: { N: 0 }, profile: "unit" }, { sizes: { N: 1 } }, { sizes: { N: 193 } }],
  long: [{ sizes: { N: 65_601 }, profile: "unit" }],
  build(sizes, profile, seed) {
    const draw = (name: string): number => uniform(seed, streamOf(name), 0);
    const g = fill(profile, seed, "g", [size(sizes, "N")]);
    // g is one of several tensors: the norm of all is at least its own. Half of the time it is clipped, by up to a hundredth,
    // and half of the time not, with a limit as near as may be.
    const { norm } = gradientNorm.forward(g);
    const whole = { data: Float32Array.of(norm.data[0] * (1 + draw("others"))), shape: [] };
    const ratio = draw("side") < 0.5 ? 0.01 + 0.99 * draw("ratio") : 1 + 2 * draw("ratio");
    return { inputs: { g, norm: whole }, scalars: { maxNorm: whole.data[0] > 0 ? whole.data[0] * ratio : 1 } };
  },
};
