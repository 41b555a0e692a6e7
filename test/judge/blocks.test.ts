// Outputs judged block by block: the same verdict as from truth and bound of the whole.
import { describe, expect, it } from "vitest";
import type { Around } from "../../judge/around.ts";
import { aroundBlocks, inBlocks } from "../../judge/blocks.ts";
import { comparing } from "../../judge/campaign.ts";
import { bytesOfCase, MEMORY, numbersOfCase } from "../../judge/case-memory.ts";
import { choose } from "../../judge/choose.ts";
import { isWithin } from "../../judge/compare.ts";
import type { JudgeRow } from "../../judge/row.ts";
import { modelCases } from "../../judge/sizes/model.ts";
import { allowancesOf, everyElement, judgeOutputs, roundProblem, truth, type Verdict } from "../../judge/verdict.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { storageOf } from "../../reference/operation.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";

/** Elements of a block here. */
const BLOCK = 1024;
/** Several blocks and a part of one; rows that do not fill a block, or are longer. */
const cases = [
  { op: "add.forward", sizes: { N: 5003 } },
  { op: "cast.forward", sizes: { N: 2049 } },
  { op: "clip.forward", sizes: { N: 2047 } },
  { op: "adamw.forward", sizes: { N: 3001, step: 7, parameter: "matrix" } },
  { op: "swiglu.forward", sizes: { R: 7, F: 411 } },
  { op: "swiglu.backward", sizes: { R: 3, F: 1025 } },
  { op: "softmax.forward", sizes: { R: 5, C: 411 } },
  { op: "softmax.backward", sizes: { R: 3, C: 1031 } },
  { op: "cross-entropy.backward", sizes: { R: 5, V: 411, ignored: "some", ignoreIndex: -100 } },
] as const;

const aroundOf = ({ around, large }: JudgeRow): Around => (large?.blocks ?? around)!;

describe.each(cases)("$op in blocks", ({ op, sizes }) => {
  const [{ operation, spec }] = choose([op]);

  it.each(["float32", "bfloat16"] as const)("has the verdict of the whole in %s, right or wrong", (dtype) => {
    const terms = { target: targets.wgsl, dtype };
    const problem = roundProblem(operation, { ...spec.build(sizes, "unit", 3, dtype), profile: "unit" }, dtype);
    const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
    const stored = Object.entries(right).map(([name, { data, shape }]): [string, Tensor] => [
      name,
      { data: data.map((x) => round(x, dtypes[storageOf(operation, name, dtype)])), shape },
    ]);
    const wrong = stored.map(([name, { data, shape }]): [string, Tensor] => {
      // Off by a few units in the last place, some of them beyond the bound; zero at either end; no number in the middle.
      const off = data.map((x, i) =>
        round(i % 101 === 5 ? x * (1 + 2 ** -21) : x, dtypes[storageOf(operation, name, dtype)]),
      );
      [off[0], off[off.length >> 1], off[off.length - 1]] = [0, NaN, 0];
      return [name, { data: off, shape }];
    });
    for (const outputs of [stored, wrong]) {
      const judge = (compare: typeof everyElement): Verdict =>
        judgeOutputs(operation, Object.fromEntries(outputs), problem, terms, [], compare);
      const [blocks, whole] = [judge(inBlocks(aroundOf(spec), { seed: 1, counts: false }, BLOCK)), judge(everyElement)];
      expect(blocks.findings).toEqual(whole.findings);
      for (const [n, { elements, judged, unjudged, outside, worst, at }] of whole.comparisons.entries()) {
        const found = blocks.comparisons[n];
        expect(found).toMatchObject({ elements, judged, unjudged, outside, unsampled: 0, withoutTruth: 0 });
        // What is the truth rounded once has no ratio: of the others it is the same number.
        expect(found.worst <= worst).toBe(true);
        if (outside > 0) expect(found.at).toEqual(at);
      }
    }
  });

  it("has bounds that cover the truth rounded once", () => {
    for (const profile of spec.profiles) {
      for (const dtype of ["float32", "bfloat16", "float16"] as const) {
        const problem = roundProblem(operation, { ...spec.build(spec.ordinary, profile, 3, dtype), profile }, dtype);
        const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, targets.ieee)];
        for (const [name, { data }] of Object.entries(want)) {
          const own = storageOf(operation, name, dtype);
          for (const [i, w] of data.entries()) {
            const nearest = round(w, dtypes[own]);
            const bound = allowed[name].data[i];
            const isJudged = Number.isFinite(nearest) && isWithin(w, w, bound, own);
            expect(!isJudged || isWithin(nearest, w, bound, own), `${profile} ${dtype} ${name}[${i}]`).toBe(true);
          }
        }
      }
    }
  });
});

it("says what would have been missed of an output in blocks", () => {
  const [{ operation, spec }] = choose(["swiglu.forward"]);
  const c = { op: spec.op, sizes: { R: 600, F: 11_008 }, profile: "unit", seed: 3 } as const;
  expect(aroundBlocks(spec, c)).toBe(spec.around);
  expect(aroundBlocks(spec, { ...c, sizes: { R: 500, F: 11_008 } })).toBe(undefined);
  expect(comparing(spec, c, true)).not.toBe(everyElement);
  const small = { ...c, sizes: { R: 40, F: 2000 } };
  const problem = { ...spec.build(small.sizes, "unit", 3), profile: "unit" } as const;
  const { y } = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
  const compare = inBlocks(spec.around!, { seed: 3, counts: true })(operation, problem, {
    target: targets.wgsl,
    dtype: "float32",
  });
  const { missed } = compare("y", y);
  for (const kind of ["zero", "neighbour", "percent"] as const) {
    expect(missed?.element[kind].places).toBeGreaterThan(0);
    expect(missed?.row[kind].missed).toBe(0);
    expect(missed?.tile[kind].missed).toBe(0);
  }
});

it("has room for whole shapes of 7B, of what works element by element or row by row", () => {
  for (const chosen of choose(cases.map(({ op }) => op))) {
    for (const { sizes, reduced } of modelCases(chosen, "7B").filter((_, n, all) => n === all.length - 1)) {
      expect(reduced).toEqual([]);
      expect(bytesOfCase(chosen.spec, { sizes, profile: "unit" }, numbersOfCase(chosen.operation, sizes))).toBeLessThan(
        MEMORY,
      );
    }
  }
});
