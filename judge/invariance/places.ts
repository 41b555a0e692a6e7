// Some places along an axis, among others: alone, in batches of any number, first and last, at every place, next to zeros. Places
// along these axes do not see each other, so nothing of that changes what comes out for them.
import { dtypes, ulp } from "../../reference/dtype.ts";
import { axesOf, type Inputs, type Operation, type Outputs, storageOf } from "../../reference/operation.ts";
import { largest } from "../../reference/lists.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import type { Problem, Sizes } from "../case.ts";
import type { Independence } from "../relations/independence.ts";
import { savedAgain } from "../saved.ts";
import { cut, gather, lengthsOf, ordinary, type Orders, type Trial } from "../relations/relation.ts";
import { allowedAt, countOf, range } from "./allowed.ts";
import { type Caller, type Computed, type Family } from "./family.ts";
import { extended } from "./padding.ts";

/** The kept places give at least so many numbers, if there are as many places: one number may have the same bits by chance. */
const ENOUGH = 16;
/** Other places that the batches are made of. */
const OTHERS = 7;

/** The steps of an axis, given as numbers of places. */
export interface Steps {
  readonly numbers: readonly number[];
  /** The number of places among which each place is tried. */
  readonly among: number | undefined;
}

/** The families of an axis, or of axes that go together: a key/value head and its query heads. */
export function placesOf(caller: Caller, one: Independence, sizes: Sizes, { numbers, among }: Steps): Family[] {
  const batches = new Batches(caller, one, sizes);
  const axis = one.axes[0];
  const shared = {
    outputs: one.outputs,
    sizes: without(sizes, axis),
    along: axis,
    allowed: (_: number, got: Outputs) => batches.allowed(got),
  };
  const { kept } = batches;
  const [first, its] = kept === 1 ? ["the first", "its"] : [`the first ${kept}`, "their"];
  const blocks = among === undefined ? 0 : Math.floor(among / kept);
  const place = blocks === 0 ? `place in ${axis}` : `place among ${blocks * kept} of ${axis}`;
  return [
    {
      ...shared,
      name: `number of ${axis}`,
      counts: axis,
      statement: `How many there are along ${axis} changes no bit of ${first} of them.`,
      bits: "promised",
      steps: numbers,
      isDense: true,
      at: async (n) => ({ got: (await batches.run(n)).first }),
    },
    {
      ...shared,
      name: `number of ${axis}, the last`,
      counts: axis,
      statement: `How many there are along ${axis} changes no bit of the last of them.`,
      bits: "promised",
      steps: numbers.filter((n) => n === 1 || n >= 2 * kept),
      isDense: true,
      at: async (n) => ({ got: (await batches.run(n)).last }),
    },
    {
      ...shared,
      name: place,
      counts: `place in ${axis}`,
      statement: `The place along ${axis} changes no bit of what is there.`,
      bits: "promised",
      steps: range(0, blocks).map((block) => block * kept),
      isDense: false,
      at: (step) => batches.place(step, blocks * kept),
    },
    {
      ...shared,
      name: `${axis} filled with zeros`,
      counts: axis,
      statement: `Zeros elsewhere along ${axis}, in place of numbers, change no bit of ${first} and of ${its} own outputs.`,
      bits: "kept",
      steps: numbers.filter((n) => n > kept && ZEROS.has(n)),
      isDense: false,
      at: (n) => batches.zeros(n),
    },
  ];
}

const ZEROS: ReadonlySet<number> = new Set([2, 7, 8, 64, 65, 129]);

export function without(sizes: Sizes, axis: string): Sizes {
  return Object.fromEntries(Object.entries(sizes).filter(([name]) => name !== axis));
}

/** Batches of any number, made of a few places: those that are compared, at the beginning and at the end, and others between them. */
class Batches {
  /** How many places are compared. */
  readonly kept: number;
  private readonly caller: Caller;
  private readonly one: Independence;
  private readonly base: Problem;
  private readonly lengths: ReadonlyMap<string, number>;
  private readonly runs = new Map<number, { readonly first: Outputs; readonly last: Outputs }>();
  private copies: Outputs | undefined;

  constructor(caller: Caller, one: Independence, sizes: Sizes) {
    const { operation } = caller.trial;
    const axis = one.axes[0];
    const single = ordinary({ ...caller.trial, sizes: { ...sizes, [axis]: 1 } });
    const lengths = lengthsOf(operation, single);
    const numbers = one.outputs.map((output) => Math.max(1, countOf(operation, output, lengths)));
    this.kept = Math.ceil(ENOUGH / Math.min(ENOUGH, largest(numbers)));
    this.caller = caller;
    this.one = one;
    this.base = ordinary({ ...caller.trial, sizes: { ...sizes, [axis]: this.kept + OTHERS } });
    this.lengths = lengthsOf(operation, this.base);
  }

  /** The first places and the last ones of n; the same places, as far as there are so many. */
  async run(n: number): Promise<{ readonly first: Outputs; readonly last: Outputs }> {
    const known = this.runs.get(n);
    if (known !== undefined) return known;
    const { kept } = this;
    const places = range(0, n).map((i) => (i < kept ? i : kept + ((i - kept) % OTHERS)));
    const ends = n >= 2 * kept ? kept : 0;
    for (let i = 0; i < ends; i++) places[n - ends + i] = i;
    const outputs = await this.caller.run(this.at(places));
    const last = ends === 0 ? range(0, Math.min(n, kept)) : range(n - ends, ends);
    const found = { first: this.take(outputs, range(0, Math.min(n, kept))), last: this.take(outputs, last) };
    this.runs.set(n, found);
    return found;
  }

  /** What comes out at a place of a batch that repeats the kept places. */
  async place(place: number, among: number): Promise<Computed> {
    const { kept, caller } = this;
    this.copies ??= await caller.run(this.at(range(0, among).map((i) => i % kept)));
    return { got: this.take(this.copies, range(place, kept)) };
  }

  /** The kept places among zeros, and among other numbers. */
  async zeros(n: number): Promise<Computed> {
    const { kept, caller } = this;
    const { operation } = caller.trial;
    const alone = this.at(range(0, kept));
    const counts = this.one.axes.map((axis) => [axis, n * this.share(axis)] as const);
    const inputs = Object.entries(alone.inputs).map(([name, t]) => {
      const spec = operation.inputs[name];
      return [name, counts.reduce((longer, [axis, length]) => filled(longer, spec, axis, length), t)];
    });
    const lengths = Object.fromEntries(counts.filter(([axis]) => operation.scalars[axis] === "axis"));
    const problem = { inputs: Object.fromEntries(inputs) as Inputs, scalars: { ...alone.scalars, ...lengths } };
    const got = await caller.run(again(caller.trial, problem));
    return { got: this.take(got, range(0, kept)), want: (await this.run(n)).first };
  }

  /** The kept places alone are the small problem of each. */
  allowed(got: Outputs): ReturnType<Family["allowed"]> {
    const { caller, one } = this;
    const { operation } = caller.trial;
    return (output, list) => {
      const axis = one.axes.find((own) => axesOf(operation.outputs[output]).includes(own))!;
      const length = got[output].shape[axesOf(operation.outputs[output]).indexOf(axis)];
      const problem = this.at(range(0, length / this.share(axis)));
      return doubled(caller.trial, got, output, allowedAt(caller.trial, problem, output, list));
    };
  }

  private at(places: readonly number[]): Problem {
    return cut(this.caller.trial.operation, this.base, this.orders(places));
  }

  private take(outputs: Outputs, places: readonly number[]): Outputs {
    return taken(this.caller.trial.operation, outputs, this.one.outputs, this.orders(places));
  }

  /** The same places of every axis that goes with the first. */
  private orders(places: readonly number[]): Orders {
    return Object.fromEntries(
      this.one.axes.map((axis) => {
        const share = this.share(axis);
        return [axis, places.flatMap((place) => range(place * share, share))];
      }),
    );
  }

  /** Places of an axis for each place of the first one. */
  private share(axis: string): number {
    return this.lengths.get(axis)! / this.lengths.get(this.one.axes[0])!;
  }
}

/** What a forward saved belongs to the new places too: of a row of zeros, rstd is 1 / √eps. */
export function again({ operation, spec, dtype }: Trial, problem: Problem): Problem {
  return savedAgain(operation, spec, problem, dtype);
}

/** Zeros after the end; ids, which must be valid, are those of the first place. */
function filled(t: Inputs[string], spec: string, axis: string, length: number): Inputs[string] {
  return extended(t, spec, axis, length, t.data instanceof Int32Array ? t.data[0] : 0);
}

/** Some outputs at those places. */
export function taken(
  { outputs: specs }: Operation,
  outputs: Outputs,
  names: readonly string[],
  orders: Orders,
): Record<string, Tensor> {
  return Object.fromEntries(names.map((name) => [name, gather<Floats>(outputs[name], specs[name], orders)]));
}

/** What two runs may differ by, each within its allowance and the last rounding of a low dtype. */
export function doubled(
  { operation, dtype }: Pick<Trial, "operation" | "dtype">,
  got: Outputs,
  output: string,
  allowed: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  const format = dtypes[storageOf(operation, output, dtype)];
  const rounding = (i: number): number => (format.name === "float32" ? 0 : ulp(got[output].data[i], format));
  return new Map(Array.from(allowed, ([i, allowance]) => [i, 2 * (allowance + rounding(i))]));
}
