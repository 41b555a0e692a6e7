// Inputs such as users have and no profile draws: one tensor made from another, or all of one sign. Sums of their products add up or cancel as those of independent numbers
// never do. A correct evaluation must be within its bound there, too; the second verdict is not asked.
import { type DTypeName, dtypes, round } from "../reference/dtype.ts";
import type { Operation } from "../reference/operation.ts";
import { bits, streamOf, uniform } from "../reference/random.ts";
import { type Floats, sizeOf, type Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import type { JudgeRow } from "./row.ts";
import { savedAgain } from "./saved.ts";

/** One tensor made from another: a matrix and itself, projections of a row on itself, gradients along the numbers that they are taken of. */
const related: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "add.forward": { b: "a" },
  "linear.forward": { w: "x" },
  "linear.backward": { x: "dy" },
  "rmsnorm.backward": { dy: "x" },
  "softmax.backward": { dy: "y" },
  "attention.forward": { k: "q", v: "q" },
  "attention.backward": { k: "q", v: "q", dy: "q" },
  "swiglu.forward": { up: "gate" },
  "swiglu.backward": { up: "gate", dy: "gate" },
  "adamw.forward": { m: "g" },
};
/** Inputs whose numbers are not free, but for those that a forward leaves. */
const kept: Readonly<Record<string, readonly string[]>> = {
  "softmax.backward": ["y"],
  "rope.forward": ["cos", "sin"],
  "rope.backward": ["cos", "sin"],
  "clip.forward": ["norm"],
  "adamw.forward": ["v"],
};

/** The problem with tensors alike, or opposite, each number but for 2⁻¹⁰ of itself; or with positive numbers alone. The same for the same seed. */
export function correlated(
  operation: Operation,
  row: JudgeRow,
  { inputs, scalars }: Problem,
  dtype: DTypeName,
  seed: number,
): Problem {
  const manner = (["alike", "opposite", "positive"] as const)[bits(seed, streamOf("correlated"), 0) % 3];
  const changed = { ...inputs };
  if (manner === "positive" || related[row.op] === undefined) {
    for (const [name, t] of Object.entries(inputs)) {
      if (t.data instanceof Int32Array || kept[row.op]?.includes(name) === true) continue;
      changed[name] = { data: t.data.map(Math.abs) as Floats, shape: t.shape };
    }
  } else {
    for (const [name, from] of Object.entries(related[row.op]))
      changed[name] = like(inputs[from] as Tensor, inputs[name].shape, manner === "alike" ? 1 : -1, seed, dtype);
  }
  return savedAgain(operation, row, { inputs: changed, scalars }, dtype);
}

/** A tensor of that shape whose rows are those of another, again and again. */
function like(from: Tensor, shape: readonly number[], sign: number, seed: number, dtype: DTypeName): Tensor {
  const [width, own] = [shape.at(-1) ?? 1, from.shape.at(-1) ?? 1];
  const rows = from.data.length / own;
  const at = (i: number): number => (Math.floor(i / width) % rows) * own + ((i % width) % own);
  const stream = streamOf("alike");
  const isEmpty = from.data.length === 0;
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    isEmpty ? 1 : round(sign * from.data[at(i)] * (1 + uniform(seed, stream, i) / 1024), dtypes[dtype]),
  );
  return { data, shape };
}
