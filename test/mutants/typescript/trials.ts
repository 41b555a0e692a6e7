// The cases that an op's formula and bound are put to, each with the correct evaluations that lie lowest and highest at each element.
//
// They depend on neither the formula's file nor the bound's, so they are made once, and a mutant is judged by them in milliseconds.
import * as fc from "fast-check";
import { buildCase } from "../../../judge/campaign.ts";
import { arbitraryCase, type Case, exampleCases, formatCase, type Problem } from "../../../judge/case.ts";
import { boundOf, type Expected } from "../../../judge/compare.ts";
import { judgeRows } from "../../../judge/ops/index.ts";
import { allowancesOf, expectedAround, roundProblem, truth, widen } from "../../../judge/verdict.ts";
import type { Errors } from "../../../reference/bounds.ts";
import type { Operation, Outputs } from "../../../reference/operation.ts";
import { operations } from "../../../reference/ops/index.ts";
import { bits } from "../../../reference/random.ts";
import type { SumOrder } from "../../../reference/sum-order.ts";
import { type Target, targets } from "../../../reference/targets.ts";
import { sizeOf, type Tensor } from "../../../reference/tensor.ts";
import { Float32Arithmetic, type Habits, orders } from "../../../zoo/arithmetic.ts";
import type { Evaluation } from "../../../zoo/evaluation.ts";
import { evaluationsOf } from "../../../zoo/index.ts";
import { statedEvaluations } from "../../../zoo/swiglu-stated.ts";
import { suite } from "../../../golden/fixtures/suite.ts";
import { placesOf } from "../../second-derivation/places.ts";
import type { Problem as SmallProblem } from "../../second-derivation/problems.ts";
import { smallProblems } from "../../second-derivation/small.ts";
import { Tape } from "../../second-derivation/tape.ts";

/** The lowest and the highest correct result at each element; where one is no number, a bound would be wrong. NaN where none is known. */
export interface Extremes {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly isBroken: Uint8Array;
}

export interface Trial {
  readonly line: string;
  /** Trials of a group have one figure of tightness: those of a target, those with stores, with orders of sums, with errors of inputs. */
  readonly group: string;
  readonly problem: Problem;
  readonly target: Target;
  readonly errors: Errors<string>;
  readonly extremes: Readonly<Record<string, Extremes>>;
  /** A committed fixture: its bytes are the truth and the bound. */
  readonly isFixture: boolean;
}

const SEED = 20_230_227; // the paper's date
const DRAWN = 200;
/** Numbers in a case's inputs. */
const MOST = 160;
const CASES = 24;
const ALWAYS = [targets.wgsl, targets.ieee];
const OTHERS = [targets.cuda, targets["cuda-fast-math"], targets.metal, targets["matrix-units"], targets.triton];
const LOW = "bfloat16";
const ORDERS: readonly (readonly [SumOrder, Habits["order"]])[] = [
  [{ kind: "blocked", terms: 16 }, "blocked"],
  [{ kind: "pairwise", terms: 1 }, "pairwise"],
];
/** The share of an input that its error is, in trials of composed bounds. */
const RELATIVE_ERROR = 2 ** -8;
const CORNERS = 12;
const FIXTURES = "fixtures";

export function trialsOf(op: string): Trial[] {
  const operation = operations.get(op)!;
  const cases = casesOf(op);
  const evaluations = evaluationsOf(op);
  const trials = cases.flatMap((c, n) => {
    const problem = problemOf(operation, c);
    return [...ALWAYS, OTHERS[n % OTHERS.length]!].map((target) =>
      evaluated(operation, problem, target, evaluations, formatCase(c)),
    );
  });
  const ordinary = cases.filter(({ profile }) => profile === "unit").slice(0, 4);
  return [
    ...trials,
    ...ordinary.flatMap((c) => declared(operation, c, evaluations)),
    ...ordinary.map((c) => withErrors(operation, c)),
    ...(smallProblems[op]?.() ?? []).flatMap((problem) => onTapes(operation, problem)),
    ...(op in statedEvaluations ? ordinary.map((c) => stated(operation, c)) : []),
    ...fixtures(operation),
  ];
}

/** Small cases, some of each profile. */
function casesOf(op: string): Case[] {
  const spec = judgeRows.get(op)!;
  const drawn = fc.sample(arbitraryCase(spec, false), { numRuns: DRAWN, seed: SEED });
  const small = [...exampleCases(spec, SEED), ...drawn].filter((c) => sizeIn(buildCase(spec, c)) <= MOST);
  const profiles = [...new Set(small.map(({ profile }) => profile))];
  const each = Math.max(2, Math.floor(CASES / profiles.length));
  return profiles.flatMap((profile) => {
    const alike = small.filter((c) => c.profile === profile);
    return alike.slice(0, profile === "unit" ? 2 * each : each);
  });
}

function sizeIn({ inputs }: Problem): number {
  return Object.values(inputs).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

function problemOf(operation: Operation, c: Case): Problem {
  return roundProblem(operation, buildCase(judgeRows.get(operation.name)!, c), "float32");
}

/** Every evaluation as adversaries compute it, to one side and the other, and as a kernel that rounds to nearest does. */
function evaluated(
  operation: Operation,
  problem: Problem,
  target: Target,
  evaluations: readonly Evaluation[],
  line: string,
  more: Partial<Habits> = {},
): Trial {
  const isLow = more.stores !== undefined;
  const results = evaluations.flatMap((evaluation, n) =>
    mannersOf(target, n)
      .filter(({ rounding }) => !(rounding === "adversarial" && (problem.profile === "lattice" || isLow)))
      .flatMap((habits) => {
        const f = new Float32Arithmetic(target, { ...habits, ...more });
        const outputs = evaluation.evaluate(f, problem.inputs, problem.scalars);
        // One that has no such intermediate is not one of a kernel that declares it.
        const stores = more.stores?.names ?? [];
        return stores.every((name) => f.names.has(name)) ? [outputs] : [];
      }),
  );
  const what = isLow ? "stores" : more.order === undefined ? target.name : "sums";
  return trialOf(operation, problem, target, results, { line: `${line} on ${target.name}`, group: what });
}

function mannersOf(target: Target, n: number): Habits[] {
  const of = (rounding: Habits["rounding"], functions: Habits["functions"], seed: number, m: number): Habits => ({
    rounding,
    functions,
    seed,
    order: orders[(n + m) % orders.length]!,
    fused: (n + m) % 3 === 0,
    flushes: target.flushes && m % 2 === 1,
  });
  return [
    of("adversarial", "low", 0, 0),
    of("adversarial", "high", 1, 1),
    of("adversarial", "high", 2 + n, 2),
    of("adversarial", "low", 99 + n, 3),
    of(target.flushes ? "truncating" : "nearest", "random", n, 5),
  ];
}

/** An intermediate stored low, and an order of a sum, as a kernel may declare them. */
function declared(operation: Operation, c: Case, evaluations: readonly Evaluation[]): Trial[] {
  const problem = problemOf(operation, c);
  const stores = Object.keys(operation.stores).map((name) => {
    const target: Target = { ...targets.cuda, stores: { [name]: LOW } };
    const habits = { stores: { names: [name], format: LOW } } as const;
    return evaluated(operation, problem, target, evaluations, `${formatCase(c)} ${name}=${LOW}`, habits);
  });
  const names = Object.keys(operation.sums);
  const sums = (names.length === 0 ? [] : ORDERS).map(([declaration, order]) => {
    const target: Target = { ...targets.ieee, sums: Object.fromEntries(names.map((name) => [name, declaration])) };
    return evaluated(operation, problem, target, evaluations, `${formatCase(c)} ${order}`, { order });
  });
  return [...stores, ...sums];
}

/** Functions that only some target files state. */
function stated(operation: Operation, c: Case): Trial {
  const region = [{ from: -Infinity, to: Infinity, ulp: 4 }];
  const functions = { ...targets.cuda.functions, tanh: region, sigmoid: region };
  const target: Target = { ...targets.cuda, name: "tanh and sigmoid stated", functions };
  const all = [
    ...evaluationsOf(operation.name),
    ...statedEvaluations[operation.name as keyof typeof statedEvaluations],
  ];
  return evaluated(operation, problemOf(operation, c), target, all, formatCase(c));
}

/** The op itself on inputs at corners of their errors. */
function withErrors(operation: Operation, c: Case): Trial {
  const problem = problemOf(operation, c);
  const exact = widen(problem.inputs);
  const floats = Object.keys(exact).filter((name) => !operation.integers.includes(name));
  const errors = Object.fromEntries(
    floats.map((name) => [name, scaled(exact[name] as Tensor, () => RELATIVE_ERROR, Math.abs)]),
  );
  const results = Array.from({ length: CORNERS }, (_, n) => {
    const side = (i: number): number => 1 + (bits(n, 3, i) % 2 === 0 ? 1 : -1) * RELATIVE_ERROR;
    const moved = floats.map((name, k) => [name, scaled(exact[name] as Tensor, (i) => side(1000 * k + i))]);
    return operation.evaluate({ ...exact, ...Object.fromEntries(moved) }, problem.scalars, Float64Array);
  });
  const line = `${formatCase(c)} with errors of inputs`;
  return trialOf(operation, problem, targets.wgsl, results, { line, group: "errors of inputs", errors });
}

function scaled({ data, shape }: Tensor, by: (i: number) => number, of = (x: number): number => x): Tensor {
  return { data: Float64Array.from(data, (x, i) => of(x) * by(i)), shape };
}

/** The second derivation's worst evaluations, at the elements that it looks at. */
function onTapes(operation: Operation, problem: SmallProblem): Trial[] {
  return [targets.wgsl, targets.ieee, targets.cuda].map((target) => {
    const want = truth(operation, problem);
    const nowhere = Object.fromEntries(
      Object.entries(want).map(([name, { data, shape }]) => [
        name,
        { data: new Float64Array(data.length).fill(NaN), shape },
      ]),
    );
    const results = placesOf[operation.name]!(problem, true).flatMap(({ output, index, ways }) =>
      Array.from(ways, ([, evaluate]) => {
        const tape = new Tape(target);
        const { result } = tape.worst(evaluate(tape), want[output]!.data[index]!);
        const { data, shape } = nowhere[output]!;
        return { ...nowhere, [output]: { data: data.with(index, result), shape } };
      }),
    );
    const line = `${operation.name}, a problem of the second derivation on ${target.name}`;
    return trialOf(operation, problem, target, results, { line, group: "second derivation" });
  });
}

/** The committed fixtures of an op, which hold truth and bound by their bytes. */
function fixtures(operation: Operation): Trial[] {
  return suite(targets.wgsl, (op) => op === operation.name).map(({ name, fixture: { dtype, target }, problem }) => {
    const given = roundProblem(operation, problem, dtype);
    return trialOf(operation, given, target, [], { line: name, group: FIXTURES });
  });
}

interface About {
  readonly line: string;
  readonly group: string;
  readonly errors?: Errors<string>;
}

function trialOf(
  operation: Operation,
  problem: Problem,
  target: Target,
  results: readonly Outputs[],
  { line, group, errors = {} }: About,
): Trial {
  const want = truth(operation, problem);
  const allowed = allowancesOf(operation, problem, target, errors);
  const extremes = Object.fromEntries(
    Object.keys(want).map((name) => {
      const expected = expectedAround(want[name]!, allowed[name]!);
      return [
        name,
        extremesOf(
          expected,
          results.map((outputs) => outputs[name]!),
          target,
        ),
      ];
    }),
  );
  return { line, group, problem, target, errors, extremes, isFixture: group === FIXTURES };
}

/** Of the results that are within the bound as it is: whether all correct ones are is what other tests show. */
function extremesOf(expected: Expected, results: readonly (Tensor | undefined)[], target: Target): Extremes {
  const n = expected.want.data.length;
  const [low, high, isBroken] = [new Float64Array(n).fill(NaN), new Float64Array(n).fill(NaN), new Uint8Array(n)];
  for (let i = 0; i < n; i++) {
    const bound = boundOf(expected, i, { target, dtype: "float32" });
    for (const result of results) {
      const x = result?.data[i];
      if (x === undefined || (Number.isNaN(x) && bound < Infinity)) continue;
      if (!Number.isFinite(x)) isBroken[i] = bound < Infinity ? 0 : 1;
      else if (Math.abs(x - expected.want.data[i]!) <= bound || !(bound < Infinity)) {
        if (!(x >= low[i]!)) low[i] = x;
        if (!(x <= high[i]!)) high[i] = x;
      }
    }
  }
  return { low, high, isBroken };
}
