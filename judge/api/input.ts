// Bad input: the arguments of public functions are checked before anything is computed. An error says in one line what is
// wrong, where, and what was expected.
import { axesOf, type Operation, type ScalarKind } from "../../reference/operation.ts";
import { sizeOf } from "../../reference/tensor.ts";

/** A value as an error shows it: short, without its contents. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) {
    const name = nameOf(value);
    return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
  }
  return String(value);
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : "Object";
}

/** A plain object's fields. Throws TypeError for anything else. */
export function fieldsOf(value: unknown, where: string, expected: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${where}: got ${shown(value)}, expected ${expected}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Throws TypeError for a field that is not one of `known`. */
export function checkFields(fields: object, where: string, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(
      `${where}.${unknown} is unknown, expected ${known.length === 0 ? "no field" : known.join(", ")}`,
    );
  }
}

/** Throws RangeError (TypeError unless it is a number) unless the value is a whole number from `min` to `max`. */
export function checkWhole(value: unknown, where: string, min: number, max: number): void {
  if (typeof value !== "number") throw new TypeError(`${where}: got ${shown(value)}, expected a whole number`);
  if (!(Number.isSafeInteger(value) && value >= min && value <= max)) {
    throw new RangeError(`${where}: got ${value}, expected a whole number from ${min} to ${max}`);
  }
}

/** Checks the inputs of an op: names, storage, shapes that fill, and one length for each axis letter. */
export function checkInputs(operation: Operation, inputs: unknown): void {
  const names = Object.keys(operation.inputs);
  const given = fieldsOf(inputs, "inputs", `the inputs of ${operation.name}: ${names.join(", ") || "none"}`);
  checkFields(given, "inputs", names);
  const lengths: AxisLengths = new Map();
  for (const name of names) {
    const shape = checkTensor(given[name], `inputs.${name}`, [
      operation.integers.includes(name) ? Int32Array : Float32Array,
    ]);
    checkAxes(name, shape, operation.inputs[name], lengths);
  }
}

type Storage = Float32ArrayConstructor | Float64ArrayConstructor | Int32ArrayConstructor;

/** The shape of a tensor in one of the storages. Throws TypeError, or RangeError where its numbers do not fill its shape. */
export function checkTensor(value: unknown, where: string, storages: readonly Storage[]): readonly number[] {
  const storage = storages.map(({ name }) => name).join(" or ");
  const { data, shape } = fieldsOf(value, where, `a tensor { data: ${storage}, shape }`);
  if (!storages.some((Storage) => data instanceof Storage)) {
    throw new TypeError(`${where}.data: got ${shown(data)}, expected ${storage}`);
  }
  if (!Array.isArray(shape)) {
    throw new TypeError(`${where}.shape: got ${shown(shape)}, expected an array of lengths`);
  }
  for (const [i, length] of shape.entries()) checkWhole(length, `${where}.shape[${i}]`, 0, Number.MAX_SAFE_INTEGER);
  const { length } = data as Float32Array;
  if (length !== sizeOf(shape as number[])) {
    throw new RangeError(
      `${where}: ${length} numbers, expected the ${sizeOf(shape as number[])} that shape [${shape.join(",")}] holds`,
    );
  }
  return shape as number[];
}

/** The length of each axis letter, and the tensor that has it. */
export type AxisLengths = Map<string, { readonly length: number; readonly of: string }>;

/** One letter, one length: "HS/2" is half of HS. */
export function checkAxes(name: string, shape: readonly number[], spec: string, lengths: AxisLengths): void {
  const axes = axesOf(spec);
  const refuse = (why: string): never => {
    throw new RangeError(`inputs.${name} has shape [${shape.join(",")}], expected [${spec}]${why}`);
  };
  if (axes.length !== shape.length) refuse("");
  for (const [i, axis] of axes.entries()) {
    const isHalf = axis.endsWith("/2");
    const letter = isHalf ? axis.slice(0, -2) : axis;
    const length = isHalf ? 2 * shape[i] : shape[i];
    const known = lengths.get(letter);
    if (known === undefined) lengths.set(letter, { length, of: name });
    else if (known.length !== length) refuse(` with ${letter}=${known.length} as in inputs.${known.of}`);
  }
}

/** Checks the scalars of an op: names and kinds. */
export function checkScalars(operation: Operation, scalars: unknown): void {
  const names = Object.keys(operation.scalars);
  const given = fieldsOf(scalars, "scalars", `the scalars of ${operation.name}: ${names.join(", ") || "none, {}"}`);
  checkFields(given, "scalars", names);
  for (const name of names) checkScalar(given[name], `scalars.${name}`, operation.scalars[name]);
}

function checkScalar(value: unknown, where: string, kind: ScalarKind): void {
  if (typeof kind !== "string") {
    if (!kind.includes(value as string)) {
      const words = kind.map((word) => JSON.stringify(word)).join(" or ");
      throw new (typeof value === "string" ? RangeError : TypeError)(
        `${where}: got ${shown(value)}, expected ${words}`,
      );
    }
    return;
  }
  if (kind === "axis") return checkWhole(value, where, 0, Number.MAX_SAFE_INTEGER);
  if (kind === "integer") return checkWhole(value, where, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (typeof value !== "number") throw new TypeError(`${where}: got ${shown(value)}, expected a number`);
  // A kernel gets a real number as float32, where 1e300 is infinite.
  const isFinite = Number.isFinite(kind === "real" ? Math.fround(value) : value);
  if (!isFinite) throw new RangeError(`${where}: got ${value}, expected a number that is finite in float32`);
}
