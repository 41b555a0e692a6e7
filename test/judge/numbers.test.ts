// Numbers at which kernels fail rarely: every check has them, correct evaluations stay within their bounds, and faults that show
// nowhere else are seen.
import { describe, expect, it } from "vitest";
import { buildCase } from "../../judge/campaign.ts";
import { type Case, exampleCases, formatCase } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { suitedTo } from "../../judge/half-cases.ts";
import { largeCases } from "../../judge/large.ts";
import { fill, madeUp, profiles } from "../../judge/profile.ts";
import { parseReplay } from "../../judge/replay.ts";
import { judgeOutputs, roundProblem } from "../../judge/verdict.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { type Target, targets } from "../../reference/targets.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";

const SEEDS = [1, 2, 3];
const rare = profiles.filter((p) => p !== "real" && p !== "scale" && !madeUp.includes(p));

/** What a faulty kernel makes of correct outputs. */
type Fault = (outputs: Outputs, inputs: Inputs, scalars: Scalars) => void;

function spoil(output: string, how: (data: Floats) => void): Fault {
  return (outputs) => how(outputs[output].data as Floats);
}

/** Whether the first tile of a row is masked as a whole. */
function startsMasked(row: ArrayLike<number>, tile: number): boolean {
  return (
    row.length > tile &&
    Array.from(row)
      .slice(0, tile)
      .every((logit) => logit === -Infinity)
  );
}

function spoilMaskedTiles(y: Tensor<Floats | Ints>, { data, shape: [R, C] }: Tensor<Floats | Ints>): void {
  for (let r = 0; r < R; r++) {
    if (startsMasked(data.subarray(r * C, (r + 1) * C), 32)) y.data.fill(NaN, r * C, (r + 1) * C);
  }
}

/** Outputs beyond 10³⁰ overflow, as where an intermediate is squared, or divided by something small. */
function overflows(...names: readonly string[]): Fault {
  return (outputs) => {
    for (const name of names) {
      const { data } = outputs[name];
      data.forEach((x, i) => Math.abs(x) > 1e30 && (data[i] = Infinity));
    }
  };
}

/** An attention whose keys out of sight have a finite score in place of −∞. */
function finiteMask(mask: number): Fault {
  return ({ y }, { q, k, v }) => {
    const [, T, NH, HS] = q.shape;
    const [B, S, NKV] = k.shape;
    for (let row = 0; row < B * T * NH; row++) {
      const [b, t, h] = [Math.floor(row / (T * NH)), Math.floor(row / NH) % T, row % NH];
      const at = (j: number): number => ((b * S + j) * NKV + Math.floor((h * NKV) / NH)) * HS;
      const scores = Array.from({ length: S }, (_, j) => {
        let sum = 0;
        for (let i = 0; i < HS; i++) sum += q.data[row * HS + i] * k.data[at(j) + i];
        return j <= t + S - T ? sum / Math.sqrt(HS) : mask;
      });
      const max = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - max));
      const total = weights.reduce((sum, p) => sum + p, 0);
      for (let i = 0; i < HS; i++) {
        y.data[row * HS + i] = weights.reduce((sum, p, j) => sum + (p / total) * v.data[at(j) + i], 0);
      }
    }
  };
}

/** The faults of kernels, each at the numbers at which it fails. */
const faults: Readonly<Record<string, readonly [op: string, Fault, target?: Target]>> = {
  "a running maximum that starts at 0": [
    "softmax.forward",
    ({ y }, { x }) => {
      const C = x.shape[1];
      for (let r = 0; r < x.shape[0]; r++) {
        const row = x.data.subarray(r * C, (r + 1) * C);
        if (row.every((logit) => logit < -110)) y.data.fill(NaN, r * C, (r + 1) * C);
      }
    },
  ],
  "a maximum without the last number of a row": [
    "softmax.forward",
    ({ y }, { x }) => {
      const C = x.shape[1];
      for (let r = 0; r < x.shape[0]; r++) {
        const row = Array.from(x.data.subarray(r * C, (r + 1) * C));
        if (C > 1 && row[C - 1] - Math.max(...row.slice(0, C - 1)) > 89) y.data.fill(NaN, r * C, (r + 1) * C);
      }
    },
  ],
  "a norm that passes through float16": [
    "gradient-norm.forward",
    spoil("norm", (data) => data.forEach((x, i) => (data[i] = x > 65504 ? Infinity : x))),
  ],
  "a rate in the denominator": [
    "adamw.forward",
    ({ w }, { g, v }, { learningRate }) => {
      if (learningRate === 0) g.data.forEach((x, i) => x === 0 && v.data[i] === 0 && (w.data[i] = NaN));
    },
  ],
  "an online softmax that starts with a tile of masked classes, (−∞) − (−∞)": [
    "softmax.forward",
    ({ y }, { x }) => spoilMaskedTiles(y, x),
    targets.ieee,
  ],
  "the same in a cross-entropy with tiles of 1,024": [
    "cross-entropy.forward",
    ({ lse }, { logits }) => {
      const V = logits.shape[1];
      for (let r = 0; r < lse.data.length; r++) {
        if (startsMasked(logits.data.subarray(r * V, (r + 1) * V), 1024)) lse.data[r] = NaN;
      }
    },
    targets.ieee,
  ],
  "masked classes that get the probability of a finite mask": [
    "cross-entropy.backward",
    ({ dlogits }, { logits }) => logits.data.forEach((x, i) => x === -Infinity && (dlogits.data[i] = 1e-30)),
    targets.cuda,
  ],
  "a mask of −10⁴": ["attention.forward", finiteMask(-1e4)],
  "a mask of −5·10⁴": ["attention.forward", finiteMask(-5e4)],
  "an overflow in linear": ["linear.forward", overflows("y")],
  "an overflow in linear's gradients": ["linear.backward", overflows("dx", "dw")],
  "an overflow in add": ["add.forward", overflows("y")],
  "an overflow in a cast": ["cast.forward", overflows("y")],
  "an overflow in SwiGLU": ["swiglu.forward", overflows("y")],
  "an overflow in SwiGLU's gradients": ["swiglu.backward", overflows("dgate", "dup")],
  "an overflow in RoPE": ["rope.forward", overflows("y")],
  "an overflow in RoPE's gradient": ["rope.backward", overflows("dx")],
  "an overflow in an embedding": ["embedding.forward", overflows("y")],
  "an overflow in an embedding's gradient": ["embedding.backward", overflows("dw")],
  "an overflow of values in attention": ["attention.forward", overflows("y")],
  "an overflow of values in attention's gradients": ["attention.backward", overflows("dq", "dk")],
  "an overflow of Adam's second moment": ["adamw.forward", overflows("v")],
  "a clip whose norm overflows": [
    "clip.forward",
    ({ g }, { norm }) => norm.data[0] > 1e10 && g.data.fill(0), // a limit ÷ ∞
  ],
  "numbers below 2⁻⁶⁰ that are read as 0": [
    "linear.forward",
    ({ y }, { x }) => {
      const C = x.shape[1];
      const isRead = (r: number): boolean =>
        x.data.subarray(r * C, (r + 1) * C).some((one) => Math.abs(one) >= 2 ** -60);
      y.data.forEach((_, i) => isRead(Math.floor(i / y.shape[1])) || (y.data[i] = 0));
    },
  ],
  "a copy that flushes what float16 does not hold": [
    "rope.forward",
    spoil("y", (data) => data.forEach((one, i) => Math.abs(one) < 2 ** -30 && (data[i] = 0))),
  ],
  "an ignored class above 0 that counts": [
    "cross-entropy.forward",
    ({ loss }, { targets: classes }, { ignoreIndex }) => {
      if (ignoreIndex !== 0 && Number(ignoreIndex) > 0 && classes.data.includes(Number(ignoreIndex)))
        loss.data[0] *= 1.1;
    },
  ],
};

function isSeen(op: string, fault: Fault, c: Case, target: Target): boolean {
  const [{ operation, spec }] = choose([op]);
  const problem = roundProblem(operation, buildCase(spec, c), "float32");
  const outputs = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
  fault(outputs, problem.inputs, problem.scalars);
  return judgeOutputs(operation, outputs, problem, { target, dtype: "float32" }).findings.length > 0;
}

describe("every check", () => {
  it.each(Object.entries(faults))("sees %s", (_, [op, fault, target = targets.wgsl]) => {
    const [{ spec }] = choose([op]);
    for (const seed of SEEDS) {
      expect(exampleCases(spec, seed, target).some((c) => isSeen(op, fault, c, target))).toBe(true);
    }
  });

  it("has each axis both as a multiple of 16 and as no multiple of 8, with ordinary numbers", () => {
    for (const { spec } of choose(["linear", "rmsnorm", "swiglu", "cross-entropy", "softmax", "embedding", "add"])) {
      for (let seed = 1; seed <= 20; seed++) {
        // Three rows and columns in four of the uneven numbers are ordinary ones.
        const cases = largeCases(spec, seed).filter(({ profile }) => ["unit", "lattice", "uneven"].includes(profile));
        for (const axis of Object.keys(spec.large!.axes)) {
          const long = cases.map(({ sizes }) => Number(sizes[axis])).filter((length) => length >= 2048);
          expect(
            [long.some((n) => n % 16 === 0), long.some((n) => n % 8 !== 0)],
            `${spec.op} ${axis} seed ${seed}`,
          ).toEqual([true, true]);
        }
      }
    }
  });

  it("has a long sum of one number, of which no part can be missing within the bound", () => {
    for (const { spec } of choose(["rmsnorm.backward"])) {
      for (let seed = 1; seed <= 20; seed++) {
        const constant = largeCases(spec, seed).filter(({ profile }) => profile === "constant");
        expect(constant.some(({ sizes }) => Number(sizes.R) >= 65_536)).toBe(true);
      }
    }
  });

  it("has classes and ids in the last tile of a long table", () => {
    for (const op of ["embedding.forward", "cross-entropy.forward"]) {
      const [{ spec }] = choose([op]);
      const [name, sizes] = op.startsWith("e") ? ["tokens", { R: 4, V: 70_001, C: 1 }] : ["targets", { R: 4, V: 70_001, ignored: "none", ignoreIndex: -100 }]; // prettier-ignore
      const ids = spec.build(sizes, "unit", 1).inputs[name].data;
      expect(Math.max(...ids)).toBeGreaterThan(70_000 - 32);
    }
  });
});

describe("profiles of examples", () => {
  it("are replayed from a line", () => {
    for (const profile of rare) {
      const c: Case = { op: "cast.forward", sizes: { N: 7 }, profile, seed: 1 };
      expect(parseReplay(formatCase(c)).case).toEqual(c);
    }
  });

  it("have each a case in some check, small or large, those with −∞ where the target promises something of it", () => {
    const used = (target: Target): string[] =>
      choose([]).flatMap((chosen) => {
        const { spec } = suitedTo(target, chosen);
        return [...exampleCases(spec, 1, target), ...largeCases(spec, 1)].map(({ profile }) => profile);
      });
    const inHalf = used(targets["wgsl-f16"]); // which has profiles of its own
    const unused = (target: Target): string[] => {
      const tried = new Set([...used(target), ...inHalf]);
      return rare.filter((profile) => !tried.has(profile));
    };
    expect([unused(targets.ieee), unused(targets.wgsl)]).toEqual([[], ["masked"]]);
  });

  it("leave attention a bound below finite masks, whatever the head size", () => {
    for (const HS of [1, 4, 5, 64, 96, 128, 256]) {
      const [{ operation, spec }] = choose(["attention.forward"]);
      const { inputs } = spec.build({ B: 1, NKV: 1, groups: 2, T: 3, S: 20, HS }, "below-masks", 7);
      const { y, lse } = operation.evaluate(inputs, {}, Float64Array);
      const bound = operation.bound(inputs, {}, targets.wgsl);
      expect(Math.max(...lse.data) * Math.sqrt(HS), `${HS}`).toBeLessThan(-5e4); // of q · k
      expect(
        lse.data.every((x, i) => bound.lse.data[i] < Math.abs(x) / 1e3),
        `${HS}`,
      ).toBe(true);
      const rejected = y.data.filter((x, i) => Math.abs(x) > bound.y.data[i]).length;
      expect(rejected / y.data.length, `${HS}`).toBeGreaterThan(0.75);
    }
  });

  it("mask classes that are as if absent: the others' bounds are wider only for the blocks that they fill", () => {
    const [{ operation, spec }] = choose(["softmax.forward"]);
    const { x } = spec.build({ R: 1, C: 200 }, "masked", 3).inputs;
    const counts = (i: number): boolean => x.data[i] > -Infinity;
    const boundsOf = (data: readonly number[]): number[] => {
      const row = { data: Float64Array.from(data), shape: [1, data.length] };
      return Array.from(operation.bound({ x: row }, {}, targets.ieee).y.data);
    };
    const masked = boundsOf(Array.from(x.data));
    const absent = boundsOf(Array.from(x.data).filter((_, i) => counts(i)));
    const far = boundsOf(Array.from(x.data, (logit, i) => (counts(i) ? logit : -200))); // e^−200 is 0 in float32
    const others = masked.filter((_, i) => counts(i));
    expect(others.length).toBeLessThan(masked.length);
    expect(others.every((bound, n) => bound >= absent[n])).toBe(true);
    expect(masked.every((bound, i) => bound <= far[i])).toBe(true);
    expect(masked.every((bound, i) => counts(i) || bound === 0)).toBe(true);
  });

  it("keep the bits of NaN", () => {
    const { data } = fill("bit-patterns", 1, "x", [7]);
    const { inputs } = roundProblem(
      choose(["cast.forward"])[0].operation,
      { inputs: { x: { data, shape: [7] } }, scalars: {} },
      "bfloat16",
    );
    const bits = [...new Uint32Array((inputs.x.data as Float32Array).slice().buffer)];
    expect([bits[0], bits[2], bits[4]]).toEqual([0x7fffffff, 0xffffffff, 0x7f800001]);
  });

  it("have a peak at every place of a row", () => {
    const { data } = fill("peak", 5, "x", [67, 67]);
    const places = Array.from({ length: 67 }, (_, r) => data.subarray(67 * r, 67 * (r + 1)).findIndex((x) => x > 100));
    expect(new Set(places).size).toBe(67);
    expect(places).not.toContain(-1);
  });
});
