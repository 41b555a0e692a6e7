// Faults that begin at a size: where they begin, what a kernel then gives, and whether the cases of a check show it.
import type { Candidate } from "../reference/candidate.ts";
import { formats, round, truncate } from "../reference/dtype.ts";
import type { Inputs, Operation, Outputs } from "../reference/operation.ts";
import { sizeOf, type Tensor } from "../reference/tensor.ts";
import { targets } from "../reference/targets.ts";
import { buildCase, comparing } from "../judge/campaign.ts";
import type { Case, Problem, Sizes } from "../judge/case.ts";
import type { Chosen } from "../judge/choose.ts";
import { correctEvaluations } from "../judge/examination.ts";
import { measureProbe } from "../judge/precision.ts";
import type { ProbeFinding } from "../judge/probe-draws.ts";
import { precisionProbes } from "../judge/probes.ts";
import { precisionOf, type SeenOutput } from "../judge/regimes.ts";
import { roundProblem } from "../judge/verdict.ts";

export const GATES = [16, 32, 64, 128, 256, 1024, 2048];
/** The last gate along three axes at once. */
const MOST_OF_THREE = 256;
const TILE = 16;
const terms = { target: targets.wgsl, dtype: "float32" } as const;

/** The axes along which a fault begins, and where. */
export interface Gate {
  readonly axes: readonly string[];
  readonly at: number;
}

/** Gates along each axis, each pair, and each three, as far as an axis goes. */
export function gatesOf({ spec }: Chosen): Gate[] {
  const axes = Object.entries(spec.large?.axes ?? {}).map(([axis, most]) => {
    return { axis, most: typeof most === "number" ? most : (most as readonly number[]).at(-1)! };
  });
  const subsets: (typeof axes)[] = [];
  for (const [i, a] of axes.entries()) {
    subsets.push([a]);
    for (const [j, b] of axes.entries()) {
      if (j > i) subsets.push([a, b], ...axes.slice(j + 1).map((c) => [a, b, c]));
    }
  }
  return subsets.flatMap((subset) =>
    GATES.filter((at) => (subset.length < 3 || at <= MOST_OF_THREE) && subset.every(({ most }) => most >= at)).map(
      (at) => ({ axes: subset.map(({ axis }) => axis), at }),
    ),
  );
}

export function isBeyond({ axes, at }: Gate, sizes: Sizes): boolean {
  return axes.every((axis) => Number(sizes[axis]) >= at);
}

/** What a kernel does beyond its gate; undefined where the op gives it nothing to do. */
type Fault = (operation: Operation, problem: Problem, right: Outputs) => Outputs | undefined;

export const faults = {
  zeros: (_, __, right) => changed(right, () => 0),
  "stale tile": (_, __, right) =>
    changed(right, (data, i, n) => (i >= n - TILE ? data[Math.max(0, i - TILE)] : data[i])),
  "last slice dropped": withoutLast,
  "TF32 inputs": (operation, problem) => inTf32(operation, problem, round),
  "TF32 inputs, truncated": (operation, problem) => inTf32(operation, problem, truncate),
} as const satisfies Record<string, Fault>;
export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];

function changed(outputs: Outputs, value: (data: Tensor["data"], i: number, n: number) => number): Outputs {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, shape }]) => [
      name,
      { data: Float32Array.from(data, (_, i) => value(data, i, data.length)), shape },
    ]),
  );
}

/** The op without the last sixteenth of the first input's last axis. */
function withoutLast(operation: Operation, { inputs, scalars }: Problem): Outputs | undefined {
  const name = realInputs(operation, inputs).find((one) => sizeOf(inputs[one].shape) > 1);
  if (name === undefined) return undefined;
  const { data, shape } = inputs[name];
  const last = shape.at(-1)!;
  const kept = last - Math.ceil(last / TILE);
  const short = Float32Array.from(data, (x, i) => (i % last < kept ? x : 0));
  return operation.evaluate({ ...inputs, [name]: { data: short, shape } }, scalars, Float32Array);
}

function inTf32(operation: Operation, { inputs, scalars }: Problem, narrow: typeof round): Outputs | undefined {
  const real = realInputs(operation, inputs);
  if (real.length === 0) return undefined;
  const low = real.map((name): [string, Tensor] => {
    const { data, shape } = inputs[name];
    return [name, { data: Float32Array.from(data, (x) => narrow(x, formats.tf32)), shape }];
  });
  return operation.evaluate({ ...inputs, ...Object.fromEntries(low) }, scalars, Float32Array);
}

function realInputs({ integers }: Operation, inputs: Inputs): string[] {
  return Object.keys(inputs).filter((name) => !integers.includes(name));
}

/** What became of one fault behind one gate. */
export interface Planted {
  readonly gate: Gate;
  readonly fault: FaultName;
  readonly outcome: "rejected" | "named" | "missed";
}

/**
 * Whether the cases show each fault, or the probes name it. Only those beyond a gate can; each is evaluated once. Faults that
 * change nothing of an op are left out.
 */
export async function plantAll(
  chosen: Chosen,
  gates: readonly Gate[],
  cases: readonly Case[],
  names: readonly FaultName[] = faultNames,
): Promise<Planted[]> {
  const { operation, spec } = chosen;
  const open = new Map(names.map((name) => [name, new Set(gates)]));
  const possible = new Set<FaultName>();
  for (const c of cases) {
    const beyond = (gate: Gate): boolean => isBeyond(gate, c.sizes);
    const left = names.filter((name) => [...open.get(name)!].some(beyond));
    if (left.length === 0) continue;
    const problem = roundProblem(operation, buildCase(spec, c), "float32");
    const right = operation.evaluate(problem.inputs, problem.scalars, Float32Array);
    const compare = comparing(spec, c)(operation, problem, terms);
    for (const name of left) {
      const wrong = faults[name](operation, problem, right);
      if (wrong === undefined || isSame(wrong, right)) continue;
      possible.add(name);
      const isRejected = Object.entries(wrong).some(([output, got]) => compare(output, got).outside > 0);
      if (isRejected) for (const gate of [...open.get(name)!].filter(beyond)) open.get(name)!.delete(gate);
    }
  }
  const planted: Planted[] = [];
  for (const name of names.filter((one) => possible.has(one))) {
    const outcomes = await examined(chosen, name, [...open.get(name)!]);
    for (const gate of gates) planted.push({ gate, fault: name, outcome: outcomes.get(gate) ?? "rejected" });
  }
  return planted;
}

function isSame(a: Outputs, b: Outputs): boolean {
  return Object.keys(b).every((name) => a[name].data.every((x, i) => Object.is(x, b[name].data[i])));
}

/** What the probes that lie beyond each gate say of a fault: outside a bound there, or of another precision than float32. */
async function examined(
  { operation, spec }: Chosen,
  name: FaultName,
  gates: readonly Gate[],
): Promise<Map<Gate, Planted["outcome"]>> {
  const setup = { ...terms, operation, spec, evaluations: correctEvaluations(operation), seed: 1 };
  const probes = precisionProbes(spec).filter(({ sizes }) => gates.some((gate) => isBeyond(gate, sizes)));
  const candidate: Candidate = {
    name,
    run: async (inputs, scalars) => {
      const right = operation.evaluate(inputs, scalars, Float32Array);
      return { outputs: faults[name](operation, { inputs, scalars }, right) ?? right, complaints: [] };
    },
  };
  const seen: { readonly sizes: Sizes; readonly outputs: readonly SeenOutput[]; readonly isOutside: boolean }[] = [];
  for (const probe of probes) {
    const findings: ProbeFinding[] = [];
    const outputs = await measureProbe(candidate, probe, setup, findings);
    seen.push({ sizes: probe.sizes, outputs, isOutside: findings.length > 0 });
  }
  return new Map(
    gates.map((gate) => {
      const beyond = seen.filter(({ sizes }) => isBeyond(gate, sizes));
      if (beyond.some(({ isOutside }) => isOutside)) return [gate, "rejected"];
      const classes = precisionOf(beyond.flatMap(({ outputs }) => outputs), setup); // prettier-ignore
      const words = classes.flatMap(({ regimes }) => regimes.flatMap((one) => [one.class, ...one.between]));
      const isNamed = words.some((word) => word.includes("tf32"));
      return [gate, isNamed ? "named" : "missed"];
    }),
  );
}
