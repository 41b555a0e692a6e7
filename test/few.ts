// A sample of few elements, so that what finds a fault is the checks of the whole output and not chance.
import type { Sampling } from "../judge/sampled.ts";
import { bits, streamOf } from "../reference/random.ts";

/** About `count` of the elements that a check would sample of an output. */
export function few(sampling: Sampling, count: number): Sampling {
  return {
    ...sampling,
    draw: (problem, output, shape, seed) => {
      const all = sampling.draw(problem, output, shape, seed);
      const stream = streamOf(`few of ${output}`);
      return all.filter((i) => bits(seed, stream, i) / 2 ** 32 < count / all.length);
    },
  };
}
