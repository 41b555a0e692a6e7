// Small problems around elements of a large one: the same op on only those inputs on which the elements depend.
import { sizeOf, type Floats, type Ints, type Tensor } from "../reference/tensor.ts";
import { allAs, type Cut, gridOf, type Part, rowsOf } from "./at-scale.ts";
import type { Problem } from "./case.ts";

/** Small problems that together give the elements of `list`, flat indices of one output, ascending; made as they are taken. */
export type Around<Output extends string = string> = (
  problem: Problem,
  output: Output,
  list: readonly number[],
) => Iterable<Part>;

/** The small problem of a part, its inputs cut out of those of the large one. */
export function cutOut({ inputs, scalars, profile }: Problem, part: Part): Problem {
  const small = Object.entries(part.inputs).map(([name, cut]) => [name, take(inputs[name], cut as Cut)]);
  const cut = { inputs: Object.fromEntries(small), scalars: { ...scalars, ...part.scalars } };
  return profile === undefined ? cut : { ...cut, profile };
}

function take({ data: large }: Tensor<Floats | Ints>, cut: Cut): Tensor<Floats | Ints> {
  const { shape, at, value = (x) => x, isWide = false } = cut;
  const n = sizeOf(shape);
  const Kind = isWide ? Float64Array : (large.constructor as Float64ArrayConstructor);
  const data = large instanceof Int32Array ? new Int32Array(n) : new Kind(n);
  for (let i = 0; i < n; i++) data[i] = value(large[at(i)]);
  return { data, shape };
}

/** Each element depends on those at its own place in `inputs`, and on all of `others`. */
export const byElement =
  (inputs: readonly string[], others: readonly string[] = []): Around =>
  ({ inputs: given }, output, list) => {
    const shape = [...given[inputs[0]].shape.slice(1).map(() => 1), list.length];
    const at = (i: number): number => list[i];
    return [{ inputs: { ...allAs(inputs, { shape, at }), ...wholes(given, others) }, outputs: { [output]: at } }];
  };

/** Each row depends on its own row of `matrices`, and on all of `others`. Outputs in `perRow` have one number a row. */
export const byRow =
  (matrices: readonly string[], others: readonly string[] = [], perRow: readonly string[] = []): Around =>
  ({ inputs: given }, output, list) => {
    const width = given[matrices[0]].shape[1];
    const own = perRow.includes(output) ? 1 : width;
    const rows = [...new Set(list.map((i) => Math.floor(i / own)))];
    const place = new Map(rows.map((row, n) => [row, n]));
    return [
      {
        inputs: { ...allAs(matrices, rowsOf(rows, width)), ...wholes(given, others) },
        outputs: { [output]: (i) => rows[Math.floor(i / own)] * own + (i % own) },
        keep: { [output]: list.map((i) => place.get(Math.floor(i / own))! * own + (i % own)) },
      },
    ];
  };

/** A small problem for each row of an output that has `width` columns, for the elements of the list in that row. */
export function* eachRow<Input extends string, Output extends string>(
  width: number,
  list: readonly number[],
  part: (row: number, columns: readonly number[]) => Part<Input, Output>,
): Generator<Part<Input, Output>> {
  const rows = new Map<number, number[]>();
  for (const i of list) {
    const row = Math.floor(i / width);
    const columns = rows.get(row);
    if (columns === undefined) rows.set(row, [i % width]);
    else columns.push(i % width);
  }
  for (const [row, columns] of rows) yield part(row, columns);
}

/** Some numbers of one row. */
export const inRow = (row: number, columns: readonly number[], width: number): Cut => gridOf([row], columns, width);

function wholes(given: Problem["inputs"], names: readonly string[]): Record<string, Cut> {
  return Object.fromEntries(names.map((name) => [name, { shape: given[name].shape, at: (i: number) => i }]));
}
