// How a fixture at a real model's shapes is made: its inputs, and the numbers from which each sampled output is computed, as
// a small problem of the same op.
import type { Allowance, Errors } from "../reference/bounds.ts";
import type { Inputs, Scalars } from "../reference/operation.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Target } from "../reference/targets.ts";
import type { Tensor } from "../reference/tensor.ts";
import { type Problem, size, type Sizes } from "./case.ts";

/** The lengths of a model's axes; R = T rows, one sequence. */
export interface Lengths {
  readonly C: number;
  readonly F: number;
  readonly V: number;
  readonly NH: number;
  readonly HS: number;
  readonly T: number;
}

/**
 * How an input is made: element i is scale · normal(seed, stream, i), uniform likewise, or integer(seed, stream, i, below).
 * stored: it is in the file. forward: it is an output, of the same name, of the forward op on the other inputs; the kernel's
 * own output will do, because the bound holds for any correct one.
 */
export interface Generated {
  readonly kind: "normal" | "uniform" | "integer" | "stored" | "forward";
  readonly shape: readonly number[];
  /** A power of two, so that nothing is rounded. */
  readonly scale?: number;
  readonly below?: number;
  /** The op that gives it. */
  readonly op?: string;
}

/** A small input: its shape, where its element i lies in the large one, and how the number that lies there is changed. */
export interface Cut {
  readonly shape: readonly number[];
  readonly at: (i: number) => number;
  readonly value?: (x: number) => number;
  /** Whether changed numbers stay float64. */
  readonly isWide?: boolean;
}

/** A small problem of the same op that yields some of the large one's outputs. */
export interface Part<Input extends string = string, Output extends string = string> {
  /** The inputs, except those that a forward leaves. */
  readonly inputs: { readonly [name in Input]?: Cut };
  /** Where element i of a small output lies in the large one; this part does not compute the outputs that are left out. */
  readonly outputs: { readonly [name in Output]?: (i: number) => number };
  /** Which elements of a small output are sampled, where not all are. */
  readonly keep?: { readonly [name in Output]?: readonly number[] };
  /** Scalars that differ in the small problem. */
  readonly scalars?: Scalars;
  /** The allowances, if the small problem lacks numbers that a correct kernel may read; with the errors that the kernel declares. */
  readonly bound?: PartBound;
  /** Allowances that are not above those, and cost a fraction of them: what lies within is within the bound. */
  readonly least?: PartBound;
}

type PartBound = (
  problem: Problem,
  target: Target,
  errorsOf: (inputs: Inputs) => Errors<string>,
) => Readonly<Record<string, Allowance>>;

/** How a row's fixture at scale is made: the sizes of its case, and everything else from those. */
export interface ScaleRow<Input extends string = string, Output extends string = string, S = Scalars, Z = Sizes> {
  readonly sizes: (lengths: Lengths) => Z;
  /** The same for any sizes, so that a printed line gives the problem again. Throws RangeError where they cannot be at scale. */
  readonly of: (sizes: Sizes) => AtScale<Input, Output, S>;
}

export interface AtScale<Input extends string = string, Output extends string = string, S = Scalars> {
  readonly inputs: { readonly [name in Input]: Generated };
  /** The inputs of kind "stored", made of the others. */
  readonly stored?: (seed: number) => { readonly [name in Input]?: Tensor };
  readonly scalars: S;
  readonly parts: (seed: number) => readonly Part<Input, Output>[];
}

/** Sizes that must be lengths, by name. */
export function lengthsIn(sizes: Sizes, ...names: readonly string[]): number[] {
  return names.map((name) => size(sizes, name));
}

/** Samples of an op that works element by element. */
export const SAMPLES = 300;
/** Sampled rows and columns of a matrix: their outputs together are a few hundred. */
export const PER_AXIS = 17;
/** Samples of one long row. */
export const PER_ROW = 80;

/** `count` different indices below `below`, the last one among them, ascending. */
export function sampled(seed: number, name: string, count: number, below: number): number[] {
  const chosen = new Set([0, below - 1]);
  for (let i = 0; chosen.size < Math.min(count, below); i++)
    chosen.add(integer(seed, streamOf(`sample ${name}`), i, below));
  return [...chosen].toSorted((a, b) => a - b);
}

/** Rows of a matrix with `width` columns. */
export const rowsOf = (rows: readonly number[], width: number): Cut => ({
  shape: [rows.length, width],
  at: (i) => rows[Math.floor(i / width)] * width + (i % width),
});
/** Some rows and columns of it. */
export const gridOf = (rows: readonly number[], columns: readonly number[], width: number): Cut => ({
  shape: [rows.length, columns.length],
  at: (i) => rows[Math.floor(i / columns.length)] * width + columns[i % columns.length],
});
export const columnsOf = (columns: readonly number[], height: number, width: number): Cut =>
  gridOf([...Array(height).keys()], columns, width);
export const vectorOf = (indices: readonly number[]): Cut => ({ shape: [indices.length], at: (i) => indices[i] });
export const whole = (...shape: number[]): Cut => ({ shape, at: (i) => i });

/** Some rows and columns, of an op that takes matrices of one shape element by element. */
export function elementwise<Input extends string, Output extends string>(
  seed: number,
  [height, width]: readonly [number, number],
  inputs: readonly Input[],
  outputs: readonly Output[],
): Part<Input, Output>[] {
  const grid = gridOf(sampled(seed, "row", PER_AXIS, height), sampled(seed, "column", PER_AXIS, width), width);
  return [{ inputs: allAs(inputs, grid), outputs: allAs(outputs, grid.at) }];
}

/** The same value under each of these names. */
export function allAs<Name extends string, V>(names: readonly Name[], value: V): { readonly [name in Name]: V } {
  return Object.fromEntries(names.map((name) => [name, value])) as { readonly [name in Name]: V };
}
