// Axes as long as anybody's: neither the oracle nor the judge lays a row on the stack, and a right kernel passes.
import { describe, expect, test } from "vitest";
import { functionCandidate } from "../../judge/candidates/function.ts";
import type { Sizes } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { relationsOf } from "../../judge/relations/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";

const ROWS = 70_000;
/** More than a call takes arguments. */
const WIDE = 130_000;
/** Classes of Llama 3. */
const CLASSES = 128_256;

const attention = [
  { B: 1, NKV: 1, groups: 1, T: 2, S: ROWS, HS: 2 },
  { B: ROWS, NKV: 1, groups: 1, T: 1, S: 1, HS: 1 },
];
const rope = [{ B: 1, T: ROWS, NH: 1, HS: 2, start: 0, layout: "adjacent" }];
const matrix = [
  { R: 1, C: WIDE, eps: 1e-5 },
  { R: ROWS, C: 1, eps: 1e-5 },
];
const logits = [
  { R: 2, V: CLASSES, ignored: "some", ignoreIndex: -100 },
  { R: ROWS, V: 2, ignored: "some", ignoreIndex: -100 },
];

/** Each op's axes in turn, one long and the others short. */
const long: Readonly<Record<string, readonly Sizes[]>> = {
  adamw: [{ N: WIDE, step: 7, parameter: "matrix" }],
  add: [{ N: WIDE }],
  attention,
  cast: [{ N: WIDE }],
  clip: [{ N: WIDE }],
  "cross-entropy": logits,
  embedding: [
    { R: ROWS, V: 3, C: 1 },
    { R: 1, V: WIDE, C: 1 },
    { R: 1, V: 1, C: WIDE },
  ],
  "gradient-norm": [{ N: WIDE }],
  linear: [
    { R: ROWS, O: 1, C: 1 },
    { R: 1, O: ROWS, C: 1 },
    { R: 1, O: 1, C: WIDE },
  ],
  rmsnorm: matrix,
  rope,
  "rope-table": [
    { theta: 10_000, HS: 2, start: 0, T: ROWS },
    { theta: 10_000, HS: WIDE, start: 1, T: 1 },
  ],
  softmax: [
    { R: 1, C: 200_000 },
    { R: ROWS, C: 1 },
  ],
  swiglu: [
    { R: 1, F: WIDE },
    { R: ROWS, F: 1 },
  ],
};

describe.each([...operations.keys()])("%s", (op) => {
  const all = long[op.split(".")[0]];
  const [{ operation, spec }] = choose([op]);
  const terms = { target: targets.wgsl, dtype: "float32" } as const;
  const right = functionCandidate("the op itself", operation, (inputs, scalars) =>
    operation.evaluate(inputs, scalars, Float32Array),
  );

  test.each(all)("truth, bound and comparison at %o", async (sizes) => {
    const verdict = await judgeProblem(operation, right, spec.build(sizes, "unit", 1), terms);
    expect(verdict.findings).toEqual([]);
    expect(verdict.comparisons.every(({ elements }) => elements > 0)).toBe(true);
  });

  test.each(all.slice(0, 1))("relations at %o", async (sizes) => {
    for (const { name, run } of relationsOf(operation, spec)) {
      const trial = { ...terms, operation, spec, candidate: right, sizes, seed: 1, deterministic: true };
      expect((await run(trial)).state, name).not.toBe("broken");
    }
  });
});
