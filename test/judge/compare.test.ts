// One output against its truth: what counts as judged.
import { expect, test } from "vitest";
import { compareOutput } from "../../judge/compare.ts";
import { dtypes } from "../../reference/dtype.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";

test.each(["float32", "bfloat16", "float16"] as const)(
  "a bound that every number of %s keeps judges nothing",
  (dtype) => {
    const { max } = dtypes[dtype];
    const want = tensor(new Float64Array([1, 1, 1, 1]), [4]);
    const allowed = tensor(new Float64Array([0.5, max / 2, 2 * max, 1e300]), [4]);
    const got = tensor(new Float32Array([1, 1, -7, 7]), [4]);
    const { judged, unjudged, outside } = compareOutput("y", got, { want, allowed }, { target: targets.ieee, dtype });
    expect({ judged, unjudged, outside }).toEqual({ judged: 2, unjudged: 2, outside: 0 });
  },
);
