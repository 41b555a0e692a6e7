// A block's activations: some were saved, each of the others is computed when it is first read.
import { blockTensors, fieldAt, type TensorName } from "./block-table.ts";

/** The tensors of a block that are kept between the passes. */
export type Saved<T> = ReadonlyMap<TensorName, T>;

/** How each of a block's results comes from those above it. */
export type Lines<A> = { readonly [Name in Exclude<keyof A, "x">]: (a: A) => A[Name] };

/** Called with each line that runs again, in order, and its results. */
export type Again<T> = (line: string, outputs: ReadonlyMap<TensorName, T>) => void;

/** The tensors of those names. */
export function saveOf<T>(names: readonly TensorName[], a: object): Saved<T> {
  return new Map(names.map((name) => [name, fieldAt<T>(a, name)]));
}

/** An object whose fields are saved tensors or the results of their lines; a line runs when it is first read, and only once. */
export function lazily<A extends object, T>(saved: Saved<T>, lines: Lines<A>, again: Again<T> = () => {}): A {
  const a: Record<string, unknown> = {};
  const results = new Map<string, unknown>();
  for (const [line, compute] of Object.entries(lines) as [string, (a: unknown) => unknown][]) {
    const run = (): unknown => {
      if (results.has(line)) return results.get(line);
      const result = compute(a);
      results.set(line, result);
      again(line, namedBy(line, result));
      return result;
    };
    define(a, line, saved, run);
  }
  Object.defineProperty(a, "x", { enumerable: true, value: saved.get("x") });
  return a as A;
}

/** Every field at once, in the order of the lines. */
export function allOf<A extends object>(given: Saved<unknown>, lines: Lines<A>): A {
  const a = lazily(given, lines);
  const computed = Object.entries(lines) as [keyof A, unknown][];
  return Object.fromEntries([["x", given.get("x")], ...computed.map(([line]) => [line, valueOf(a[line])])]) as A;
}

/** A field with its getters replaced by their values. */
function valueOf(field: unknown): unknown {
  return { ...(field as object) };
}

/** Defines a field that is saved or computed, or one with several such parts: attention has y and lse. */
function define(a: object, line: string, saved: Saved<unknown>, run: () => unknown): void {
  const outputs = outputsOf(line);
  if (outputs.length === 1) {
    const [name] = outputs;
    Object.defineProperty(a, line, { enumerable: true, get: () => (saved.has(name) ? saved.get(name) : run()) });
    return;
  }
  const parts = {};
  for (const name of outputs) {
    const get = (): unknown => (saved.has(name) ? saved.get(name) : fieldAt(run() as object, partOf(name)));
    Object.defineProperty(parts, partOf(name), { enumerable: true, get });
  }
  Object.defineProperty(a, line, { enumerable: true, value: parts });
}

/** The result of a line, tensor by tensor. */
export function namedBy<T>(line: string, result: unknown): Map<TensorName, T> {
  const outputs = outputsOf(line);
  return new Map(
    outputs.map((name) => [name, outputs.length === 1 ? (result as T) : fieldAt<T>(result, partOf(name))]),
  );
}

/** The tensors that a line gives: "attention" gives attention.y and attention.lse. */
function outputsOf(line: string): TensorName[] {
  return (Object.keys(blockTensors) as TensorName[]).filter((name) => name === line || name.startsWith(`${line}.`));
}

function partOf(name: TensorName): string {
  return name.slice(name.indexOf(".") + 1);
}
