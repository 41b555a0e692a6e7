// The cases that mutants of one kernel are put to besides those of every kernel, each for a fault that nothing else shows.
import type { OpName } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";

interface Own {
  /** As lines that replay them. */
  readonly cases: readonly string[];
  /** What interpreted numbers are held to, where a kernel promises more than `wgsl`. The interpreter's arithmetic and functions are those of `ieee`. */
  readonly target?: Target;
}

const own: Partial<Record<OpName, Own>> = {
  "rope-table.forward": {
    target: targets.ieee, // sine and cosine are the kernel's own
    cases: [
      "rope-table.forward theta=2 HS=64 start=0 T=40 profile=unit seed=1",
      "rope-table.forward theta=2 HS=64 start=-40 T=40 profile=unit seed=1",
      "rope-table.forward theta=10000 HS=64 start=131000 T=40 profile=unit seed=1",
      "rope-table.forward theta=500000 HS=128 start=-1048576 T=20 profile=unit seed=1",
      "rope-table.forward theta=2000000000 HS=128 start=1048556 T=20 profile=unit seed=1",
      // A carry that comes from the last bits of both factors decides the high word.
      "rope-table.forward theta=500000 HS=128 start=642179 T=20 profile=unit seed=1",
      // Rounded, this angle is below an eighth of a turn, and its fraction of a turn is not.
      "rope-table.forward theta=6667395 HS=4 start=2028 T=1 profile=unit seed=1",
      // Just below an eighth of a turn, where the series' last term counts most.
      "rope-table.forward theta=18 HS=48 start=1 T=3 profile=unit seed=1",
      "rope-table.forward theta=1424 HS=60 start=1 T=3 profile=unit seed=1",
    ],
  },
  // Tiles that end where the outputs do, with more of them below.
  "linear.forward": { cases: ["linear.forward R=40 O=32 C=3 profile=unit seed=1"] },
  "linear.backward": {
    cases: ["linear.backward R=40 O=3 C=32 profile=unit seed=1", "linear.backward R=3 O=40 C=32 profile=unit seed=1"],
  },
  // The largest number of a row at every place, beyond the second stride of the lanes too.
  "softmax.forward": { cases: ["softmax.forward R=67 C=67 profile=peak seed=1"] },
  "cross-entropy.forward": {
    cases: [
      "cross-entropy.forward R=67 V=67 ignored=none ignoreIndex=-100 profile=peak seed=1",
      "cross-entropy.forward R=9 V=1 ignored=none ignoreIndex=-100 profile=large seed=1", // the next row is far above
      "cross-entropy.forward R=1 V=5 ignored=none ignoreIndex=-100 profile=unit seed=1",
    ],
  },
};

export function ownCases(op: string): Own {
  return own[op as OpName] ?? { cases: [] };
}
