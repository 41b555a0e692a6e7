// Two runs agree, NaN and infinity are passed on, and faults of a candidate other than wrong numbers are reported.
import { describe, expect, test } from "vitest";
import { inspectHygiene } from "../../judge/hygiene.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { candidate, mistaken, trialOf, zooCandidate } from "./candidates.ts";

const inspect = (op: string, tried: Candidate, changed: object = {}) =>
  inspectHygiene({ ...trialOf(op, tried), ...changed });

describe("two runs", () => {
  let runs = 0;
  const wavering = mistaken("swiglu.forward", ({ y }) => (y.data[3] *= 1 + (runs++ % 2) * 2 ** -23));

  test("that differ in one bit are a finding", async () => {
    runs = 0;
    const { repeatable, findings } = await inspect("swiglu.forward", onceMore(wavering));
    expect(repeatable).toBe(false);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatch(/^swiglu\.forward .* seed=1: a second run .* another y\[0,3\]: \S+ and then \S+$/);
  });

  test("are only reported where no bits are promised", async () => {
    runs = 0;
    const { repeatable, findings, notes } = await inspect("swiglu.forward", onceMore(wavering), {
      deterministic: false,
    });
    expect([repeatable, findings, notes.length]).toEqual([false, [], 1]);
  });

  test("that reuse one memory are still compared as two", async () => {
    const memory = new Float32Array(1 << 16);
    const reused = candidate((inputs, scalars) => {
      const { y } = operations.get("swiglu.forward")!.evaluate(inputs, scalars, Float32Array);
      memory.set(y.data);
      return { y: { data: memory.subarray(0, y.data.length), shape: y.shape } };
    });
    expect((await inspect("swiglu.forward", reused)).findings).toEqual([]);
    const last = candidate((inputs, scalars) => {
      const { y } = operations.get("swiglu.forward")!.evaluate(inputs, scalars, Float32Array);
      const before = memory.slice(0, y.data.length);
      memory.set(y.data);
      return { y: { data: before, shape: y.shape } };
    });
    expect((await inspect("swiglu.forward", last)).repeatable).toBe(false);
  });

  test("are not enough where sums are added as threads come: at sizes of many workgroups, one of several differs", async () => {
    let many = 0;
    const racing = candidate((inputs, scalars) => {
      const { dw, dx } = operations.get("rmsnorm.backward")!.evaluate(inputs, scalars, Float32Array);
      const isMany = inputs.x.shape[0] >= 256;
      if (isMany && ++many === 4) dw.data[5] *= 1 + 2 ** -22;
      return { dw, dx };
    });
    const { repeatable, findings } = await inspect("rmsnorm.backward", racing);
    expect([repeatable, findings]).toEqual([
      false,
      [expect.stringMatching(/R=256 C=256 .*: run 3 on the same inputs gave another dw\[5\]/)],
    ]);
  });

  /** Every other run of three is the same again: the first and the last differ. */
  function onceMore(tried: Candidate): Candidate {
    let n = 0;
    return { ...tried, run: async (inputs, scalars) => ((runs = n++ === 2 ? 1 : 0), tried.run(inputs, scalars)) };
  }
});

describe("NaN and infinity", () => {
  const swallowing = mistaken("swiglu.forward", ({ y }) => {
    for (let i = 0; i < y.data.length; i++) y.data[i] = y.data[i] > -1e30 && y.data[i] < 1e30 ? y.data[i] : 0;
  });

  test("that do not come through are a finding for a target that promises them, and reported for others", async () => {
    const judged = await inspect("swiglu.forward", swallowing, { target: targets.ieee });
    expect(judged.swallowed).toEqual([
      "NaN in gate → y[0,0] is 0",
      "NaN in up → y[0,0] is 0",
      "infinity in gate → y[0,0] is 0",
      "infinity in up → y[0,0] is 0",
    ]);
    expect(judged.findings).toHaveLength(4);
    const reported = await inspect("swiglu.forward", swallowing);
    expect(reported.findings).toEqual([]);
    expect(reported.notes).toHaveLength(4);
  });

  test("that reach other rows are found", async () => {
    const mixing = mistaken("linear.forward", ({ y }) => {
      const padding = 0;
      const any = y.data.reduce((sum, v) => sum + padding * v, 0);
      for (let i = 0; i < y.data.length; i++) y.data[i] += any;
    });
    const { spread, findings } = await inspect("linear.forward", mixing, { target: targets.ieee });
    expect(spread).toHaveLength(2);
    expect(findings).toHaveLength(2);
  });

  test("under the mask that come through as 0 · NaN are not a fault, but noted", async () => {
    const weighing = mistaken("attention.forward", ({ y }, { v }) => {
      const [B, , NH, HS] = y.shape;
      const [, S, NKV] = v.shape;
      const weight = 0;
      for (let i = 0; i < y.data.length / B; i++) {
        const group = Math.floor(((Math.floor(i / HS) % NH) * NKV) / NH);
        y.data[i] += weight * v.data[((S - 1) * NKV + group) * HS + (i % HS)];
      }
    });
    const { leaked, findings, notes } = await inspect("attention.forward", weighing, { target: targets.ieee });
    expect(leaked).toEqual(["later tokens → y[0,0,0,0] of what stays"]);
    expect([findings, notes.length]).toEqual([[], 1]);
  });

  test("scores that are all −∞ may be taken for those of a query that sees no key", async () => {
    const guarded = mistaken("attention.forward", ({ y, lse }, { q, k }) => {
      const [, T, NH, HS] = q.shape;
      const [, S, NKV] = k.shape;
      for (const [row, value] of lse.data.entries()) {
        if (!Number.isNaN(value)) continue;
        const [b, h, t] = [Math.floor(row / T / NH), Math.floor(row / T) % NH, row % T];
        const query = ((b * T + t) * NH + h) * HS;
        const isLost = Array.from({ length: t + 1 + S - T }, (_, j) => {
          const key = ((b * S + j) * NKV + Math.floor((h * NKV) / NH)) * HS;
          let score = 0;
          for (let i = 0; i < HS; i++) score += q.data[query + i] * k.data[key + i];
          return score === -Infinity;
        });
        if (!isLost.every(Boolean)) continue;
        lse.data[row] = -Infinity;
        y.data.fill(0, query, query + HS);
      }
    });
    for (let seed = 0; seed < 24; seed++) {
      const { swallowed } = await inspect("attention.forward", guarded, { target: targets.ieee, seed });
      expect(swallowed, `seed ${seed}`).toEqual([]);
    }
  });

  test.each([...operations.keys()])("%s: correct evaluations pass, also where they are promised", async (op) => {
    const oracle = mistaken(op, () => undefined);
    const habits = { order: "sequential", functions: "exact" } as const;
    const variants = evaluationsOf(op).flatMap((_, variant) =>
      variant % 3 === 0 ? [zooCandidate(op, { habits, variant })] : [],
    );
    for (const tried of [oracle, ...variants]) {
      const { repeatable, findings, swallowed } = await inspect(op, tried, { target: targets.ieee });
      expect([repeatable, findings, swallowed]).toEqual([true, [], []]);
    }
  });
});
