// Bounds compose: an error of an input must come out as an error of each output.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryCase, exampleCases, formatCase } from "../judge/case.ts";
import { judgeRows } from "../judge/ops/index.ts";
import { widen } from "../judge/verdict.ts";
import { operations } from "../reference/ops/index.ts";
import { streamOf, uniform } from "../reference/random.ts";
import { targets } from "../reference/targets.ts";
import type { Tensor } from "../reference/tensor.ts";

const SEED = 20_230_227; // the paper's date
const DRAWN_CASES = 15;
/** An error so large that a bound which forgot it would not hold. */
const RELATIVE_ERROR = 2 ** -8;

/** The op on inputs anywhere within their errors, one input at a time and all at once, stays within the bound for them. */
export function testErrors(op: string): void {
  describe(`${op}: errors of inputs`, () => {
    const operation = operations.get(op)!;
    const spec = judgeRows.get(op)!;
    const floats = Object.keys(operation.inputs).filter((name) => !operation.integers.includes(name));
    const choices = floats.length === 1 ? [floats] : [...floats.map((name) => [name]), floats];
    test.each(choices.map((names) => ({ of: names.join(", "), names })))("$of", ({ names }) => {
      const tried = [
        ...exampleCases(spec, SEED),
        ...fc.sample(arbitraryCase(spec, false), { numRuns: DRAWN_CASES, seed: SEED }),
      ];
      let judged = 0;
      for (const c of tried) {
        const { inputs, scalars } = spec.build(c.sizes, c.profile as "unit", c.seed);
        const exact = widen(inputs);
        const errors = Object.fromEntries(names.map((name) => [name, errorsOf(exact[name] as Tensor)]));
        const moved = { ...exact };
        for (const name of names) moved[name] = movedWithin(exact[name] as Tensor, errors[name], c.seed, name);
        const want = operation.evaluate(exact, scalars, Float64Array);
        const got = operation.evaluate(moved, scalars, Float64Array);
        const allowed = operation.bound(exact, scalars, targets.wgsl, errors);
        for (const name of Object.keys(operation.outputs)) {
          const outside = got[name].data.findIndex((value, i) => {
            if (!Number.isFinite(want[name].data[i]) || !(allowed[name].data[i] < Infinity)) return false;
            judged++;
            return !(Math.abs(value - want[name].data[i]) <= allowed[name].data[i]);
          });
          expect(outside, `${formatCase(c)}: ${name}[${outside}]`).toBe(-1);
        }
      }
      expect(judged).toBeGreaterThan(0);
    });
  });
}

function errorsOf({ data, shape }: Tensor): Tensor<Float64Array> {
  return { data: Float64Array.from(data, (x) => RELATIVE_ERROR * Math.abs(x)), shape };
}

/** Each element moved by all of its error, up or down, or by some of it. */
function movedWithin({ data, shape }: Tensor, errors: Tensor, seed: number, name: string): Tensor<Float64Array> {
  const stream = streamOf(`moved ${name}`);
  const share = (i: number): number => Math.max(-1, Math.min(1, 4 * uniform(seed, stream, i) - 2));
  return { data: Float64Array.from(data, (x, i) => x + share(i) * errors.data[i]), shape };
}
