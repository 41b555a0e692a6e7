// How many rows are computed at once does not matter to one of them: a row alone, a few, and many.
//
// A correct kernel may sum in another order where it has few rows, since libraries take other kernels there. So bits are notes, and
// findings for a kernel that promises them. It needs no oracle, so sums are as long as a model's, where kernels begin to split them.
import { append } from "../../reference/lists.ts";
import { integer, streamOf } from "../../reference/random.ts";
import type { Operation } from "../../reference/operation.ts";
import type { Sizes } from "../case.ts";
import { isTiled, type Large } from "../large.ts";
import type { JudgeRow } from "../row.ts";
import type { Independence } from "./independence.ts";
import {
  compareSides,
  cut,
  type Difference,
  gather,
  lengthsOf,
  ordinary,
  type Orders,
  outcomeOf,
  type Relation,
  Run,
  sideOf,
  type Trial,
} from "./relation.ts";

/** How many there are at most; enough for several tiles and a rest. */
const ALL = 257;
/** The same for batches and heads. */
const COUNT = 9;
/** The numbers of rows that are computed again. */
const FEW = [1, 2, 7, 64];
/** Another axis is as long as in a model, as far as the work allows; of many batches and heads, which are large together, less so. */
const [LONG, LONG_OF_MANY] = [4096, 512];
const MOST_WORK = 8e6;

/** One for each axis along which places do not see each other and do not count each other, and one for queries and their keys. */
export function batchesOf(operation: Operation, { independence, large }: JudgeRow): Relation[] {
  if (large === undefined) return [];
  return independence.filter(isCuttable(large)).map((one) => {
    const [axis] = one.axes;
    const name = `another number of ${axis}`;
    return {
      name,
      promised: true,
      statement: `How many there are along ${axis} changes no bit of ${one.outputs.join(", ")}.`,
      run: async (trial) => {
        const differences: Difference[] = [];
        for (const sizes of batches(large, axis, trial.sizes)) {
          append(differences, await differencesAt({ ...trial, sizes }, operation, one));
        }
        return outcomeOf(name, trial, differences);
      },
    };
  });
}

const isCuttable =
  (large: Large) =>
  ({ axes, whole = [], signed = [], masked }: Independence): boolean =>
    (axes.length === 1 || masked === true) &&
    typeof large.axes[axes[0]] === "number" &&
    whole.length + signed.length === 0;

/** Many along the axis; one other axis after the other long, and the rest short. */
function batches({ axes, work, mend = (s) => s }: Large, axis: string, given: Sizes): Sizes[] {
  const short = Object.entries(axes).map(([name, most]) => {
    return [name, typeof most === "object" ? most[0] : isTiled(most!) ? 2 : 1] as const;
  });
  const many = { ...given, ...Object.fromEntries(short), [axis]: isTiled(axes[axis]!) ? ALL : COUNT };
  const others = Object.entries(axes).flatMap(([name, most]) => {
    return name !== axis && typeof most === "number" && isTiled(most) ? [[name, most] as const] : [];
  });
  if (others.length === 0) return [mend(many)];
  return others.map(([name, most]) => {
    const withLong = (n: number): Sizes => mend({ ...many, [name]: n });
    let long = Math.min(isTiled(axes[axis]!) ? LONG : LONG_OF_MANY, most);
    while (long > 1 && work(withLong(long)) > MOST_WORK) long = Math.floor(long / 2);
    return withLong(long);
  });
}

/** All places, and some of them again without the others. */
async function differencesAt(
  trial: Trial,
  operation: Operation,
  { axes, outputs, masked }: Independence,
): Promise<Difference[]> {
  const problem = ordinary(trial);
  const lengths = lengthsOf(operation, problem);
  const length = lengths.get(axes[0])!;
  const before = await Run.of(trial, problem);
  const differences: Difference[] = [];
  for (const n of FEW.filter((few) => few < length)) {
    const first = integer(trial.seed, streamOf(`batch ${axes[0]}`), n, length - n + 1);
    const cuts = masked === true ? causalCuts(lengths, n) : [{ [axes[0]]: places(first, n) }];
    for (const orders of cuts) append(differences, await compareCut(trial, before, outputs, orders));
  }
  return differences;
}

const places = (first: number, n: number): number[] => Array.from({ length: n }, (_, i) => first + i);

/** The last queries with all keys, as where one token comes after the other; the first ones with the keys that they see. */
function causalCuts(lengths: ReadonlyMap<string, number>, n: number): Orders[] {
  const [T, S] = [lengths.get("T")!, lengths.get("S")!];
  return [{ T: places(T - n, n) }, { T: places(0, n), S: places(0, n + S - T) }];
}

async function compareCut(
  trial: Trial,
  before: Run,
  outputs: readonly string[],
  orders: Orders,
): Promise<Difference[]> {
  const { operation, deterministic } = trial;
  const after = await Run.of(trial, cut(operation, before.problem, orders));
  const where = Object.entries(orders)
    .map(([axis, list]) => `${list.length} of ${axis} from ${list[0]}`)
    .join(", ");
  return outputs.map((output) => {
    const want = sideOf(before, output, (t) => gather(t, operation.outputs[output], orders));
    const found = compareSides(output, want, sideOf(after, output), deterministic ? "reported" : "free");
    return found.message === undefined ? found : { ...found, message: `${where}: ${found.message}` };
  });
}
