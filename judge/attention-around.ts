// Small problems around elements of a large attention: a query with the keys that it sees; a key with the queries that see it.
import type { Allowances, Errors, Reals } from "../reference/bounds.ts";
import { smallest } from "../reference/lists.ts";
import { forwardBound, queryGradientBound } from "../reference/ops/attention.bound.ts";
import { keyGradientBound, leastKeyGradientBound } from "../reference/ops/attention.keys.bound.ts";
import { visibleKeys } from "../reference/ops/attention.ts";
import type { GradientInput } from "../reference/ops/attention.slopes.bound.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Inputs } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";
import { allAs, type Cut, type Part } from "./at-scale.ts";
import { type Around, cutOut } from "./around.ts";
import type { Problem } from "./case.ts";
import { checkBackward, checkForward } from "./attention-checks.ts";
import { drawElements, drawRows, SAMPLE_WORK } from "./draws.ts";
import type { Sampling } from "./sampled.ts";

const BAND = 16;
const onQueries = ["dy", "q", "y"];
const onKeys = ["k", "v"];

function shapeOf({ inputs: { q, k } }: Problem) {
  const [B, T, NH, HS] = q.shape;
  const [, S, NKV] = k.shape;
  return { B, T, NH, HS, S, NKV, heads: NH / NKV };
}

type Shape = ReturnType<typeof shapeOf>;

/** Some tokens of some neighbouring heads, of [B, tokens, of, HS]. */
function tokensOf(
  { HS }: Shape,
  [first, count]: readonly [number, number],
  [head, heads]: readonly [number, number],
  of: number,
): Cut {
  const at = (i: number): number =>
    ((first + Math.floor(i / (heads * HS))) * of + head + (Math.floor(i / HS) % heads)) * HS + (i % HS);
  return { shape: [1, count, heads, HS], at };
}

/** One query of one head, on the keys that it sees. What the others rescale counts: `all` in the bounds. */
function queryPart(shape: Shape, names: readonly string[], b: number, h: number, t: number): Part {
  const { T, NH, S, NKV, heads } = shape;
  const seen = visibleKeys(t, T, S);
  const query = tokensOf(shape, [b * T + t, 1], [h, 1], NH);
  const keys = tokensOf(shape, [b * S, seen], [Math.floor(h / heads), 1], NKV);
  const lse = { shape: [1, 1, 1], at: () => (b * NH + h) * T + t };
  const cuts: Record<string, Cut> = { ...allAs(onQueries, query), ...allAs(onKeys, keys), lse };
  return { inputs: Object.fromEntries(names.map((name) => [name, cuts[name]])), outputs: {} };
}

/** Elements of y, lse or dq, by the queries to which they belong. */
const aroundQueries: Around = (problem, output, list) => {
  const shape = shapeOf(problem);
  const { T, NH, HS, S } = shape;
  const isLse = output === "lse";
  const length = isLse ? 1 : HS;
  const byQuery = new Map<number, number[]>();
  for (const i of list) {
    const row = Math.floor(i / length);
    byQuery.set(row, [...(byQuery.get(row) ?? []), i % length]);
  }
  const bound: Part["bound"] = ({ inputs }, target, errorsOf) =>
    output === "dq"
      ? queryGradientBound(inputs as Reals<GradientInput>, target, errorsOf(inputs), S)
      : forwardBound(inputs as Reals<"q" | "k" | "v">, {}, target, errorsOf(inputs), S);
  return Array.from(byQuery, ([row, keep]): Part => {
    const [outer, h, t] = isLse
      ? [Math.floor(row / T / NH), Math.floor(row / T) % NH, row % T]
      : [Math.floor(row / NH / T), row % NH, Math.floor(row / NH) % T];
    return {
      ...queryPart(shape, Object.keys(problem.inputs), outer, h, t),
      outputs: { [output]: (i) => row * length + i },
      keep: { [output]: keep },
      bound,
    };
  });
};

/** Elements of dk or dv, by the keys to which they belong. */
const aroundKeys: Around = (problem, output, list) => {
  const shape = shapeOf(problem);
  const { HS, S, NKV } = shape;
  const groups = new Map<number, Map<number, number[]>>();
  for (const i of list) {
    const row = Math.floor(i / HS); // of [B, S, NKV]
    const [group, key] = [Math.floor(row / NKV / S) * NKV + (row % NKV), Math.floor(row / NKV) % S];
    const keys = groups.get(group) ?? new Map<number, number[]>();
    groups.set(group, keys.set(key, [...(keys.get(key) ?? []), i % HS]));
  }
  return Array.from(groups, ([group, columns]) =>
    keyParts(problem, shape, [Math.floor(group / NKV), group % NKV], output, columns),
  ).flat();
};

/**
 * A part for each key of one group: the queries that see it are heads of one token, so that each sees the key, and their terms
 * add up. A kernel that recomputes lse or D does so from all keys, so the bounds come from the whole group; `least` does without.
 */
function keyParts(
  problem: Problem,
  shape: Shape,
  [b, group]: readonly [number, number],
  output: string,
  columns: ReadonlyMap<number, readonly number[]>,
): Part[] {
  const { T, NH, HS, S, NKV, heads } = shape;
  const keys = [...columns.keys()];
  const first = Math.max(0, smallest(keys) + T - S); // the first query that sees one of them
  const queries = tokensOf(shape, [b * T + first, T - first], [group * heads, heads], NH);
  const lse: Cut = {
    shape: [1, heads, T - first],
    at: (i) => (b * NH + group * heads + Math.floor(i / (T - first))) * T + first + (i % (T - first)),
  };
  const boundsFor = (target: Target, errorsOf: (inputs: Inputs) => Errors<string>): KeyBounds =>
    boundsOf(problem, target, `${b} ${group} ${keys.join()}`, () => {
      const onAll = tokensOf(shape, [b * S, S], [group, 1], NKV);
      const cuts = { ...allAs(onQueries, queries), ...allAs(onKeys, onAll), lse };
      const { inputs } = cutOut(problem, { inputs: cuts, outputs: {} });
      return keyGradientBound(inputs as Reals<GradientInput>, keys, target, errorsOf(inputs));
    });
  return keys.map((key, n): Part => {
    const since = Math.max(0, key + T - S);
    const count = heads * (T - since);
    const query = (i: number): readonly [number, number] => [since + (i % (T - since)), Math.floor(i / (T - since))];
    const asHeads: Cut = {
      shape: [1, 1, count, HS],
      at: (i) => {
        const [t, head] = query(Math.floor(i / HS));
        return ((b * T + t) * NH + group * heads + head) * HS + (i % HS);
      },
    };
    const own: Cut = { shape: [1, 1, 1, HS], at: (i) => ((b * S + key) * NKV + group) * HS + i };
    const statistic: Cut = {
      shape: [1, count, 1],
      at: (i) => {
        const [t, head] = query(i);
        return (b * NH + group * heads + head) * T + t;
      },
    };
    return {
      inputs: { ...allAs(onQueries, asHeads), ...allAs(onKeys, own), lse: statistic },
      outputs: { [output]: own.at },
      keep: { [output]: columns.get(key)! },
      bound: (_, target, errorsOf) => {
        const { data, centre } = boundsFor(target, errorsOf)[output as "dk" | "dv"];
        const keyOf = (all: Float64Array): Float64Array => all.slice(n * HS, (n + 1) * HS);
        const moved = centre !== undefined && { centre: keyOf(centre) };
        return { [output]: { data: keyOf(data), shape: own.shape, ...moved } };
      },
      least: ({ inputs }, target, errorsOf) =>
        leastKeyGradientBound(inputs as Reals<GradientInput>, target, errorsOf(inputs)),
    };
  });
}

type KeyBounds = Allowances<"dk" | "dv">;
const kept = new WeakMap<Problem, { readonly target: Target; readonly bounds: Map<string, KeyBounds> }>();

/** Bounds of some keys of a problem, taken once for dk and dv. */
function boundsOf(problem: Problem, target: Target, keys: string, take: () => KeyBounds): KeyBounds {
  let own = kept.get(problem);
  if (own?.target !== target) kept.set(problem, (own = { target, bounds: new Map() }));
  const bounds = own.bounds.get(keys) ?? take();
  own.bounds.set(keys, bounds);
  return bounds;
}

/** How attention's outputs are sampled: whole rows of y and dq, whole numbers of lse. */
export const querySampling: Sampling<"y" | "lse"> = {
  around: aroundQueries,
  draw: (problem, output, shape, seed) => {
    const { S, HS } = shapeOf(problem);
    return output === "lse" ? drawElements(output, shape, S * HS, seed) : drawRows(output, shape, S * HS, seed);
  },
  check: checkForward,
};

/** The same, and whole rows of dk and dv. */
export const gradientSampling: Sampling<"dq" | "dk" | "dv"> = {
  around: (problem, output, list) => (output === "dq" ? aroundQueries : aroundKeys)(problem, output, list),
  draw: (problem, output, shape, seed) => {
    const { S, HS } = shapeOf(problem);
    return output === "dq" ? drawRows(output, shape, 2 * S * HS, seed) : drawKeys(shapeOf(problem), seed);
  },
  check: checkBackward,
};

/** A key that few queries see, the last ones. */
const LATE = 16;

/**
 * What a kernel may recompute for a key's gradient depends on all queries that see it, and on all keys that those see. So in a few groups
 * of heads there is a key in each band, and in the others a late one.
 */
function drawKeys({ B, T, HS, S, NKV, heads }: Shape, seed: number): number[] {
  const drawn = (name: string, k: number, below: number): number => integer(seed, streamOf(`key ${name}`), k, below);
  const whole = Math.max(1, Math.floor(SAMPLE_WORK / (3 * heads * T * S * HS)));
  const first = drawn("group", 0, B * NKV);
  const keys: number[] = [];
  for (let n = 0; n < B * NKV; n++) {
    const group = (first + n) % (B * NKV);
    const row = (key: number): number => (Math.floor(group / NKV) * S + key) * NKV + (group % NKV);
    if (n >= whole) keys.push(row(S - 1 - drawn("late", n, Math.min(LATE, S))));
    else {
      for (let top = 0; top < S; top += BAND) keys.push(row(top + drawn(`band ${n}`, top, Math.min(BAND, S - top))));
    }
  }
  return keys.toSorted((a, b) => a - b).flatMap((row) => Array.from({ length: HS }, (_, i) => row * HS + i));
}
