// A tensor is its numbers and its shape: contiguous, row-major, no methods, no strides, no broadcasting.

/** Storage of real numbers. Float32Array rounds once per store; Float64Array carries the truth. */
export type Floats = Float32Array | Float64Array;
/** Storage of token ids and targets. */
export type Ints = Int32Array;

/** data.length is the product of shape. */
export interface Tensor<D extends Floats | Ints = Floats> {
  readonly data: D;
  readonly shape: readonly number[];
}

/** The number of elements of a shape; 1 for a scalar, whose shape is []. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Numbers with a shape. Throws RangeError unless there are exactly as many numbers as the shape holds. */
export function tensor<D extends Floats | Ints>(data: D, shape: readonly number[]): Tensor<D> {
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`${data.length} numbers do not fill shape [${shape}], which holds ${sizeOf(shape)}`);
  }
  return { data, shape };
}

/** Zeros of the same storage as `like`, and of its shape unless another is given. */
export function zeros<P extends Floats>(like: Tensor<P>, shape: readonly number[] = like.shape): Tensor<P> {
  const Storage = like.data.constructor as new (length: number) => P;
  return { data: new Storage(sizeOf(shape)), shape };
}

/** The same numbers under another shape (not a copy). */
export function view<D extends Floats | Ints>(t: Tensor<D>, shape: readonly number[]): Tensor<D> {
  return tensor(t.data, shape);
}

/** A copy in another storage: each element is rounded once. */
export function toStorage<P extends Floats>(t: Tensor, Storage: new (data: Floats) => P): Tensor<P> {
  return { data: new Storage(t.data), shape: t.shape };
}

/** A number rounded once to the storage of `like`: how a scalar (eps, theta, a learning rate) enters an op. */
export function roundScalar(value: number, like: Tensor): number {
  return like.data instanceof Float32Array ? Math.fround(value) : value;
}

/** "B,T,C" → "B" | "T" | "C". Axes that are an arithmetic expression, such as "HS/2", stand for themselves. */
export type AxisNames<S extends string> = S extends `${infer Axis},${infer Rest}` ? Axis | AxisNames<Rest> : S;

/**
 * The shape comment that is checked: every axis letter has one length wherever it stands. An axis "X/2" has half the
 * length of X. Returns the lengths by letter; throws RangeError naming the tensor, its shape and what was expected.
 *
 *     const { R, C } = checkShapes({ x: [x, "R,C"], w: [w, "C"] }); // w has shape [2], expected [C] with C=3
 */
export function checkShapes<const S extends string>(
  specs: Record<string, readonly [Tensor<Floats | Ints>, S]>,
): Record<AxisNames<S>, number> {
  const lengths: Record<string, number> = {};
  const halves: [string, string, readonly number[], string][] = [];
  for (const [name, [t, spec]] of Object.entries(specs)) {
    const axes = spec === "" ? [] : spec.split(",");
    const fits =
      t.shape.length === axes.length &&
      axes.every((axis, i) => {
        const length = t.shape[i];
        if (axis.endsWith("/2")) halves.push([name, axis, t.shape, spec]);
        return (lengths[axis] ??= length) === length;
      });
    if (!fits) throw new RangeError(shapeMessage(name, t.shape, spec, axes, lengths));
    if (t.data.length !== sizeOf(t.shape)) {
      throw new RangeError(`${name} has shape [${t.shape}] but holds ${t.data.length} numbers`);
    }
  }
  for (const [name, axis, shape, spec] of halves) {
    const whole = lengths[axis.slice(0, -2)];
    if (whole !== undefined && whole !== 2 * lengths[axis]) {
      throw new RangeError(`${name} has shape [${shape}], expected [${spec}] with ${axis.slice(0, -2)}=${whole}`);
    }
  }
  return lengths as Record<AxisNames<S>, number>;
}

function shapeMessage(
  name: string,
  shape: readonly number[],
  spec: string,
  axes: string[],
  lengths: Record<string, number>,
): string {
  const known = axes.filter((axis, i) => axis in lengths && lengths[axis] !== shape[i]);
  const where = known.length > 0 ? ` with ${known.map((axis) => `${axis}=${lengths[axis]}`).join(", ")}` : "";
  return `${name} has shape [${shape}], expected [${spec}]${where}`;
}
