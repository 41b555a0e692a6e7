// A tensor is its numbers and its shape: contiguous, row-major, no methods, no strides, no broadcasting.

/** Storage of real numbers. Float32Array rounds once per store; Float64Array carries the truth. */
export type Floats = Float32Array | Float64Array;
/** Storage of token ids and targets. */
export type Ints = Int32Array;

/**
 * Numbers and a shape: contiguous, row-major; data.length is the product of shape, which is [] for a scalar.
 *
 * @example
 * ```ts
 * import type { Tensor } from "touchstone-llama";
 *
 * const scalar: Tensor<Float32Array> = { data: Float32Array.of(0.5), shape: [] };
 * ```
 */
export interface Tensor<D extends Floats | Ints = Floats> {
  readonly data: D;
  readonly shape: readonly number[];
}

/** The number of elements of a shape; 1 for a scalar, whose shape is []. */
export function sizeOf(shape: readonly number[]): number {
  let product = 1;
  for (let i = 0; i < shape.length; i++) product *= shape[i];
  return product;
}

/**
 * Numbers with a shape (not a copy). Throws TypeError unless `data` is a typed array of numbers, RangeError for a length that
 * is not a whole number, and unless there are exactly as many numbers as the shape holds.
 *
 * @example
 * ```ts
 * import { tensor } from "touchstone-llama";
 *
 * const x = tensor(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]); // two rows of three
 * const tokens = tensor(Int32Array.of(7, 1, 7), [3]);
 * ```
 */
export function tensor<D extends Floats | Ints>(data: D, shape: readonly number[]): Tensor<D> {
  if (!(data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array)) {
    throw new TypeError("tensor: data is not a typed array, expected Float32Array, Float64Array or Int32Array");
  }
  if (!Array.isArray(shape)) throw new TypeError("tensor: shape is not an array, expected the length of each axis");
  for (const length of shape as readonly unknown[]) {
    if (Number.isSafeInteger(length) && (length as number) >= 0) continue;
    throw new RangeError(`tensor: shape has the length ${String(length)}, expected whole numbers of at least 0`);
  }
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
 * A shape comment that is checked: every axis letter has one length wherever it occurs. An axis "X/2" has half the length of
 * X. Returns the lengths by letter; throws RangeError naming the tensor, its shape and the expected one.
 *
 *     const { R, C } = checkShapes({ x: [x, "R,C"], w: [w, "C"] }); // w has shape [2], expected [C] with C=3
 */
export function checkShapes<const S extends string>(
  specs: Record<string, readonly [Tensor<Floats | Ints>, S]>,
): Record<AxisNames<S>, number> {
  const lengths: Record<string, number> = {};
  const names = Object.keys(specs);
  let hasHalves = false;
  for (const name of names) {
    const t = specs[name][0];
    const spec = specs[name][1];
    const axes = axesOf(spec);
    hasHalves ||= spec.includes("/2");
    if (t?.data === undefined || !Array.isArray(t.shape)) {
      throw new TypeError(`${name} is ${t === null ? "null" : typeof t}, expected a tensor [${spec}]`);
    }
    let fits = t.shape.length === axes.length;
    for (let i = 0; fits && i < axes.length; i++) fits = (lengths[axes[i]] ??= t.shape[i]) === t.shape[i];
    if (!fits) throw new RangeError(shapeMessage(name, t.shape, spec, axes, lengths));
    if (t.data.length !== sizeOf(t.shape)) {
      throw new RangeError(`${name} has shape [${t.shape}] but holds ${t.data.length} numbers`);
    }
  }
  if (hasHalves) for (const name of names) checkHalves(name, specs[name][0].shape, specs[name][1], lengths);
  return lengths as Record<AxisNames<S>, number>;
}

function checkHalves(name: string, shape: readonly number[], spec: string, lengths: Record<string, number>): void {
  for (const axis of axesOf(spec)) {
    if (!axis.endsWith("/2")) continue;
    const letter = axis.slice(0, -2);
    const whole = lengths[letter];
    if (whole !== undefined && whole !== 2 * lengths[axis]) {
      throw new RangeError(`${name} has shape [${shape}], expected [${spec}] with ${letter}=${whole}`);
    }
  }
}

/** The axes of each spec so far: every step of a model asks for the same few. */
const axesBySpec = new Map<string, readonly string[]>();

function axesOf(spec: string): readonly string[] {
  let axes = axesBySpec.get(spec);
  if (axes === undefined) axesBySpec.set(spec, (axes = spec === "" ? [] : spec.split(",")));
  return axes;
}

function shapeMessage(
  name: string,
  shape: readonly number[],
  spec: string,
  axes: readonly string[],
  lengths: Record<string, number>,
): string {
  const known = axes.filter((axis, i) => axis in lengths && lengths[axis] !== shape[i]);
  const where = known.length > 0 ? ` with ${known.map((axis) => `${axis}=${lengths[axis]}`).join(", ")}` : "";
  return `${name} has shape [${shape}], expected [${spec}]${where}`;
}
