// How far apart two results are that should be equal: in units in the last place at all elements, and as a share of both allowances at
// those that stand out.
import { dtypes, ulpDistance } from "../../reference/dtype.ts";
import { axesOf, type Operation, type Outputs, storageOf } from "../../reference/operation.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { indexOf } from "../compare.ts";
import { gather } from "../relations/relation.ts";
import { Scales, Suspects } from "../suspects.ts";
import type { Terms } from "../terms.ts";
import { range } from "./allowed.ts";
import type { Allowed } from "./family.ts";

/** How far apart two results are. */
export interface Distance {
  /** Elements whose bits differ. */
  readonly differing: number;
  /** The most units in the last place between the two numbers of an element. */
  readonly ulps: number;
  /** The largest difference as a share of both allowances; undefined where no element that differs has a finite bound. */
  readonly share?: number;
  /** Where that is, and both numbers; for a difference beyond the allowances how far beyond. */
  readonly message: string;
  readonly isBeyond: boolean;
}

/** Whether the numbers differ; −0 equals 0, and NaN NaN. */
const differs = (a: number, b: number): boolean => a !== b && !(Number.isNaN(a) && Number.isNaN(b));

/** Whether all bits of the places that both have are the same. */
export function areSame(operation: Operation, a: Outputs, b: Outputs): boolean {
  return Object.keys(a).every((name) => {
    const [left, right] = common(operation, name, a[name], b[name]);
    return left.data.every((x: number, i: number) => !differs(x, right.data[i]));
  });
}

/** Elements that are no finite numbers, of which equal bits say nothing. */
export function countNonFinite(outputs: Outputs): number {
  return Object.values(outputs).reduce((n, { data }) => {
    let count = n;
    for (const x of data) if (!Number.isFinite(x)) count++;
    return count;
  }, 0);
}

/** The distance of the output that is furthest from its bound; undefined where nothing differs. */
export function distanceOf(
  operation: Operation,
  { dtype }: Pick<Terms, "dtype">,
  want: Outputs,
  got: Outputs,
  allowed: (common: Outputs) => Allowed,
): Distance | undefined {
  const pairs = Object.keys(got).map((name) => [name, common(operation, name, want[name], got[name])] as const);
  const allowedIn = allowed(Object.fromEntries(pairs.map(([name, [, right]]) => [name, right])));
  const found = pairs.flatMap(([name, [left, right]]) => {
    return distanceIn(name, left, right, dtypes[storageOf(operation, name, dtype)], allowedIn) ?? [];
  });
  if (found.length === 0) return undefined;
  const [worst] = found.toSorted((a, b) => (b.share ?? 0) - (a.share ?? 0));
  return {
    ...worst,
    differing: found.reduce((n, { differing }) => n + differing, 0),
    ulps: found.reduce((most, { ulps }) => Math.max(most, ulps), 0),
  };
}

function distanceIn(
  output: string,
  want: Tensor,
  got: Tensor,
  format: ConstructorParameters<typeof Scales>[1],
  allowed: Allowed,
): Distance | undefined {
  let [differing, ulps, first] = [0, 0, -1];
  for (let i = 0; i < got.data.length; i++) {
    if (!differs(want.data[i], got.data[i])) continue;
    if (first < 0) first = i;
    differing++;
    const distance = ulpDistance(want.data[i], got.data[i], format);
    ulps = Math.max(ulps, Number.isNaN(distance) ? Infinity : distance);
  }
  if (differing === 0) return undefined;
  const exact = { data: Float64Array.from(want.data), shape: want.shape };
  const { list } = new Suspects(got, exact, new Scales(exact, format));
  let [worst, share] = [first, undefined as number | undefined];
  for (const [i, most] of allowed(output, list.length === 0 ? [first] : list)) {
    const error = Math.abs(want.data[i] - got.data[i]);
    const own = Number.isNaN(error) ? Infinity : error === 0 ? 0 : error / most;
    if (!(most < Infinity) || !(own > (share ?? -1))) continue;
    [worst, share] = [i, own];
  }
  const isBeyond = share !== undefined && !(share <= 1);
  const beyond = isBeyond ? `, ${share!.toPrecision(2)} × the sum of both allowances` : "";
  const where = `${output}[${indexOf(worst, want.shape).join(",")}]`;
  const message = `${where}: ${want.data[worst]} became ${got.data[worst]}${beyond}`;
  return { differing, ulps, ...(share === undefined ? {} : { share }), message, isBeyond };
}

/** The first places of each axis, as many as both have. */
function common({ outputs }: Operation, name: string, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const shorter = axesOf(outputs[name]).flatMap((axis, i) => {
    const least = Math.min(a.shape[i], b.shape[i]);
    return a.shape[i] === b.shape[i] ? [] : [[axis, range(0, least)] as const];
  });
  if (shorter.length === 0) return [a, b];
  const orders = Object.fromEntries(shorter);
  return [gather(a, outputs[name], orders), gather(b, outputs[name], orders)];
}
