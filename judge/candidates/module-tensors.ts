// The tensors of a case in a module's process: made from the bytes that the judge sends, and looked at again after the call. What is
// used here is taken before the module is loaded (wire.ts).
import type { Ran, Run } from "./module-wire.ts";
import { bytesOf, countOf, kindOf, part, put } from "./wire.ts";

const { isArray } = Array;
const { setPrototypeOf } = Object;
const nothing = new Uint8Array(0);
const storages = { Float32Array, Float64Array, Int32Array };
/** More axes than any op has. */
const MOST_AXES = 8;

interface Given {
  readonly data: object;
  readonly shape: readonly number[];
}

/** The inputs of a case: what the function gets, and the same objects in a list that it does not get. */
export interface Inputs {
  readonly given: Readonly<Record<string, Given>>;
  readonly held: readonly { readonly tensor: Given; readonly data: object; readonly shape: readonly number[] }[];
}

/** The inputs from the numbers that follow a request. */
export function inputsOf({ inputs }: Run, body: Uint8Array): Inputs {
  const given: Record<string, Given> = {};
  const held: Inputs["held"][number][] = listOf();
  for (let i = 0, at = 0; i < inputs.length; i++) {
    const { name, type, length, shape } = inputs[i];
    const data = new storages[type](length);
    const bytes = bytesOf(data);
    put(bytes, part(body, at, countOf(bytes)));
    at += countOf(bytes);
    const tensor = { data, shape: copyOf(shape, []) };
    given[name] = tensor;
    held[i] = { tensor, data, shape: tensor.shape };
  }
  return { given, held };
}

/** The names of the inputs that are no longer what they were. */
export function changedOf({ inputs }: Run, body: Uint8Array, { given, held }: Inputs): string[] {
  const changed: string[] = listOf();
  for (let i = 0, at = 0; i < inputs.length; i++) {
    const { name, shape, type, length } = inputs[i];
    const size = length * storages[type].BYTES_PER_ELEMENT;
    if (!isStill(given, name, held[i], length, shape) || !sameBytes(held[i].data, part(body, at, size))) {
      changed[changed.length] = name;
    }
    at += size;
  }
  return changed;
}

function isStill(
  given: Inputs["given"],
  name: string,
  held: Inputs["held"][number],
  length: number,
  shape: readonly number[],
): boolean {
  try {
    const { tensor, data } = held;
    if (given[name] !== tensor || tensor.data !== data || tensor.shape !== held.shape) return false;
    if (countOf(data) !== length || held.shape.length !== shape.length) return false;
    for (let i = 0; i < shape.length; i++) if (held.shape[i] !== shape[i]) return false;
    return true;
  } catch {
    return false; // a getter in its place
  }
}

/** A detached array has no bytes, and a view of it cannot be made. */
function sameBytes(array: object, bytes: Uint8Array): boolean {
  const length = countOf(bytes);
  if (length === 0) return true;
  const own = bytesOf(array);
  for (let i = 0; i < length; i++) if (own[i] !== bytes[i]) return false;
  return true;
}

/** What was returned, each field read once, and the bytes of the numbers that the judge takes. */
export function outputsOf(
  { outputs }: Run,
  returned: unknown,
): { readonly described: Ran["outputs"]; readonly numbers: readonly Uint8Array[] } {
  const described: Ran["outputs"][number][] = listOf();
  const numbers: Uint8Array[] = listOf();
  for (let i = 0; i < outputs.length; i++) {
    const t: unknown = returned == null ? undefined : (returned as Record<string, unknown>)[outputs[i].name];
    const { data, shape } = (t ?? {}) as { readonly data?: unknown; readonly shape?: unknown };
    const kind = kindOf(data);
    const isFloats = kind === "Float32Array" || kind === "Float64Array";
    const length = isFloats ? countOf(data as object) : 0;
    const isWanted = isFloats && length === outputs[i].length;
    numbers[i] = isWanted && length > 0 ? bytesOf(data as object) : nothing;
    described[i] = {
      __proto__: null,
      type: isFloats ? kind : t === undefined ? "nothing" : t === null ? "null" : typeof t,
      shape: isArray(shape) && shape.length <= MOST_AXES ? copyOf(shape as unknown[], listOf()) : undefined,
      length,
      bytes: countOf(numbers[i]),
    } as Ran["outputs"][number];
  }
  return { described, numbers };
}

/** A list that JSON.stringify takes as it is. */
export function listOf<T>(): T[] {
  return setPrototypeOf([], null) as T[];
}

function copyOf(list: readonly unknown[], into: unknown[]): number[] {
  for (let i = 0; i < list.length; i++) into[i] = typeof list[i] === "number" ? list[i] : -1;
  return into as number[];
}
