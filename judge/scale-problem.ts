// The problem of which a fixture at scale holds samples, in whole or in part. No number of it is stored: each comes from the
// counter-based generator of reference/random.ts, which ten lines of any language repeat bit for bit.
import type { DTypeName } from "../reference/dtype.ts";
import { type Inputs, type Operation, outputShapes, type Scalars } from "../reference/operation.ts";
import { operations } from "../reference/ops/index.ts";
import { integer, normal, streamOf, uniform } from "../reference/random.ts";
import { type Floats, type Ints, sizeOf, type Tensor } from "../reference/tensor.ts";
import type { AtScale, Generated } from "./at-scale.ts";
import type { Problem, Sizes } from "./case.ts";
import type { JudgeRow } from "./row.ts";
import { roundProblem, roundScalars } from "./verdict.ts";

/**
 * The whole problem of a line with profile=scale; `dtype` as for a row's build. Throws RangeError where the op has no fixture
 * at scale, or none of these sizes.
 */
export function problemAtScale(row: JudgeRow, sizes: Sizes, seed: number, dtype: DTypeName): Problem {
  const entry = entryOf(row, sizes);
  const stored = entry.stored?.(seed) ?? {};
  const made = Object.entries(entry.inputs).flatMap(([name, generated]): [string, Tensor<Floats | Ints>][] => {
    if (generated.kind === "forward") return [];
    return [[name, stored[name] ?? wholeInput(name, generated, seed)]];
  });
  const operation = operations.get(row.op)!;
  const given = { inputs: Object.fromEntries(made), scalars: entry.scalars };
  const { inputs } = roundProblem(operation, given, dtype); // a forward leaves what follows from the inputs as they are stored
  const forwards = forwardsOf(entry, inputs, roundScalars(operation, entry.scalars));
  const all = { ...inputs, ...Object.fromEntries(forwards.flatMap(({ left }) => left)) };
  return {
    inputs: Object.fromEntries(Object.keys(operation.inputs).map((name) => [name, all[name]])),
    scalars: entry.scalars,
  };
}

/** How many numbers the inputs and outputs of a line with profile=scale have. Nothing is made. Throws RangeError as problemAtScale. */
export function numbersAtScale(operation: Operation, row: JudgeRow, sizes: Sizes): number {
  const { inputs, scalars } = entryOf(row, sizes);
  const like = Object.entries(inputs).map(([name, { shape }]) => [name, { data: new Float32Array(0), shape }]);
  const outputs = outputShapes(operation, Object.fromEntries(like) as Inputs, scalars);
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputs)];
  return shapes.reduce((n, shape) => n + sizeOf(shape), 0);
}

function entryOf({ op, atScale }: JudgeRow, sizes: Sizes): AtScale {
  if (atScale === undefined) throw new RangeError(`${op} has no fixture at scale, expected another profile`);
  return atScale.of(sizes);
}

/** The forward ops of the inputs of kind "forward", and what they leave for the other inputs, each element rounded once. */
export function forwardsOf(entry: AtScale, given: Inputs, scalars: Scalars) {
  const ops = [...new Set(Object.values(entry.inputs).flatMap(({ op }) => op ?? []))];
  return ops.map((op) => {
    const forward = operations.get(op)!;
    const inputs: Inputs = Object.fromEntries(Object.keys(forward.inputs).map((name) => [name, given[name]]));
    const outputs = Object.entries(forward.evaluate(inputs, scalars, Float32Array));
    return { forward, inputs, left: outputs.filter(([name]) => entry.inputs[name]?.op === op) };
  });
}

function wholeInput(name: string, generated: Generated, seed: number): Tensor<Floats | Ints> {
  const { kind, shape } = generated;
  const [n, stream] = [sizeOf(shape), streamOf(name)];
  const data = kind === "integer" ? new Int32Array(n) : new Float32Array(n);
  for (let i = 0; i < n; i++) data[i] = element(generated, seed, stream, i);
  return { data, shape };
}

/** Element i of a generated input. */
export function element({ kind, scale = 1, below = 1 }: Generated, seed: number, stream: number, i: number): number {
  if (kind === "normal") return scale * normal(seed, stream, i);
  return kind === "uniform" ? scale * uniform(seed, stream, i) : integer(seed, stream, i, below);
}
