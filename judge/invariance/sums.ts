// Sums of another length, and sums in parts: the axis with neutral numbers after its end, and split over ranks whose parts are added in
// float32, in the order of the ranks, as tensor and data parallelism do. Kernels add in another order there, so no bits are expected.
import { type DType, dtypes, ulp } from "../../reference/dtype.ts";
import { type Outputs, storageOf } from "../../reference/operation.ts";
import { sizeOf, type Tensor } from "../../reference/tensor.ts";
import type { Problem, Sizes } from "../case.ts";
import { cut, ordinary } from "../relations/relation.ts";
import { allowedAt, range } from "./allowed.ts";
import type { Caller, Family } from "./family.ts";
import { padded, type Padding } from "./padding.ts";
import { again, doubled, taken } from "./places.ts";

const RANKS = [1, 2, 4, 8];

/** Lengths that an axis is padded to: the next multiples of tiles and vectors, and twice as long. */
export function paddedLengths(length: number): number[] {
  const multiples = [8, 16, 32, 64, 128, 256, 512].map((tile) => tile * Math.ceil(length / tile));
  return [...new Set([length, length + 1, ...multiples, 2 * length])].toSorted((a, b) => a - b);
}

export function paddedOf(caller: Caller, padding: Padding, sizes: Sizes, lengths: readonly number[]): Family {
  const { operation } = caller.trial;
  const { axis, outputs } = padding;
  const base = ordinary({ ...caller.trial, sizes });
  const own = Number(sizes[axis]);
  const places = { [axis]: range(0, own) };
  return {
    name: `${axis} padded from ${own}`,
    counts: axis,
    outputs,
    sizes,
    statement: `Numbers after the end of ${axis} that change no exact result change no bit of ${outputs.join(", ")}.`,
    bits: "free",
    steps: lengths,
    isDense: true,
    at: async (n) => {
      const got = await caller.run(n === own ? base : again(caller.trial, padded(operation, base, padding, n)));
      return { got: taken(operation, got, outputs, n === own ? {} : places) };
    },
    allowed: (_, got) => (output, list) =>
      doubled(caller.trial, got, output, allowedAt(caller.trial, base, output, list)),
  };
}

export function ranksOf(caller: Caller, { axis, outputs }: Padding, sizes: Sizes): Family {
  const { trial } = caller;
  const { operation } = trial;
  const base = ordinary({ ...trial, sizes });
  const length = Number(sizes[axis]);
  const parts = (ranks: number): Problem[] =>
    range(0, ranks).map((rank) => {
      const from = Math.floor((rank * length) / ranks);
      const end = Math.floor(((rank + 1) * length) / ranks);
      return cut(operation, base, { [axis]: range(from, end - from) });
    });
  /** What the additions and the roundings of parts lost, by the number of ranks. */
  const lost = new Map<number, Readonly<Record<string, Float64Array>>>();
  const run = async (ranks: number): Promise<Outputs> => {
    const list: Outputs[] = [];
    for (const part of parts(ranks)) list.push(taken(operation, await caller.run(part), outputs, {}));
    const sums = outputs.map((name) => {
      const each = list.map((part) => part[name]);
      return [name, added(each, dtypes[storageOf(operation, name, trial.dtype)])] as const;
    });
    lost.set(ranks, Object.fromEntries(sums.map(([name, sum]) => [name, sum.lost])));
    return Object.fromEntries(sums.map(([name, { total }]) => [name, total]));
  };
  return {
    name: `${axis} split over ranks`,
    counts: "ranks",
    outputs,
    sizes,
    statement: `Parts of ${axis} = ${length} on ranks, added in float32, give the bits of the whole sum.`,
    bits: "free",
    steps: RANKS.filter((ranks) => ranks <= length),
    isDense: false,
    at: async (ranks) => ({ got: await run(ranks) }),
    allowed: (ranks) => (output, list) => {
      const terms = [base, ...parts(ranks)].map((problem) => allowedAt(trial, problem, output, list));
      const additions = (i: number): number => lost.get(1)![output][i] + lost.get(ranks)![output][i];
      const known = list.filter((i) => terms.every((term) => term.has(i)));
      return new Map(known.map((i) => [i, terms.reduce((sum, term) => sum + term.get(i)!, additions(i))]));
    },
  };
}

/** Float32, one after another; and how far that is from the sum of what the ranks would have, had none rounded its part to its format. */
export function added(
  parts: readonly Tensor[],
  format: DType,
): { readonly total: Tensor; readonly lost: Float64Array } {
  const sum = new SumOfParts(parts[0].shape, format);
  for (const part of parts) sum.add(part);
  return { total: sum.total, lost: sum.lost };
}

/** A sum that is taken as its parts come. */
export class SumOfParts {
  readonly total: Tensor<Float32Array>;
  private readonly format: DType;
  /** A few float32 numbers, in a double. */
  private readonly exact: Float64Array;
  /** What the parts' own roundings were at most: a number rounded to nearest is off by half a unit in its last place. */
  private readonly rounded: Float64Array;

  constructor(shape: readonly number[], format: DType) {
    const length = sizeOf(shape);
    this.total = { data: new Float32Array(length), shape };
    this.format = format;
    this.exact = new Float64Array(length);
    this.rounded = new Float64Array(length);
  }

  add({ data }: Tensor): void {
    const { total, exact, rounded, format } = this;
    for (let i = 0; i < data.length; i++) {
      total.data[i] = Math.fround(total.data[i] + data[i]);
      exact[i] += data[i];
      if (format.name !== "float32") rounded[i] += ulp(data[i], format);
    }
  }

  get lost(): Float64Array {
    return this.exact.map((x, i) => Math.abs(this.total.data[i] - x) + this.rounded[i]);
  }
}
