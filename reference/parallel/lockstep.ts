// Ranks in one process. The program of a rank is a generator: it computes on its own tensors, and yields a request wherever it
// needs the others; when every member of the group has yielded the same request, each is resumed with its result.
//
//   const y = yield* rank.tensor.allReduce("activations.layers.0.ffn_output", partial);
//
// So a program reads as the code of one rank, and sees another rank's data only through a collective.
import type { Floats, Ints, Tensor } from "../tensor.ts";
import { type Collective, type CollectiveKind, perform, type Reduction, ringBytes } from "./collectives.ts";
import { type GroupName, type Layout, membersOf, placeInGrid, rankCount } from "./layout.ts";
import { isReplicated } from "./shards.ts";

type Any = Tensor<Floats | Ints>;

/** A rank's contribution to a collective, and the members of the group. */
export interface Request extends Collective {
  readonly group: GroupName;
  /** The ranks of the group, in order. */
  readonly members: readonly number[];
  /** The name of the tensor that is sent, as in a trace. */
  readonly what: string;
  /** Undefined if a broadcast will bring it. */
  readonly x: Any | undefined;
}

/** The code of one rank. */
export type RankProgram<R> = Generator<Request, R, Any>;

/** A group as one of its members sees it. In a group of one, each collective is the identity and sends nothing. */
export interface RankGroup {
  readonly size: number;
  /** This member's place in the order of the group. */
  readonly index: number;
  allReduce<P extends Floats>(what: string, x: Tensor<P>, reduction?: Reduction): RankProgram<Tensor<P>>;
  /** The parts put together along the axis; their lengths there may differ. */
  allGather<P extends Floats>(what: string, x: Tensor<P>, axis: number): RankProgram<Tensor<P>>;
  /** This member's part, along the axis, of the sum. */
  reduceScatter<P extends Floats>(what: string, x: Tensor<P>, axis: number): RankProgram<Tensor<P>>;
  /** The first member's tensor. */
  broadcast<D extends Floats | Ints>(what: string, x: Tensor<D> | undefined): RankProgram<Tensor<D>>;
}

/** A rank's view of the others. */
export interface Rank {
  readonly layout: Layout;
  readonly tensor: RankGroup;
  readonly data: RankGroup;
  readonly world: RankGroup;
  /** Whether this rank's copy of a weight counts in the gradient norm: of replicas in a tensor group, the first rank's. */
  readonly counts: (weight: string) => boolean;
}

/** The ranks of a layout, each with its groups. */
export function ranksOf(layout: Layout): Rank[] {
  return Array.from({ length: rankCount(layout) }, (_, rank) => ({
    layout,
    tensor: groupOf(layout, "tensor", rank),
    data: groupOf(layout, "data", rank),
    world: groupOf(layout, "world", rank),
    counts: (weight) => !isReplicated(weight) || placeInGrid(layout, rank).tensorIndex === 0,
  }));
}

function groupOf(layout: Layout, group: GroupName, rank: number): RankGroup {
  const members = membersOf(layout, group, rank);
  function* meet(what: string, x: Any | undefined, collective: Collective): RankProgram<Any> {
    if (members.length > 1) return yield { ...collective, group, members, what, x };
    if (x === undefined) throw new RangeError(`${what} is missing: rank ${rank} has nobody to get it from`);
    return x;
  }
  return {
    size: members.length,
    index: members.indexOf(rank),
    *allReduce<P extends Floats>(what: string, x: Tensor<P>, reduction: Reduction = "sum") {
      return (yield* meet(what, x, { kind: "all-reduce", reduction })) as Tensor<P>;
    },
    *allGather<P extends Floats>(what: string, x: Tensor<P>, axis: number) {
      return (yield* meet(what, x, { kind: "all-gather", axis })) as Tensor<P>;
    },
    *reduceScatter<P extends Floats>(what: string, x: Tensor<P>, axis: number) {
      return (yield* meet(what, x, { kind: "reduce-scatter", axis })) as Tensor<P>;
    },
    *broadcast<D extends Floats | Ints>(what: string, x: Tensor<D> | undefined) {
      return (yield* meet(what, x, { kind: "broadcast" })) as Tensor<D>;
    },
  };
}

/** The bytes that one rank sent in one collective. */
export interface Traffic {
  readonly rank: number;
  readonly kind: CollectiveKind;
  readonly group: GroupName;
  readonly what: string;
  readonly bytes: number;
}

/**
 * Runs the programs of all ranks to their ends → their results, and their traffic. Throws Error where ranks wait for others
 * that never come; it names the first that waits, its request, and where the others are.
 */
export function runInLockstep<R>(programs: readonly RankProgram<R>[]): { results: R[]; traffic: Traffic[] } {
  const results: R[] = [];
  const traffic: Traffic[] = [];
  const waiting: (Request | undefined)[] = programs.map(() => undefined);
  const advance = (rank: number, ...answer: [] | [Any]): void => {
    const { done, value } = programs[rank].next(...answer);
    if (done === true) results[rank] = value;
    waiting[rank] = done === true ? undefined : value;
  };
  for (let rank = 0; rank < programs.length; rank++) advance(rank);
  for (;;) {
    const meeting = waiting.find((request) => request?.members.every((m) => isSame(waiting[m], request)) === true);
    if (meeting === undefined) break;
    const { members, kind, group, what } = meeting;
    const given = members.map((m) => waiting[m]?.x ?? waiting[members[0]]?.x); // a broadcast's receivers give nothing
    if (given.includes(undefined)) throw new Error(`${describe(meeting)}: a member has nothing to give`);
    const xs = given as Any[];
    const got = perform(meeting, xs);
    for (const [i, m] of members.entries())
      traffic.push({ rank: m, kind, group, what, bytes: ringBytes(kind, xs, got, i) });
    for (const [i, m] of members.entries()) advance(m, got[i]);
  }
  const stuck = waiting.findIndex((request) => request !== undefined);
  if (stuck >= 0) {
    const request = waiting[stuck]!;
    const missing = request.members.find((m) => !isSame(waiting[m], request))!;
    const where = waiting[missing] === undefined ? "has ended" : `is at ${describe(waiting[missing])}`;
    throw new Error(`rank ${stuck} waits at ${describe(request)}, but rank ${missing} ${where}`);
  }
  return { results, traffic };
}

/** The bytes that the ranks sent, by kind of collective; only those of `rank` if it is given. */
export function bytesByKind(traffic: readonly Traffic[], rank?: number): Record<CollectiveKind, number> {
  const total = { "all-reduce": 0, "all-gather": 0, "reduce-scatter": 0, broadcast: 0 };
  for (const entry of traffic) if (rank === undefined || entry.rank === rank) total[entry.kind] += entry.bytes;
  return total;
}

function isSame(a: Request | undefined, b: Request): boolean {
  return (
    a !== undefined &&
    a.kind === b.kind &&
    a.what === b.what &&
    a.axis === b.axis &&
    a.reduction === b.reduction &&
    a.members.join() === b.members.join()
  );
}

function describe({ kind, what, group, axis }: Request): string {
  return `the ${kind} of ${what} over ${group}${axis === undefined ? "" : `, axis ${axis}`}`;
}
