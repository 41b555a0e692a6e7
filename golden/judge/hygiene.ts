// What a candidate does beside its numbers: whether two runs agree, and what becomes of NaN and infinity.
//
// That its inputs stay, that every output element is written and nothing beyond them, is complained of in every case by the
// candidate itself (a device's guards) and by the judge.
import type { Inputs, Operation, Outputs } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { formatCase, type Problem } from "../cases/case.ts";
import { indexOf } from "./compare.ts";
import { ordinary, Run, type Trial } from "./relations/relation.ts";
import { truth } from "./verdict.ts";

export interface Hygiene {
  /** Whether two runs on the same inputs, with another between them, gave the same bits. */
  readonly repeatable: boolean;
  /** Inputs whose NaN (or infinity) some output should show and does not, each with where: "x → y[0,3]". */
  readonly swallowed: readonly string[];
  /** Inputs whose NaN reaches an output that does not depend on it; of infinities this is not asked. */
  readonly spread: readonly string[];
  /** Masked keys and ignored rows whose NaN reaches what they are hidden from: 0 · NaN is NaN, so it is no fault. */
  readonly leaked: readonly string[];
  readonly findings: readonly string[];
  readonly notes: readonly string[];
}

/** Throws what the candidate throws. */
export async function inspectHygiene(trial: Trial): Promise<Hygiene> {
  const { operation, target, deterministic } = trial;
  const problem = ordinary(trial);
  const findings: string[] = [];
  const notes: string[] = [];
  const line = formatCase({ op: trial.spec.op, sizes: trial.sizes, profile: "unit", seed: trial.seed });

  const first = await Run.of(trial, problem);
  await Run.of(trial, ordinary(trial, trial.seed + 1));
  const second = await Run.of(trial, problem);
  const changed = firstDifference(operation, first.outputs, second.outputs);
  if (changed !== undefined) {
    (deterministic ? findings : notes).push(`${line}: a second run on the same inputs gave another ${changed}`);
  }

  const swallowed: string[] = [];
  const spread: string[] = [];
  for (const [poison, value] of [
    ["NaN", NaN],
    ["infinity", Infinity],
  ] as const) {
    for (const input of poisoned(operation)) {
      const place = visiblePlace(operation, input, problem);
      if (place === undefined) continue;
      const given = withNumbers(problem, input, [place], value);
      const want = truth(operation, given);
      const { outputs } = await Run.of(trial, given);
      const lost = firstWhere(operation, want, outputs, (w, g) => !Number.isFinite(w) && Number.isFinite(g));
      if (lost !== undefined) swallowed.push(`${poison} in ${input} → ${lost}`);
      // An infinity may well pass through ∞ − ∞ or 0 · ∞ in one correct form and not in another.
      if (value === Infinity) continue;
      const reached = firstWhere(operation, want, outputs, (w, g) => Number.isFinite(w) && !Number.isFinite(g));
      if (reached !== undefined) spread.push(`${poison} in ${input} → ${reached}`);
    }
  }
  const judged = target.promisesNonFinite ? findings : notes;
  judged.push(...swallowed.map((where) => `${line}: not passed on: ${where}`));
  judged.push(...spread.map((where) => `${line}: reaches what does not depend on it: ${where}`));

  const leaked: string[] = [];
  for (const { input, places, given } of hidden(operation, problem)) {
    const poison = withNumbers(given, input, places, NaN);
    const want = truth(operation, poison);
    const { outputs } = await Run.of(trial, poison);
    const reached = firstWhere(operation, want, outputs, (w, g) => Number.isFinite(w) && !Number.isFinite(g));
    if (reached !== undefined) leaked.push(`NaN in what is masked of ${input} → ${reached}`);
  }
  notes.push(...leaked.map((where) => `${line}: leaks: ${where}`));
  return { repeatable: changed === undefined, swallowed, spread, leaked, findings, notes };
}

/** Inputs of real numbers, but for those that a correct kernel may compute anew instead of reading them. */
function poisoned({ name, inputs, integers }: Operation): string[] {
  const anew = { "attention.backward": ["y", "lse"], "cross-entropy.backward": ["lse"] }[name] ?? [];
  return Object.keys(inputs).filter((input) => !integers.includes(input) && !anew.includes(input));
}

/** The flat index of a number that some output shows. */
function visiblePlace({ name }: Operation, input: string, { inputs, scalars }: Problem): number | undefined {
  if (inputs[input].data.length === 0) return undefined;
  if (name === "embedding.forward") return inputs.tokens.data[0] * inputs.w.shape[1];
  if (name.startsWith("cross-entropy") && input === "logits") {
    const row = inputs.targets.data.findIndex((target) => target !== scalars.ignoreIndex);
    return row < 0 ? undefined : row * inputs.logits.shape[1];
  }
  return 0;
}

/** What some outputs must not see: the last key, which only the last query sees; the logits of an ignored row. */
function hidden({ name }: Operation, problem: Problem): { input: string; places: number[]; given: Problem }[] {
  const { inputs, scalars } = problem;
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  if (name === "attention.forward") {
    const size = inputs.k.data.length / inputs.k.shape[0];
    const last = range(size - size / inputs.k.shape[1], size); // of the first batch
    return ["k", "v"].map((input) => ({ input, places: last, given: problem }));
  }
  if (name.startsWith("cross-entropy")) {
    const row = inputs.targets.data.findIndex((target) => target === scalars.ignoreIndex);
    const V = inputs.logits.shape[1];
    if (row >= 0) return [{ input: "logits", places: range(row * V, row * V + V), given: problem }];
  }
  return [];
}

function withNumbers({ inputs, scalars }: Problem, input: string, places: readonly number[], value: number): Problem {
  const t: Tensor<Floats | Ints> = inputs[input];
  const data = t.data.slice();
  for (const place of places) data[place] = value;
  return { inputs: { ...inputs, [input]: { data, shape: t.shape } } as Inputs, scalars };
}

/** Such as "y[0,3]: 1 and then 2". −0 equals +0, and any NaN any other. */
function firstDifference(operation: Operation, a: Outputs, b: Outputs): string | undefined {
  for (const output of Object.keys(operation.outputs)) {
    const [left, right] = [a[output].data, b[output].data];
    for (let i = 0; i < left.length; i++) {
      if (left[i] === right[i] || (Number.isNaN(left[i]) && Number.isNaN(right[i]))) continue;
      return `${output}[${indexOf(i, a[output].shape).join(",")}]: ${left[i]} and then ${right[i]}`;
    }
  }
  return undefined;
}

function firstWhere(
  operation: Operation,
  want: Outputs,
  got: Outputs,
  holds: (want: number, got: number) => boolean,
): string | undefined {
  for (const output of Object.keys(operation.outputs)) {
    const [w, g] = [want[output].data, got[output].data];
    for (let i = 0; i < w.length; i++) {
      if (holds(w[i], g[i])) return `${output}[${indexOf(i, want[output].shape).join(",")}] is ${g[i]}`;
    }
  }
  return undefined;
}
