// Cases of a real model's size: which sizes they have, and that what is judged of them is judged rightly.
import { describe, expect, it } from "vitest";
import { buildCase, comparing } from "../../judge/campaign.ts";
import { type Case, formatCase } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { INFLATION } from "../../judge/compare.ts";
import { exactAt } from "../../judge/exact.ts";
import { largeCases } from "../../judge/large.ts";
import { parseReplay } from "../../judge/replay.ts";
import { allowancesOf, judgeOutputs, truth } from "../../judge/verdict.ts";
import { integer, streamOf } from "../../reference/random.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";

const all = choose([]);
const terms = { target: targets.ieee, dtype: "float32" } as const;

/** The last power of two that an axis reaches, up to 2,048. Half of the head sizes that are drawn reach 256, and all 64. */
function gateOf(most: number | readonly number[]): number {
  return typeof most === "number" ? 2 ** Math.floor(Math.log2(Math.min(most, 2048))) : 64;
}

/** Attention's work grows with both axes at once: only T and S together are drawn to 2,048. */
function reachable(op: string, long: readonly string[]): number {
  if (!op.startsWith("attention") || long.join() === "T,S") return 2048;
  return long.length === 1 ? (long[0] === "S" || long[0] === "T" ? 2048 : Infinity) : 32;
}

describe("sizes", () => {
  it("are those of lines that can be replayed", () => {
    for (const { spec } of all) {
      for (const c of largeCases(spec, 3)) expect(parseReplay(formatCase(c)).case).toEqual(c);
    }
  });

  it("pass every gate at a power of two, up to 2,048, on one axis and on two", () => {
    const missed: string[] = [];
    for (const { spec } of all) {
      const { axes = {}, together } = spec.large ?? {};
      const names = Object.keys(axes);
      const pairs = together?.map(({ long }) => long).filter(({ length }) => length === 2);
      const subsets = [
        ...names.map((a) => [a]),
        ...(pairs ?? names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b]))),
      ];
      for (let seed = 1; seed <= 20; seed++) {
        const cases = largeCases(spec, seed);
        for (const long of subsets) {
          const reach = (axis: string): number => Math.min(gateOf(axes[axis]!), reachable(spec.op, long));
          if (!cases.some(({ sizes }) => long.every((axis) => Number(sizes[axis]) >= reach(axis)))) {
            missed.push(`${spec.op} seed ${seed}: ${long.join(", ")}`);
          }
        }
      }
    }
    expect(missed).toEqual([]);
  });

  it("are the same for a seed, and others for another", () => {
    for (const { spec } of all) {
      const lines = (seed: number): string[] => largeCases(spec, seed).map(formatCase);
      expect(lines(5)).toEqual(lines(5));
      expect(lines(5)).not.toEqual(lines(6));
    }
  });

  it("are fewer where fewer cases are drawn", () => {
    const { spec } = choose(["linear.forward"])[0];
    expect(largeCases(spec, 1, 1)).toEqual([]);
    expect(largeCases(spec, 1, 50).length).toBe(Math.floor(largeCases(spec, 1).length / 2));
    expect(largeCases(spec, 1, 1000)).toEqual(largeCases(spec, 1));
  });
});

/** Sizes of a few hundred elements, and where some of them lie. */
const small: Readonly<Record<string, Case["sizes"]>> = {
  "linear.forward": { R: 9, O: 7, C: 20 },
  "linear.backward": { R: 9, O: 7, C: 20 },
  "attention.forward": { B: 2, NKV: 2, groups: 2, T: 9, S: 11, HS: 5 },
  "attention.backward": { B: 2, NKV: 2, groups: 2, T: 9, S: 8, HS: 5 },
  "cross-entropy.forward": { R: 9, V: 20, ignored: "some", ignoreIndex: -100 },
  "cross-entropy.backward": { R: 9, V: 20, ignored: "some", ignoreIndex: -100 },
  "embedding.forward": { R: 9, V: 7, C: 20 },
  "embedding.backward": { R: 9, V: 7, C: 20 },
  "rmsnorm.forward": { R: 9, C: 20, eps: "1e-5" },
  "rmsnorm.backward": { R: 9, C: 20, eps: "1e-5" },
  "softmax.forward": { R: 9, C: 20 },
  "softmax.backward": { R: 9, C: 20 },
  "swiglu.forward": { R: 9, F: 20 },
  "swiglu.backward": { R: 9, F: 20 },
  "add.forward": { N: 100 },
  "cast.forward": { N: 100 },
  "clip.forward": { N: 100 },
  "adamw.forward": { N: 100, step: 7, parameter: "matrix" },
};
/** Both are computed in float64, each within the share of the bound that a verdict adds for it. */
function isSame(a: number, b: number, bound: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= 2 * (INFLATION - 1) * bound;
}

/** The small problems of spots, and those of samples where they are others. */
const cut = all.flatMap(({ operation, spec }) => {
  const around = [...new Set([spec.around, spec.sampling?.around, spec.large?.blocks])].filter(
    (one) => one !== undefined,
  );
  return around.map((one, n) => ({ name: `${spec.op}, ${n}`, operation, spec, around: one }));
});

describe("small problems around elements", () => {
  it.each(cut)("$name: have the truth and the bound of the large one", ({ operation, spec, around }) => {
    for (const profile of spec.profiles) {
      for (const target of [targets.ieee, targets.wgsl]) {
        const problem = { ...spec.build(small[spec.op], profile, 3), profile };
        const areZerosLeftOut = spec.op.startsWith("linear.") && ["one-hot", "lattice"].includes(profile);
        const [want, allowed] = [truth(operation, problem), allowancesOf(operation, problem, target)];
        for (const output of Object.keys(operation.outputs)) {
          const list = [...want[output].data.keys()].filter((i) => integer(7, streamOf(output), i, 3) === 0);
          const found: number[] = [];
          const source = { around, operation, problem, terms: { target, dtype: "float32" }, output } as const;
          const exact = exactAt(source, list);
          for (const [n, at] of exact.at.entries()) {
            const place = `${output}[${at}] ${profile}, ${target.name}`;
            found.push(at);
            expect(isSame(exact.want[n], want[output].data[at], allowed[output].data[at]), place).toBe(true);
            const bound = allowed[output].data[at];
            // Terms that are 0 are no part of the small problem of a product, whose bound is the lower for it.
            const isLower = areZerosLeftOut && exact.allowed[n] < bound;
            expect(isLower || isSame(exact.allowed[n], bound, bound), place).toBe(true);
          }
          expect(found.toSorted((a, b) => a - b)).toEqual(list);
        }
      }
    }
  });
});

/** What is wrong in a tile: zeros, the neighbour's values, or 1 % too much. */
const faults = {
  zeros: () => 0,
  "the neighbour's": (y: Tensor["data"], i: number) => y[(i + 1) % y.length],
  "1 % too much": (y: Tensor["data"], i: number) => 1.01 * y[i],
};

describe("one wrong element, row or tile of a large output", () => {
  const { operation, spec } = choose(["linear.forward"])[0];
  const c: Case = { op: spec.op, sizes: { R: 300, O: 270, C: 33 }, profile: "unit", seed: 11 };
  const problem = buildCase(spec, c);
  const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array);

  it("is never seen where there is none", () => {
    expect(judgeOutputs(operation, right, problem, terms, [], comparing(spec, c)).findings).toEqual([]);
  });

  it.each(Object.entries(faults))("is seen wherever it lies: %s", (_, fault) => {
    for (const [height, width] of [
      [1, 1],
      [1, 270],
      [16, 16],
    ] as const) {
      // prettier-ignore
      for (let n = 0; n < 10; n++) {
        const draw = (name: string, below: number): number => integer(n, streamOf(name), height, below);
        const [row, column] = [draw("row", 300 - height + 1), draw("column", 270 - width + 1)];
        const y = right.y.data.slice();
        for (let r = row; r < row + height; r++) {
          for (let o = column; o < column + width; o++) y[r * 270 + o] = fault(right.y.data, r * 270 + o);
        }
        const outputs = { y: { data: y, shape: right.y.shape } };
        const { findings } = judgeOutputs(operation, outputs, problem, terms, [], comparing(spec, c));
        expect(findings, `${height} × ${width} at ${row}, ${column}`).not.toEqual([]);
      }
    }
  });
});

describe("suspects", () => {
  it("are no elements of which the target promises nothing, and hide no fault", () => {
    const { operation, spec } = choose(["attention.forward"])[0];
    const c = {
      op: spec.op,
      sizes: { B: 1, NKV: 1, groups: 1, T: 33_000, S: 20, HS: 2 },
      profile: "unit",
      seed: 3,
    } as const;
    const problem = buildCase(spec, c);
    const wanted = truth(operation, problem);
    const of = (name: string): Float32Array => Float32Array.from(wanted[name].data);
    const outputs = (lse: Float32Array) => ({
      y: { data: of("y"), shape: wanted.y.shape },
      lse: { data: lse.map((x) => (Number.isFinite(x) ? x : -3.4e38)), shape: wanted.lse.shape },
    });
    const wgsl = { target: targets.wgsl, dtype: "float32" } as const;
    const judged = (lse: Float32Array) => judgeOutputs(operation, outputs(lse), problem, wgsl, [], comparing(spec, c));
    expect(judged(of("lse")).findings).toEqual([]);
    for (const at of [32_981, 32_990, 32_998]) {
      const spoiled = of("lse");
      spoiled[at] += 0.5;
      expect(judged(spoiled).findings.join()).toContain(`lse[0,0,${at}]`);
    }
  });
});
