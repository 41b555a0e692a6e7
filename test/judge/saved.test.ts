// Tensors that a forward saved belong to the inputs in every run of an op: cases, probes, relations and hygiene, in each dtype.
import { describe, expect, test } from "vitest";
import { campaign } from "../campaign.ts";
import { examine } from "../../judge/examiner.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { realInputs } from "../../judge/real.ts";
import { savedAgain } from "../../judge/saved.ts";
import { roundProblem } from "../../judge/verdict.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { dtypes, round } from "../../reference/dtype.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { candidate } from "./candidates.ts";

/** So many of what is wrong are printed. */
const SHOWN = 5;

/** Rows whose rstd is neither the float32 rounding of 1 / √(mean x² + eps) nor next to it. */
function untrue({ x, rstd }: Readonly<Record<string, Tensor>>, eps: number): number[] {
  const [R, C] = x.shape;
  return Array.from({ length: R }, (_, r) => r).filter((r) => {
    const row = Array.from(x.data.subarray(r * C, (r + 1) * C));
    const moment = row.reduce((sum, v) => sum + v * v, 0) / C + eps;
    if (C === 0 || !Number.isFinite(moment)) return false; // poisoned
    return !(Math.abs(rstd.data[r] * Math.sqrt(moment) - 1) <= 2 ** -23);
  });
}

describe("rmsnorm.backward", () => {
  const op = "rmsnorm.backward";
  const chosen = { operation: operations.get(op)!, spec: judgeRows.get(op)! };

  test.each(["float32", "bfloat16", "float16"] as const)(
    "in %s: every rstd is that of its x and eps",
    async (dtype) => {
      const wrong: string[] = [];
      let runs = 0;
      const watching = candidate((inputs: Inputs, scalars: Scalars) => {
        runs++;
        const rows = untrue(inputs as Record<string, Tensor>, Number(scalars.eps));
        if (rows.length > 0) wrong.push(`run ${runs}: ${rows.length} rows, the first of them ${rows[0]}`);
        const outputs = Object.entries(chosen.operation.evaluate(inputs, scalars, Float32Array));
        const stored = (x: number): number => round(x, dtypes[dtype]);
        return Object.fromEntries(outputs.map(([name, { data, shape }]) => [name, { data: data.map(stored), shape }]));
      });
      const terms = { target: targets.ieee, dtype };
      await examine(chosen, watching, terms, { seed: 1, nondeterministic: false, bitwise: false, longest: 256 });
      const examined = runs;
      await campaign(chosen, watching, terms, { runs: 60, seed: 1, real: realInputs });
      expect([wrong.length, ...wrong.slice(0, SHOWN)]).toEqual([0]);
      expect([examined > 20, runs - examined > 80]).toEqual([true, true]);
    },
  );
});

// lse = log Σ e^s of the inputs as they are stored, rounded once to float32: else the bound of the backward, which covers a
// kernel that computes lse again, is as wide as the inputs' own rounding makes it.
describe.each(["attention.backward", "cross-entropy.backward", "rmsnorm.backward"])("%s", (op) => {
  const spec = judgeRows.get(op)!;
  const saved = spec.overlooked.filter((name) => name in operations.get(op.replace("backward", "forward"))!.outputs);

  test.each(["bfloat16", "float16"] as const)("in %s, what a forward saved belongs to the rounded inputs", (dtype) => {
    expect(saved.length).toBeGreaterThan(0);
    for (const profile of spec.profiles) {
      const given = roundProblem(operations.get(op)!, spec.build(spec.ordinary, profile, 5, dtype), dtype);
      const again = savedAgain(operations.get(op)!, spec, given, dtype);
      for (const name of saved) {
        const [had, belongs] = [given.inputs[name], again.inputs[name]];
        const others = Array.from(belongs.data.keys()).filter((i) => !Object.is(had.data[i], belongs.data[i]));
        const shown = others.slice(0, SHOWN).map((i) => `${name}[${i}] is ${had.data[i]}, expected ${belongs.data[i]}`);
        expect([profile, had.shape, others.length, ...shown]).toEqual([profile, belongs.shape, 0]);
      }
    }
  });
});
