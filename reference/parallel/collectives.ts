// A collective: a group of ranks computes together from one tensor of each. And the bytes that a ring of ranks sends for it.
//
//   all-reduce       every member gets Σ over i of xᵢ (or the maximum)
//   reduce-scatter   member i gets part i of that sum
//   all-gather       every member gets the parts put together
//   broadcast        every member gets x₀
//
// Order of reduction: the members' in the group, added in double and stored once. So every member gets the same bits, and
// an all-reduce has the bits of a reduce-scatter followed by an all-gather, however a network cuts its messages. A real ring
// rounds at every hop, and starts each part at another member: another order of the same sum, with up to p − 2 further
// roundings. The bounds of the ops cover any order and any stored partial sums, so they judge both alike.
import { type Floats, type Ints, type Tensor, zeros } from "../tensor.ts";
import { cut, join, partOf } from "./cut.ts";

export const collectiveKinds = ["all-reduce", "all-gather", "reduce-scatter", "broadcast"] as const;
export type CollectiveKind = (typeof collectiveKinds)[number];
export type Reduction = "sum" | "max";
type Any = Tensor<Floats | Ints>;

/** The operation of a group on its members' tensors. */
export interface Collective {
  readonly kind: CollectiveKind;
  /** For an all-reduce. */
  readonly reduction?: Reduction;
  /** The axis along which parts are joined or cut. */
  readonly axis?: number;
}

/** xs: each member's tensor, in the order of the group → each member's result. Throws RangeError where they do not fit. */
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
 *     all-gather       every part except the next member's, which has it         (p − 1)/p · n for equal parts
 *     reduce-scatter   every part except its own                                 (p − 1)/p · n
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
