// The families of an op: for each axis along which places do not see each other, for queries and their keys, for sums.
import type { Independence } from "../relations/independence.ts";
import { type Caller, type Family, LADDER } from "./family.ts";
import type { Padding } from "./padding.ts";
import { placesOf } from "./places.ts";
import { queriesOf } from "./queries.ts";
import type { Grounds } from "./room.ts";
import { paddedLengths, paddedOf, ranksOf } from "./sums.ts";

/** Families that share their inputs, and are made when their turn comes. */
export interface Group {
  readonly name: string;
  readonly make: () => readonly Family[];
}

/** All families of an op. */
export function groupsOf(caller: Caller, grounds: Grounds): Group[] {
  const { independence, padding } = caller.trial.spec;
  return [
    ...independence.flatMap((one) => independentGroups(caller, grounds, one)),
    ...padding.flatMap((one) => paddingGroups(caller, grounds, one)),
  ];
}

/** Nothing where a count of places, or a sum over them, is part of the formula. */
export function independentGroups(
  caller: Caller,
  grounds: Grounds,
  one: Independence,
  numbers: readonly number[] = LADDER,
): Group[] {
  const { axes, outputs, whole = [], signed = [], masked } = one;
  if (whole.length + signed.length > 0) return [];
  if (masked === true) return queryGroups(caller, grounds, outputs, numbers);
  const [axis] = axes;
  return grounds.around(axis, outputs).map((ground) => ({
    name: `number of ${axis}`,
    make: () => {
      const among = grounds.steps(axis, ground, AMONG).at(-1);
      return placesOf(caller, one, ground.sizes, { numbers: grounds.steps(axis, ground, numbers), among });
    },
  }));
}

export function paddingGroups(caller: Caller, grounds: Grounds, one: Padding): Group[] {
  const { axis } = one;
  return grounds.alone(axis).map((given) => {
    const { sizes } = grounds.lengthened({ ...given, limit: given.limit / 2 }, axis, LONG_SUM);
    const length = Number(sizes[axis]);
    const lengths = grounds.fitting(axis, { ...given, sizes }, paddedLengths(length));
    return {
      name: `${axis} padded from ${length}`,
      make: () => [paddedOf(caller, one, sizes, lengths), ...(one.isSum === true ? [ranksOf(caller, one, sizes)] : [])],
    };
  });
}

/** Among so many places each one is tried. */
const AMONG: readonly number[] = [2, 9, 33, 65, 129, 257];
/** A sum to be padded and split: no tile divides it. */
const LONG_SUM = 4000;
/** Queries of a prefill; and few queries, with the keys before them. */
const [PREFILL, FEW_QUERIES, CACHE] = [514, 17, 4096];

/** As many keys as queries, as where a sequence begins; and few queries with a long cache. */
function queryGroups(
  caller: Caller,
  grounds: Grounds,
  outputs: readonly string[],
  numbers: readonly number[],
): Group[] {
  return grounds.alone("T").flatMap((ground) => {
    const { sizes, limit } = ground;
    const prefill = Math.max(PREFILL, Number(sizes.T));
    const square = grounds.lengthened({ sizes: { ...sizes, S: 1 }, limit }, "T", prefill);
    const cached = grounds.lengthened({ sizes: { ...sizes, T: FEW_QUERIES }, limit }, "S", CACHE);
    return [square, cached].map((one) => {
      const steps = grounds.steps("T", one, numbers);
      return { name: "number of queries", make: () => queriesOf(caller, outputs, one.sizes, steps, grounds.admits) };
    });
  });
}
