// Every figure of docs/bounds.md, computed again by the code that judges kernels, section by section and in order.
import { describe, expect, test } from "vitest";
import { compareOutput, describeFinding as inWords, INFLATION } from "../../judge/compare.ts";
import { fill } from "../../judge/profile.ts";
import { dtypes, formats, round, ulp } from "../../reference/dtype.ts";
import * as bound from "../../reference/ops/rmsnorm.bound.ts";
import * as linearBound from "../../reference/ops/linear.bound.ts";
import * as linear from "../../reference/ops/linear.ts";
import * as rmsnorm from "../../reference/ops/rmsnorm.ts";
import { type Approx, Arithmetic, gamma, Sum } from "../../reference/rounding.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { type Tensor, tensor } from "../../reference/tensor.ts";
import { LAMBDA } from "../../judge/improbable/tail.ts";
import { figure, figuresOf, power, sectionsOf } from "./page.ts";
import { float32 } from "../terms.ts";

const { ieee, wgsl } = targets;
const sections = sectionsOf("docs/bounds.md");
const TABLES = "17. How tight the bounds are, and what they see";
const { fround } = Math;

/** The worked example. */
const x = tensor(new Float64Array([3, -1, 0.5, 2]), [1, 4]);
const w = tensor(new Float64Array([1, 0.5, 2, 1.25]), [4]);
const eps = fround(1e-5);
const exact = rmsnorm.forward(x, w, eps);
const y0 = exact.y.data[0];

/** The steps of rmsnorm.bound.ts, written out for one row. */
function derive(target: Target): { steps: Approx[]; y: Approx[] } {
  const a = new Arithmetic(target);
  const row = Array.from(x.data, (v) => a.exact(v));
  const length = a.exact(4);
  const one = a.exact(1);
  const reciprocal = a.divide(one, length);
  const squares = a.sum();
  const shares = a.sum();
  for (const v of row) {
    squares.addProduct(v.value, v.value);
    const share = a.either(a.divide(a.multiply(v, v), length), a.product(v, v, reciprocal));
    shares.add(share.value, share.error);
  }
  const sum = squares.total();
  const means = [a.divide(sum, length), a.multiply(sum, reciprocal), shares.total()];
  const moment = a.add(a.either(means[0], means[1], means[2]), a.exact(eps));
  const root = a.sqrt(moment);
  const scale = a.inverseSqrt(moment);
  const y = row.map((v, c) => {
    const gain = a.exact(w.data[c]);
    return a.either(
      a.product(v, scale, gain),
      a.multiply(a.divide(v, root), gain),
      a.divide(a.multiply(v, gain), root),
      a.multiply(a.multiply(v, scale), gain),
    );
  });
  return { steps: [sum, ...means, moment, root, a.divide(one, root), scale], y };
}

/** A float32 evaluation from left to right, rounded to nearest. */
function plain(row: Tensor, gain: Tensor, divisor = row.shape[1], added = eps): Float32Array {
  let squares = 0;
  for (const v of row.data) squares = fround(squares + fround(v * v));
  const rstd = fround(1 / fround(Math.sqrt(fround(fround(squares / divisor) + added))));
  return Float32Array.from(row.data, (v, c) => fround(fround(v * rstd) * gain.data[c]));
}

const inU = (p: Approx, target: Target): number => p.error / Math.abs(p.value) / target.u;
/** A share of a value, as a figure in units of u. */
const share = (error: number, value: number, { u }: Target): string => figure(error / value / u);

const words = (text: string): string[] => text.split(/\s+/);

const table = (formatNames: readonly (keyof typeof formats)[]): string[] =>
  formatNames.flatMap((name) => [figure(formats[name].minNormal), figure(formats[name].max)]);

function sumOf(...terms: number[]): number {
  return terms.reduce((sum, term) => fround(sum + term));
}

function cancelling(): Approx {
  const sum = new Arithmetic(ieee).sum();
  for (const term of [2 ** 24, 1, -(2 ** 24), 1]) sum.add(term);
  return sum.total();
}

function pairs(): string[] {
  const a = new Arithmetic(ieee);
  const { value, error } = a.multiply({ value: 3, error: 0.001 }, { value: 2, error: 0.002 });
  expect(value).toBe(6);
  const before = 3 * 0.002 + 2 * 0.001 + 0.001 * 0.002;
  const own = ieee.u * (6 + before);
  expect(Math.abs(error - before - own)).toBeLessThan(6 * 2 ** -47);
  const text = ["0.001", "0.002", "0.002", "0.001", "0.001", "0.002"];
  return [...text, before.toPrecision(4), (6 + before).toPrecision(7), figure(own), error.toPrecision(7)];
}

function example(): string[] {
  const found = [derive(ieee), derive(wgsl)];
  const at = (i: number): Approx[] => found.map(({ steps }) => steps[i]);
  const count = (i: number): string[] => at(i).map((p, t) => figure(inU(p, [ieee, wgsl][t])));
  const [mean, root, rstd] = [3.5625, Math.sqrt(3.5625 + eps), exact.rstd.data[0]];
  const row = (p: readonly Approx[], value: string): string[] => [
    value,
    ...p.flatMap((q, t) => [figure(inU(q, [ieee, wgsl][t])), figure(q.error)]),
  ];
  const ratio = (values: Float32Array, target: Target): number =>
    compareOutput(
      "y",
      tensor(values, [1, 4]),
      { want: exact.y, allowed: bound.forward.bound({ x, w }, { eps }, target).y },
      float32(target),
    ).worst;
  const [uneven, withoutEps] = [plain(x, w, 3), plain(x, w, 4, 0)];
  const off = Math.abs(plain(x, w)[0] - y0);
  const figures = `0.5 0.5 1.25 ${figure(eps, 16)} 0.25 14.25 14.25
    3.5625 3.5625 ${share(2 ** -23, mean, ieee)} ${count(1)[0]} 2.5 2.5 ${share(2.5 * 2 ** -22, mean, wgsl)} ${count(1)[1]}
    2.5 7.5 7.5 7.5
    8.5 ${figure(mean + eps, 7)}
    3.5 4.25 5.5 ${figure(rstd)} ${share(2 ** -23, rstd, wgsl)} ${figure(4.25 + 2 ** -23 / rstd / wgsl.u)}
    ${share(2 ** -24, root, ieee)} ${share(2 ** -25, rstd, ieee)} ${count(6)[0]}
    4.5 2.5 2.5 ${share(2.5 * 2 ** -24, rstd, wgsl)} ${count(6)[1]}
    5.5 ${count(7)[1]}
    7.5 ${figure(inU(found[1].y[0], wgsl))}`;
  const worth = `7.5 ${plain(x, w)[0]} ${figure(off)} ${figure(off / found[0].y[0].error)}
    ${figure(uneven[0], 7)} ${figure(ratio(uneven, ieee), 2)}
    ${figure(withoutEps[0], 7)} ${figure(ratio(withoutEps, ieee), 2)} ${figure(ratio(withoutEps, wgsl), 2)}`;
  return [
    ...words(figures),
    ...row(at(0), "14.25"),
    ...[1, 2, 3, 4, 5, 6, 7].flatMap((i) => row(at(i), figure(at(i)[0].value, i < 6 ? 7 : 6))),
    ...[7, 6, 6, 7].flatMap((digits, c) =>
      row(
        found.map(({ y }) => y[c]),
        figure(exact.y.data[c], digits),
      ),
    ),
    ...words(worth),
  ];
}

function longSums(): string[] {
  const long = fill("unit", 1, "x", [1, 4096]);
  const ones = tensor(new Float64Array(4096).fill(1), [4096]);
  const wide = tensor(new Float64Array(long.data), [1, 4096]);
  const want = rmsnorm.forward(wide, ones, eps).y.data;
  const allowed = bound.forward.bound({ x: wide, w: ones }, { eps }, ieee).y.data;
  const got = plain(long, ones);
  const errors = Array.from(got, (v, i) => Math.abs(v - want[i]) / Math.abs(want[i]) / ieee.u);
  expect(figure(allowed[0] / Math.abs(want[0]) / ieee.u)).toBe("1659");
  return [figure(Math.max(...errors))];
}

const expected: Record<string, string[]> = {
  "1. The grid": [
    ...[1, 3, 1000, 1e6].map((v) => figure(ulp(v, dtypes.float32))),
    figure(dtypes.float32.max),
    figure(dtypes.float32.minNormal),
    figure(dtypes.float32.minSubnormal),
    ...table(["float64", "float32", "tf32", "float16", "bfloat16"]),
  ],
  "2. One operation: the factor 1 + δ": [
    figure(ieee.u),
    "0.1",
    String(fround(0.1) - ulp(0.1, dtypes.float32)),
    String(fround(0.1)),
    figure(fround(0.1) - 0.1),
    figure((fround(0.1) - 0.1) / 0.1 / ieee.u),
    "0.1",
    "0.1",
  ],
  "3. Many operations: γₙ": [1, 4, 64, 4096].flatMap((n) =>
    [figure(gamma(n, ieee.u) / ieee.u), figure(gamma(n, ieee.u))].filter((f) => f.includes(".")),
  ),
  "4. Sums in any order": [figure(cancelling().error)],
  "5. Near zero, and flushing": [figure(dtypes.float32.minSubnormal), figure(dtypes.float32.minNormal)],
  "6. Functions": [
    ...["ieee", "cuda", "wgsl", "metal", "cuda-fast-math"].map((name) => accuracy(name, "divide").ulp!),
    ...["cuda", "wgsl", "metal", "cuda-fast-math"].map((name) => accuracy(name, "inverseSqrt").ulp!),
    ...["ieee", "cuda", "wgsl", "metal", "cuda-fast-math"].flatMap((name) => {
      const { ulp: units, ulpPerArgument } = accuracy(name, "exp");
      return [units!, ulpPerArgument ?? 0];
    }),
    ...["ieee", "cuda", "wgsl", "metal", "cuda-fast-math"].map((name) => accuracy(name, "log").ulp!),
    accuracy("cuda", "sin").ulp!,
    accuracy("cuda-fast-math", "sin").absolute!,
    2.5,
  ]
    .filter((f) => !Number.isInteger(f))
    .map((f) => (f < 1e-3 ? figure(f) : String(f))),
  "7. Arithmetic on (value, error) pairs": pairs(),
  "8. Several right ways: `either`": [],
  "9. Where there is no bound": [figure(dtypes.float32.max)],
  "10. RMSNorm forward, by hand": example(),
  "11. Errors that come in": incoming(),
  "12. The truth's own error": [],
  "13. Outputs in 16 bits": ["1.5859375", "1.5898437", "1.58984375", "1.5859375", "1.59375"],
  "14. Long sums, and the precision class": longSums(),
  "15. A probability in place of a proof": [figure(LAMBDA, 2), "0.1"],
  "16. What is proved, what is probable, what is measured": [],
  // Made by commands, of which tables.test.ts makes some lines again.
  [TABLES]: figuresOf(sections.get(TABLES) ?? ""),
  "18. Bounds are tested": ["0.1"],
  "19. Reading a bound": [],
  Sources: [],
};

function accuracy(
  target: string,
  name: "divide" | "inverseSqrt" | "exp" | "log" | "sin",
): Target["functions"]["exp"][number] {
  return (targets as Readonly<Record<string, Target>>)[target].functions[name].at(-1)!;
}

function incoming(): string[] {
  const error = 2 ** -20;
  const errors = { x: tensor(new Float64Array(4).fill(error), [1, 4]) };
  const [alone, together] = [
    bound.forward.bound({ x, w }, { eps }, ieee),
    bound.forward.bound({ x, w }, { eps }, ieee, errors),
  ];
  const straight = exact.rstd.data[0];
  const byRstd = (6.5 / 14.25) * y0;
  const grown = (together.y.data[0] - alone.y.data[0]) / error;
  expect(Math.abs(grown - straight - byRstd)).toBeLessThan(1e-3);
  return [error, alone.y.data[0], together.y.data[0], straight, 6.5, 14.25, byRstd].map((v) =>
    v === 6.5 || v === 14.25 ? String(v) : figure(v),
  );
}

describe("docs/bounds.md", () => {
  test("has the sections whose figures are known", () => expect([...sections.keys()]).toEqual(Object.keys(expected)));
  test.each(Object.entries(expected))("%s: its figures are those of the code", (title, figures) =>
    expect(figuresOf(sections.get(title) ?? "")).toEqual(figures),
  );

  test("the steps written out are rmsnorm.bound.ts, digit for digit", () => {
    for (const target of [ieee, wgsl])
      expect(derive(target).y.map((p) => p.error)).toEqual([...bound.forward.bound({ x, w }, { eps }, target).y.data]);
  });

  test("what is said in words", () => {
    // Section 4: three orders of one sum, all inside the bound.
    expect(sumOf(2 ** 24, 1, -(2 ** 24), 1)).toBe(1);
    expect(sumOf(2 ** 24, 1, 1, -(2 ** 24))).toBe(0);
    // Section 9.
    const huge = tensor(new Float64Array([2 ** 64]), [1, 1]);
    const one = tensor(new Float64Array([1]), [1]);
    expect(bound.forward.bound({ x: huge, w: one }, { eps }, ieee).y.data[0]).toBe(Infinity);
    // Section 12.
    expect(INFLATION).toBe(1 + 2 ** -26);
    // Section 13.
    const ends = (value: number): number[] =>
      [value - derive(ieee).y[0].error, value + derive(ieee).y[0].error].map((v) => round(v, dtypes.bfloat16));
    expect(ends(y0)).toEqual([1.5859375, 1.5859375]);
    expect(ends(1.5898437)).toEqual([1.5859375, 1.59375]);
    // Section 14: products of TF32 numbers, 4,096 of them.
    const [a, b] = ["a", "b"].map((name) => fill("unit", 1, name, [1, 4096]));
    const wide = (t: Tensor): Tensor<Float64Array> => tensor(new Float64Array(t.data), t.shape);
    const low = (t: Tensor): Tensor<Float64Array> =>
      tensor(
        Float64Array.from(t.data, (v) => round(v, formats.tf32)),
        t.shape,
      );
    const { y } = linear.forward(wide(a), wide(b));
    const allowed = linearBound.forward.bound({ x: wide(a), w: wide(b) }, {}, ieee).y;
    const got = linear.forward(low(a), low(b)).y;
    expect(got.data[0]).not.toBe(y.data[0]);
    expect(inWords(compareOutput("y", got, { want: y, allowed }, float32(ieee)).at!)).toMatch(
      /off by 0\.\d+ × the bound/,
    );
  });

  test("section 6 has the targets' tables", () => {
    const names = ["ieee", "cuda", "wgsl", "metal", "cuda-fast-math"];
    const cell = ({ ulp: units, ulpPerArgument, absolute, relative }: ReturnType<typeof accuracy>): string => {
      if (relative !== undefined) return `${Math.round(relative / ieee.u)} u`;
      if (absolute !== undefined)
        return `${Number.isInteger(Math.log2(absolute)) ? power(Math.log2(absolute)) : figure(absolute)} absolute`;
      return `${units}${ulpPerArgument === undefined ? "" : ` + ${ulpPerArgument} · \\|x\\|`}`;
    };
    for (const name of ["divide", "inverseSqrt", "exp", "log", "sin"] as const) {
      const row = sections.get("6. Functions")!.match(new RegExp(`^\\| ${name}.*$`, "m"))![0];
      const cells = row
        .split(/(?<!\\)\|/)
        .slice(2, -1)
        .map((text) => text.trim());
      expect([name, ...cells]).toEqual([name, ...names.map((target) => cell(accuracy(target, name)))]);
    }
  });

  test("section 19 names methods that exist", () => {
    const named = [...sections.get("19. Reading a bound")!.matchAll(/`[as]\.(\w+)/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(6);
    for (const name of named)
      expect([name, name in Arithmetic.prototype || name in Sum.prototype]).toEqual([name, true]);
  });
});
