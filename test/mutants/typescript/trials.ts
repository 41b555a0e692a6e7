// The cases that an op's formula and bound are put to, each with the correct evaluations that lie lowest and highest at each element.
//
// They depend on neither the formula's file nor the bound's, so they are made once, and a mutant is judged by them in milliseconds.
import * as fc from "fast-check";
import { buildCase } from "../../../judge/campaign.ts";
import { arbitraryCase, type Case, exampleCases, formatCase, type Problem } from "../../../judge/case.ts";
import { suitedTo } from "../../../judge/half-cases.ts";
import { judgeRows } from "../../../judge/ops/index.ts";
import { roundProblem, truth, widen } from "../../../judge/verdict.ts";
import type { JudgeRow } from "../../../judge/row.ts";
import type { Operation } from "../../../reference/operation.ts";
import { operations } from "../../../reference/ops/index.ts";
import { bits } from "../../../reference/random.ts";
import type { SumOrder } from "../../../reference/sum-order.ts";
import { type Target, targets } from "../../../reference/targets.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../../../reference/tensor.ts";
import { Float32Arithmetic, type Habits, orders } from "../../../zoo/arithmetic.ts";
import type { Evaluation } from "../../../zoo/evaluation.ts";
import { evaluationsOf } from "../../../zoo/index.ts";
import { statedEvaluations } from "../../../zoo/swiglu-stated.ts";
import { suite } from "../../../golden/fixtures/suite.ts";
import { placesOf } from "../../second-derivation/places.ts";
import type { Problem as SmallProblem } from "../../second-derivation/problems.ts";
import { Tape } from "../../second-derivation/tape.ts";
import { COARSE } from "./coarse.ts";
import { FIXTURES, type Trial, trialOf } from "./extremes.ts";
import { tapeProblems } from "./tapes.ts";

const SEED = 20_230_227; // the paper's date
const DRAWN = 200;
/** Numbers in a case's inputs. */
const MOST = 200;
const CASES = 20;
/** The largest of those with ordinary numbers, in which sums have several terms. */
const ORDINARY = 5;
const ALWAYS = [targets.wgsl, targets.ieee];
const OTHERS = [targets.cuda, targets["cuda-fast-math"], targets.metal, targets["matrix-units"], targets.triton];
const LOW = "bfloat16";
const ORDERS: readonly (readonly [SumOrder, Habits["order"]])[] = [
  [{ kind: "blocked", terms: 16 }, "blocked"],
  [{ kind: "pairwise", terms: 1 }, "pairwise"],
];
/** The share of an input that its error is, in trials of composed bounds. */
const RELATIVE_ERROR = 2 ** -8;
const LARGE_ERROR = 1 / 4;
const WITH_ERRORS = [targets.wgsl, targets.ieee, targets.cuda];
const CORNERS = 16;
const ON_TAPES = [
  [targets.wgsl, false],
  [targets.wgsl, true],
  [targets.ieee, false],
  [targets.cuda, true],
  [targets.triton, false],
  ...COARSE.map((target) => [target, false] as const),
] as const;

export function trialsOf(op: string): Trial[] {
  const operation = operations.get(op)!;
  const cases = casesOf(op);
  const evaluations = evaluationsOf(op);
  const trials = cases.flatMap((c, n) => {
    const problem = problemOf(operation, c);
    const others = [OTHERS, COARSE].map((list, k) => list[(n + k) % list.length]!);
    return [...ALWAYS, ...others].map((target) => evaluated(operation, problem, target, evaluations, formatCase(c)));
  });
  const ordinary = ordinaryCases(operation);
  return [
    ...trials,
    ...ordinary.flatMap((c) => declared(operation, c, evaluations)),
    ...[...ordinary, ...cases.filter((_, n) => n % 2 === 0)].flatMap((c, n) => withErrors(operation, c, n)),
    ...inHalves(op),
    ...tapeProblems(op).flatMap((problem) => onTapes(operation, problem)),
    ...(op in statedEvaluations ? ordinary.map((c) => stated(operation, c)) : []),
    ...fixtures(operation),
  ];
}

/** Small cases, some of each profile. */
function casesOf(op: string, spec = judgeRows.get(op)!): Case[] {
  const small = smallCases(spec);
  const profiles = [...new Set(small.map(({ profile }) => profile))];
  const each = Math.max(2, Math.floor(CASES / profiles.length));
  return profiles.flatMap((profile) => {
    const alike = small.filter((c) => c.profile === profile);
    return alike.slice(0, profile === "unit" ? 2 * each : each);
  });
}

function smallCases(spec: JudgeRow): Case[] {
  const drawn = fc.sample(arbitraryCase(spec, false), { numRuns: DRAWN, seed: SEED });
  return [...exampleCases(spec, SEED), ...drawn].filter((c) => sizeIn(buildCase(spec, c)) <= MOST);
}

function ordinaryCases(operation: Operation): Case[] {
  const spec = judgeRows.get(operation.name)!;
  const sized = (c: Case): number => sizeIn(buildCase(spec, c));
  return smallCases(spec)
    .map(({ op, sizes, seed }): Case => ({ op, sizes, profile: "unit", seed }))
    .filter((c) => hasNumbers(operation, problemOf(operation, c)))
    .toSorted((a, b) => sized(b) - sized(a))
    .slice(0, ORDINARY);
}

/** Whether most of each output is a number other than 0: attention has queries that see no key. */
function hasNumbers(operation: Operation, problem: Problem): boolean {
  return Object.values(truth(operation, problem)).every(
    ({ data }) => data.filter((x) => x !== 0 && Number.isFinite(x)).length > data.length / 2,
  );
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

/** The op itself on inputs at corners of their errors, and its evaluations there: alike errors, and one number in three of a quarter of itself. */
function withErrors(operation: Operation, c: Case, n: number): Trial[] {
  const problem = problemOf(operation, c);
  const floats = Object.keys(problem.inputs).filter((name) => !operation.integers.includes(name));
  const exact = widen(problem.inputs);
  return [RELATIVE_ERROR, LARGE_ERROR].map((size) => {
    const share = (i: number): number => (size === RELATIVE_ERROR ? size : i % 3 === n % 3 ? size : 0);
    const errors = Object.fromEntries(floats.map((name) => [name, scaled(exact[name] as Tensor, share, Math.abs)]));
    const target = WITH_ERRORS[n % WITH_ERRORS.length]!;
    const results = Array.from({ length: CORNERS }, (_, corner) => {
      const side = (i: number): number => (corner < 2 ? 2 * corner - 1 : bits(corner, 3, i) % 2 === 0 ? 1 : -1);
      const inputs: Record<string, Tensor<Floats | Ints>> = { ...exact };
      for (const [k, name] of floats.entries()) {
        inputs[name] = scaled(exact[name] as Tensor, (i) => 1 + side(1000 * k + i) * share(i));
      }
      const all = evaluationsOf(operation.name);
      const evaluation = all[(corner + n) % all.length]!;
      const f = new Float32Arithmetic(target, mannersOf(target, corner)[corner % 2]!);
      return [
        operation.evaluate(inputs, problem.scalars, Float64Array),
        evaluation.evaluate(f, inputs, problem.scalars),
      ];
    }).flat();
    const line = `${formatCase(c)} on ${target.name} with errors of ${size}`;
    return trialOf(operation, problem, target, results, { line, group: "errors of inputs", errors });
  });
}

/** Arithmetic in float16, where numbers that are flushed and terms of second order count. */
function inHalves(op: string): Trial[] {
  const target = targets["wgsl-f16"];
  const { operation, spec } = suitedTo(target, { operation: operations.get(op)!, spec: judgeRows.get(op)! });
  return casesOf(op, spec).map((c) => {
    const problem = roundProblem(operation, buildCase(spec, c, "float16"), "float16");
    return evaluated(operation, problem, target, evaluationsOf(op), formatCase(c));
  });
}

function scaled({ data, shape }: Tensor, by: (i: number) => number, of = (x: number): number => x): Tensor {
  return { data: Float64Array.from(data, (x, i) => of(x) * by(i)), shape };
}

/** The second derivation's worst evaluations, at the elements that it looks at. */
function onTapes(operation: Operation, problem: SmallProblem): Trial[] {
  return ON_TAPES.map(([target, byLetter]) => {
    const want = truth(operation, problem);
    const nowhere = Object.fromEntries(
      Object.entries(want).map(([name, { data, shape }]) => [
        name,
        { data: new Float64Array(data.length).fill(NaN), shape },
      ]),
    );
    const results = placesOf[operation.name]!(problem, true).flatMap(({ output, index, ways }) =>
      Array.from(ways, ([, evaluate]) => {
        const tape = new Tape(target, byLetter);
        const { result } = tape.worst(evaluate(tape), want[output]!.data[index]!);
        const { data, shape } = nowhere[output]!;
        return { ...nowhere, [output]: { data: data.with(index, result), shape } };
      }),
    );
    const line = `${operation.name}, a problem of the second derivation on ${target.name}${byLetter ? " by the letter" : ""}`;
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

/** Cases without evaluations, under all targets in turn: a mutant that is explained must not change a bit of them. */
export function drawnTrials(op: string, count: number): Trial[] {
  const [operation, spec] = [operations.get(op)!, judgeRows.get(op)!];
  const all = [...ALWAYS, ...OTHERS, ...COARSE];
  return fc
    .sample(arbitraryCase(spec, false), { numRuns: 4 * count, seed: SEED + 1 })
    .filter((c) => sizeIn(buildCase(spec, c)) <= MOST)
    .slice(0, count)
    .map((c, n) =>
      trialOf(operation, problemOf(operation, c), all[n % all.length]!, [], { line: formatCase(c), group: "drawn" }),
    );
}
