// Which numbers the wrong elements have, where it is no matter of place: "where gate ≤ −16".
import { dtypes } from "../../reference/dtype.ts";
import { largest, smallest } from "../../reference/lists.ts";
import type { Floats } from "../../reference/tensor.ts";
import type { Portrait, Seen } from "./portrait.ts";

/** Of the elements beyond a limit at least this share is wrong: near the limit an error may be within its bound. */
const SHARE = 0.9;
const LEAST = 3;

interface Subject {
  readonly name: string;
  readonly at: (i: number) => number;
}

/** A limit on a number of the same place that all wrong elements obey, and few of the right ones; undefined where there is none. */
export function valuesOf({ problem }: Portrait, { output, got, want, wrong }: Seen): string | undefined {
  if (wrong.length < LEAST) return undefined;
  const shape = got.shape.join();
  const inputs = Object.entries(problem.inputs).filter(([, t]) => t.shape.join() === shape);
  const subjects = [
    ...inputs.map(([name, { data }]): Subject => ({ name, at: (i) => data[i] })),
    { name: output, at: (i: number) => want.data[i] },
  ];
  const signed = subjects.flatMap(({ name, at }) => [
    { name, at },
    { name: `|${name}|`, at: (i: number) => Math.abs(at(i)) },
  ]);
  for (const { name, at } of signed) {
    const values = wrong.map(at);
    if (values.every((x) => Math.abs(x) < dtypes.float32.minNormal && x !== 0)) return `where ${name} is subnormal`;
    const [least, most] = [smallest(values), largest(values)];
    if (isLimit(got.data, wrong, (i) => at(i) >= least)) return `where ${name} ≥ ${digits(least)}`;
    if (isLimit(got.data, wrong, (i) => at(i) <= most)) return `where ${name} ≤ ${digits(most)}`;
    const isBetween = (i: number): boolean => at(i) >= least && at(i) <= most;
    if (isLimit(got.data, wrong, isBetween)) return `where ${digits(least)} ≤ ${name} ≤ ${digits(most)}`;
  }
  return undefined;
}

function isLimit(all: Floats, wrong: readonly number[], isBeyond: (i: number) => boolean): boolean {
  const beyond = [...all.keys()].filter(isBeyond).length;
  return beyond < all.length && wrong.length >= SHARE * beyond;
}

function digits(x: number): string {
  return String(Number(x.toPrecision(3)));
}
