// What is asked of a candidate beside its bound, in the low dtypes: a kernel that computes in double and rounds each output
// once has no finding, and one that computes in the low dtype has.
import { describe, expect, test } from "vitest";
import type { Candidate } from "../../reference/candidate.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { campaign } from "../campaign.ts";
import { examine } from "../../judge/examiner.ts";
import { problemOf } from "../../judge/sample.ts";
import { LONG, precisionProbes, type Probe } from "../../judge/probes.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { type Inputs, type Outputs, type Scalars, storageOf } from "../../reference/operation.ts";
import { type DTypeName, dtypes, round } from "../../reference/dtype.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { pair, type PairLayout } from "../../reference/ops/rope.ts";
import { sigmoid } from "../../reference/ops/swiglu.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";

// The emulations of long sums would take most of the time, and tell nothing of findings: those sums are judged by the bound.
const terms = { seed: 1, nondeterministic: false, bitwise: true, longest: 256 };

function rounding(op: string, dtype: DTypeName, factor = 1): Candidate {
  const operation = operations.get(op)!;
  return {
    name: `${op} in ${dtype}`,
    run: async (inputs, scalars) => {
      const outputs = Object.entries(operation.evaluate(inputs, scalars, Float32Array)).map(([name, t]) => {
        const format = dtypes[storageOf(operation, name, dtype)];
        return [name, { data: t.data.map((x) => round(factor * x, format)) as Floats, shape: t.shape }];
      });
      return { outputs: Object.fromEntries(outputs), complaints: [] };
    },
  };
}

/** Tiles of 64 × 64 are among them; those of 128 × 128 have no other sums, and a bound for each of 16,384. */
function isSmall({ sizes }: Probe): boolean {
  const numbers = Object.values(sizes).reduce<number>((product, length) => product * Number(length), 1);
  return !(numbers > 64 * 64 * LONG);
}

describe.each(["bfloat16", "float16"] as const)("in %s", (dtype) => {
  test.each([...judgeRows.keys()])("%s", async (op) => {
    const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
    const plan = { runs: 5, seed: 1 };
    const right = rounding(op, dtype);
    for (const target of [targets.ieee, targets.wgsl]) {
      expect((await examine({ operation, spec }, right, { target, dtype }, terms)).findings).toEqual([]);
      for (const probe of precisionProbes(spec, LONG, dtype).filter(isSmall)) {
        const problem = problemOf({ operation, spec, dtype }, probe, terms.seed);
        expect((await judgeProblem(operation, right, problem, { target, dtype })).findings).toEqual([]);
      }
      expect((await campaign({ operation, spec }, right, { target, dtype }, plan)).failures).toEqual([]);
    }
    const wrong = rounding(op, dtype, 1 + 4 * dtypes[dtype].u); // two units in the last place, or four
    expect((await campaign({ operation, spec }, wrong, { target: targets.ieee, dtype }, plan)).failures).toHaveLength(
      1,
    );
  });
});

// As a framework runs a model op by op: what lies between two ops is rounded to the dtype.
const low = (x: number): number => round(x, dtypes.bfloat16);

function swiglu(inputs: Inputs): Outputs {
  const { gate, up } = inputs as Record<string, Tensor>;
  return { y: { data: gate.data.map((z, i) => low(low(z * sigmoid(z)) * up.data[i])) as Floats, shape: gate.shape } };
}

function swigluBackward(inputs: Inputs): Outputs {
  const { dy, gate, up } = inputs as Record<string, Tensor>;
  const slope = (z: number): number => sigmoid(z) * (1 + z * sigmoid(-z));
  const dgate = gate.data.map((z, i) => low(low(dy.data[i] * up.data[i]) * slope(z))) as Floats;
  const dup = gate.data.map((z, i) => low(dy.data[i] * low(z * sigmoid(z)))) as Floats;
  return { dgate: { data: dgate, shape: gate.shape }, dup: { data: dup, shape: gate.shape } };
}

function rope(inputs: Inputs, scalars: Scalars): Outputs {
  const { x, cos, sin } = inputs as Record<string, Tensor>;
  const [, T, NH, HS] = x.shape;
  const data = x.data.slice() as Floats;
  for (let half = 0; half < data.length / 2; half++) {
    const row = Math.floor(half / (HS / 2));
    const i = half % (HS / 2);
    const [first, second] = pair(i, HS, scalars.layout as PairLayout).map((element) => row * HS + element);
    const angle = ((Math.floor(row / NH) % T) * HS) / 2 + i;
    const [a, b, c, s] = [x.data[first], x.data[second], cos.data[angle], sin.data[angle]];
    data[first] = low(low(a * c) - low(b * s));
    data[second] = low(low(a * s) + low(b * c));
  }
  return { y: { data, shape: x.shape } };
}

test.each([
  { op: "swiglu.forward", kernel: swiglu, stores: { silu: "bfloat16" } },
  { op: "swiglu.backward", kernel: swigluBackward, stores: { silu: "bfloat16", dsilu: "bfloat16" } },
  { op: "rope.forward", kernel: rope, stores: { product: "bfloat16" } },
] as const)("$op rounded between its steps is accepted when that is declared, and only then", async (given) => {
  const { op, kernel, stores } = given;
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const candidate: Candidate = {
    name: op,
    run: async (inputs, scalars) => ({ outputs: kernel(inputs, scalars), complaints: [] }),
  };
  const plan = { runs: 15, seed: 1 };
  const dtype = "bfloat16";
  for (const target of [targets.ieee, targets.wgsl]) {
    const declared = { target: { ...target, stores }, dtype } as const;
    expect((await campaign({ operation, spec }, candidate, declared, plan)).failures).toEqual([]);
    expect((await examine({ operation, spec }, candidate, declared, terms)).findings).toEqual([]);
    expect((await campaign({ operation, spec }, candidate, { target, dtype }, plan)).failures).toHaveLength(1);
  }
});
