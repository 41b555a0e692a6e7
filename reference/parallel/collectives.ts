// What a group of ranks computes together from one tensor of each, and what a ring of them sends for it.
//
//   all-reduce       every member gets Σ over i of xᵢ (or the maximum)
//   reduce-scatter   member i gets part i of that sum
//   all-gather       every member gets the parts put together
//   broadcast        every member gets x₀
//
// Order of reduction: the members' in the group, added in double and stored once. So every member gets the same bits, and
// an all-reduce has the bits of a reduce-scatter followed by an all-gather, however a network cuts its messages. A ring that
// rounds at every hop, from another member on for each part, is another order of the same sum with up to p − 2 further
// roundings: the bounds of the ops cover any order and any stored partial sums, so they judge either alike.
import { type Floats, type Ints, type Tensor, zeros } from "../tensor.ts";
import { cut, join, partOf } from "./cut.ts";

export const collectiveKinds = ["all-reduce", "all-gather", "reduce-scatter", "broadcast"] as const;
export type CollectiveKind = (typeof collectiveKinds)[number];
export type Reduction = "sum" | "max";
type Any = Tensor<Floats | Ints>;

/** What a group does with its members' tensors. */
export interface Collective {
  readonly kind: CollectiveKind;
  /** Of an all-reduce. */
  readonly reduction?: Reduction;
  /** Along which parts are put together or cut. */
  readonly axis?: number;
}

/** xs: what each member gives, in the order of the group → what each gets. Throws RangeError where they do not fit. */
export function perform({ kind, reduction = "sum", axis = 0 }: Collective, xs: readonly Any[]): readonly Any[] {
  switch (kind) {
    case "all-reduce": {
      const reduced = reduction === "sum" ? sum(xs as readonly Tensor[]) : maximum(xs as readonly Tensor[]);
      return xs.map(() => reduced);
    }
    case "reduce-scatter": {
      const reduced = sum(xs as readonly Tensor[]);
      return xs.map((_, i) => cut(reduced, axis, xs.length, i));
    }
    case "all-gather": {
      const whole = join(xs, axis);
      return xs.map(() => whole);
    }
    case "broadcast":
      return xs.map(() => xs[0]);
  }
}

/**
 * The bytes that member i sends on a ring (Patarasuk & Yuan 2009), n being the bytes of the whole tensor:
 *
 *     all-gather       every part but that of the next member, which has it      (p − 1)/p · n for equal parts
 *     reduce-scatter   every part but its own                                    (p − 1)/p · n
 *     all-reduce       both, the tensor cut into p parts                         2(p − 1)/p · n
 *     broadcast        all of it; the last member sends nothing                  n
 *
 * The members of a group send p · (p − 1)/p · n together, 2(p − 1) · n in an all-reduce, whatever their parts.
 */
export function ringBytes(kind: CollectiveKind, xs: readonly Any[], got: readonly Any[], i: number): number {
  const p = xs.length;
  const unit = xs[i].data.BYTES_PER_ELEMENT;
  const next = (i + 1) % p;
  const { length } = xs[i].data;
  switch (kind) {
    case "all-gather":
      return unit * (got[i].data.length - xs[next].data.length);
    case "reduce-scatter":
      return unit * (length - got[i].data.length);
    case "all-reduce":
      return unit * (2 * length - lengthOfPart(length, p, i) - lengthOfPart(length, p, next));
    case "broadcast":
      return i < p - 1 ? unit * length : 0;
  }
}

function lengthOfPart(n: number, p: number, i: number): number {
  const { from, to } = partOf(n, p, i);
  return to - from;
}

function sum(xs: readonly Tensor[]): Tensor {
  checkSameShape(xs);
  const y = zeros(xs[0]);
  for (let n = 0; n < y.data.length; n++) {
    let total = 0;
    for (const x of xs) total += x.data[n];
    y.data[n] = total;
  }
  return y;
}

function maximum(xs: readonly Tensor[]): Tensor {
  checkSameShape(xs);
  const y = zeros(xs[0]);
  for (let n = 0; n < y.data.length; n++) {
    let max = -Infinity;
    for (const x of xs) max = Math.max(max, x.data[n]);
    y.data[n] = max;
  }
  return y;
}

function checkSameShape(xs: readonly Any[]): void {
  for (const { shape } of xs) {
    if (shape.join() !== xs[0].shape.join()) {
      throw new RangeError(`one member gives shape [${shape}], another [${xs[0].shape}]: a sum needs the same`);
    }
  }
}
