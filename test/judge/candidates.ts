// Candidates made of plain functions: the zoo's evaluations under chosen habits, and the oracle with a mistake in it.
import type { Candidate } from "../../reference/candidate.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { type Probe, precisionProbes } from "../../judge/probes.ts";
import type { JudgeRow } from "../../judge/row.ts";
import { relationsOf } from "../../judge/relations/index.ts";
import type { Scene } from "../../judge/sample.ts";
import type { Outcome, Trial } from "../../judge/relations/relation.ts";
import { Float32Arithmetic, type Habits } from "../../zoo/arithmetic.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { type DTypeName, type FormatName, formats, round, truncate } from "../../reference/dtype.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";

export function candidate(run: (inputs: Inputs, scalars: Scalars) => Outputs, name = "a function"): Candidate {
  return { name, run: async (inputs, scalars) => ({ outputs: run(inputs, scalars), complaints: [] }) };
}

/** The oracle in float32, its outputs changed by a mistake. */
export function mistaken(
  op: string,
  mistake: (outputs: Record<string, Tensor<Float32Array>>, inputs: Inputs, scalars: Scalars) => void,
): Candidate {
  return candidate((inputs, scalars) => {
    const outputs = operations.get(op)!.evaluate(inputs, scalars, Float32Array);
    mistake(outputs, inputs, scalars);
    return outputs;
  });
}

export interface Zoo {
  readonly habits?: Partial<Habits>;
  readonly variant?: number;
  readonly inputs?: FormatName;
  readonly outputs?: FormatName;
}

/** A correct evaluation of the op, stored as float32, under habits and with inputs and outputs brought to a format. */
export function zooCandidate(op: string, { habits, variant = 0, inputs: low, outputs: last }: Zoo): Candidate {
  const evaluation = evaluationsOf(op)[variant];
  const bring = (tensors: Inputs, format: FormatName | undefined): Inputs =>
    format === undefined
      ? tensors
      : Object.fromEntries(
          Object.entries(tensors).map(([name, t]) => [
            name,
            t.data instanceof Int32Array ? t : brought(t as Tensor, format),
          ]),
        );
  const cut = habits?.narrowing === "truncating";
  const brought = (t: Tensor, format: FormatName): Tensor => ({
    data: t.data.map((x) => (cut ? truncate : round)(x, formats[format])) as Floats,
    shape: t.shape,
  });
  return candidate((inputs, scalars) => {
    const f = new Float32Arithmetic(targets.wgsl, {
      rounding: "nearest",
      order: "shuffled",
      fused: false,
      flushes: false,
      functions: "random",
      seed: 20_230_227,
      ...habits,
    });
    const outputs = bring(evaluation.evaluate(f, bring(inputs, low), scalars) as Inputs, last);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, t]) => [name, { data: Float32Array.from(t.data), shape: t.shape }]),
    );
  });
}

export function trialOf(op: string, tried: Candidate, seed = 1): Trial {
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const sizes = spec.ordinary;
  return {
    operation,
    spec,
    candidate: tried,
    target: targets.wgsl,
    dtype: "float32",
    sizes,
    seed,
    deterministic: true,
  };
}

const kept = new Map<string, Map<string, Scene>>();

/** The scenes of one setup, shared by all candidates of a test file, because most of the time goes into their emulations. */
export function scenesFor(...setup: readonly string[]): Map<string, Scene> {
  const key = setup.join(" ");
  const scenes = kept.get(key) ?? new Map<string, Scene>();
  kept.set(key, scenes);
  return scenes;
}

/** The probes of few rows: the zoo's evaluations would take long for whole tiles. */
export function fewRows(spec: JudgeRow, n: number, dtype?: DTypeName): Probe[] {
  return precisionProbes(spec, n, dtype).filter(({ tiles }) => tiles === undefined);
}

/** The outcome of one relation for a candidate. */
export async function tryRelation(op: string, name: string, tried: Candidate, seed = 1): Promise<Outcome> {
  const relation = relationsOf(operations.get(op)!, judgeRows.get(op)!).find((r) => r.name === name);
  if (relation === undefined) throw new RangeError(`${op} has no relation "${name}"`);
  return relation.run(trialOf(op, tried, seed));
}
