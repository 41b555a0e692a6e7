// Queries and the keys that they see: all at once, in pieces, one at a time with a longer and longer cache. A query sees the keys up
// to its own place, counted from the end, so it sees the same ones each time.
import { axesOf, type Operation, type Outputs } from "../../reference/operation.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import type { Problem, Sizes } from "../case.ts";
import { cut, lengthsOf, ordinary, type Trial } from "../relations/relation.ts";
import { allowedAt, range } from "./allowed.ts";
import type { Caller, Computed, Family } from "./family.ts";
import { keyGradientsOf } from "./key-gradients.ts";
import { doubled, taken } from "./places.ts";

/** Lengths of pieces: those that servers use, and one that no tile divides. */
const PIECES = [1, 7, 16, 32, 33, 64, 100, 128, 256, 512, 1024, 2048];
/** A prefill is cut into so many pieces at most. */
const MOST_PIECES = 18;

/** The families of queries, of which `outputs` have one row each. */
export function queriesOf(
  caller: Caller,
  outputs: readonly string[],
  sizes: Sizes,
  steps: readonly number[],
  admits: (sizes: Sizes) => boolean,
): Family[] {
  const { operation } = caller.trial;
  const queries = new Queries(caller, outputs, sizes);
  const { T, S } = queries;
  const before = S - T; // keys before the first query
  const shared = { outputs, sizes, bits: "promised", isDense: true } as const;
  const doubledAt = (problem: Problem, got: Outputs): ReturnType<Family["allowed"]> => {
    return (output, list) => doubled(caller.trial, got, output, allowedAt(caller.trial, problem, output, list));
  };
  const upTo = steps.filter((n) => n < T);
  const isAdmitted = (queriesAtOnce: number, keys: number): boolean => admits({ ...sizes, T: queriesAtOnce, S: keys });
  const arePieces = (n: number): boolean =>
    range(0, Math.ceil(T / n)).every((i) => {
      const end = Math.min(T, (i + 1) * n);
      return isAdmitted(end - i * n, before + end);
    });
  const atOnce = [...upTo, T].filter((n) => isAdmitted(n, S));
  const pieces = [...PIECES.filter((n) => n < T && Math.ceil(T / n) <= MOST_PIECES && arePieces(n)), T];
  const gradients = keyGradientsOf(queries, sizes, compared(pieces));
  return [
    {
      ...shared,
      name: "number of queries",
      counts: "T",
      statement: `How many queries come at once changes no bit of the last one, which sees all ${S} keys.`,
      steps: compared(atOnce),
      at: async (n) => ({ got: queries.last(n === T ? await queries.whole() : await queries.run(T - n, n)) }),
      allowed: (_, got) => doubledAt(queries.problem(T - 1, 1), got),
    },
    {
      ...shared,
      name: "one query",
      counts: "keys",
      statement: `A query with the keys that it sees gives the bits that it gives among ${T} queries.`,
      steps: [...upTo, T].map((n) => before + n).filter((keys) => isAdmitted(1, keys)),
      at: (keys) => queries.compare(keys - before - 1, 1),
      allowed: (keys, got) => doubledAt(queries.problem(keys - before - 1, 1), got),
    },
    {
      ...shared,
      name: "without later queries",
      counts: "T",
      statement: `The first queries, with the keys that they see, give the bits that they give with those after them.`,
      steps: upTo.filter((n) => isAdmitted(n, before + n)),
      at: (n) => queries.compare(0, n),
      allowed: (n, got) => doubledAt(queries.problem(0, n), got),
    },
    {
      ...shared,
      name: "in pieces",
      counts: "queries a piece",
      statement: `Queries in pieces, each with the keys so far, give the bits that they give at once.`,
      isDense: false,
      steps: compared(pieces),
      at: async (n) => ({ got: joined(operation, await queries.pieces(n), outputs) }),
      allowed: (_, got) => doubledAt(queries.problem(0, T), got),
    },
    ...(gradients === undefined ? [] : [gradients]),
  ];
}

/** Steps that are compared with each other: one alone says nothing. */
const compared = (steps: readonly number[]): readonly number[] => (steps.length < 2 ? [] : steps);

/** The most work of queries and keys of which the outputs of pieces are kept. */
const MOST_KEPT = 1e8;

/** The queries of one problem, all at once or some of them. */
export class Queries {
  readonly T: number;
  readonly S: number;
  readonly base: Problem;
  /** Whether the outputs of pieces are kept, since they take little. */
  private readonly areKept: boolean;
  private readonly caller: Caller;
  private readonly outputs: readonly string[];
  private all: Outputs | undefined;
  private readonly cutInto = new Map<number, readonly Outputs[]>();

  constructor(caller: Caller, outputs: readonly string[], sizes: Sizes) {
    const { trial } = caller;
    this.caller = caller;
    this.outputs = outputs;
    this.base = ordinary({ ...trial, sizes });
    this.areKept = (trial.spec.large?.work(sizes) ?? Infinity) <= MOST_KEPT;
    const lengths = lengthsOf(trial.operation, this.base);
    [this.T, this.S] = [lengths.get("T")!, lengths.get("S")!];
  }

  get trial(): Trial {
    return this.caller.trial;
  }

  /** Some queries, with the keys that the last of them sees. */
  problem(from: number, count: number): Problem {
    const seen = from + count + this.S - this.T;
    return cut(this.caller.trial.operation, this.base, { T: range(from, count), S: range(0, seen) });
  }

  run(from: number, count: number): Promise<Outputs> {
    return this.caller.run(this.problem(from, count));
  }

  /** What all queries at once gave, once they did. */
  get known(): Outputs {
    return this.all!;
  }

  async whole(): Promise<Outputs> {
    return (this.all ??= await this.caller.run(this.base));
  }

  last(outputs: Outputs): Outputs {
    const T = outputs[this.outputs[0]].shape[axesOf(this.caller.trial.operation.outputs[this.outputs[0]]).indexOf("T")];
    return taken(this.caller.trial.operation, outputs, this.outputs, { T: [T - 1] });
  }

  /** Some queries by themselves, and what all at once gave for them. */
  async compare(from: number, count: number): Promise<Computed> {
    const { operation } = this.caller.trial;
    const want = taken(operation, await this.whole(), this.outputs, { T: range(from, count) });
    const got = from === 0 && count === this.T ? await this.whole() : await this.run(from, count);
    return { got: taken(operation, got, this.outputs, {}), want };
  }

  /** The problems of pieces of that length. */
  cuts(length: number): Problem[] {
    const pieces = range(0, Math.ceil(this.T / length));
    return pieces.map((i) => this.problem(i * length, Math.min(length, this.T - i * length)));
  }

  /** Their outputs. */
  async pieces(length: number): Promise<readonly Outputs[]> {
    const list: Outputs[] = [];
    await this.each(length, (part) => list.push(part));
    if (this.areKept && length !== this.T) this.cutInto.set(length, list);
    return list;
  }

  /** The outputs of one piece after another. */
  async each(length: number, use: (part: Outputs) => void): Promise<void> {
    if (length === this.T) return use(await this.whole());
    const known = this.cutInto.get(length);
    if (known !== undefined) return known.forEach(use);
    for (const problem of this.cuts(length)) use(await this.caller.run(problem));
  }
}

/** The outputs of pieces one after another along T. */
function joined({ outputs: specs }: Operation, pieces: readonly Outputs[], names: readonly string[]): Outputs {
  return Object.fromEntries(
    names.map((name) => [
      name,
      pieces.map((piece) => piece[name]).reduce((a, b) => joinedAlong(a, b, axesOf(specs[name]).indexOf("T"))),
    ]),
  );
}

function joinedAlong(a: Tensor, b: Tensor, axis: number): Tensor {
  const inner = a.shape.slice(axis + 1).reduce((n, length) => n * length, 1);
  const outer = a.shape.slice(0, axis).reduce((n, length) => n * length, 1);
  const [ofA, ofB] = [a.shape[axis] * inner, b.shape[axis] * inner];
  const data = new (a.data.constructor as Float64ArrayConstructor)(outer * (ofA + ofB)) as Floats;
  for (let o = 0; o < outer; o++) {
    data.set(a.data.subarray(o * ofA, (o + 1) * ofA), o * (ofA + ofB));
    data.set(b.data.subarray(o * ofB, (o + 1) * ofB), o * (ofA + ofB) + ofA);
  }
  return { data, shape: a.shape.with(axis, a.shape[axis] + b.shape[axis]) };
}
