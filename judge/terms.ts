// The terms under which a kernel is judged: the target whose accuracies are allowed, and how tensors are stored.
import { type DTypeName, type FormatName, formats } from "../reference/dtype.ts";
import { quote } from "../formats/error.ts";
import type { Operation } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";

/** The terms of a judgement; formats that the kernel declares for intermediates and inputs are part of the target. */
export interface Terms {
  /** Whose accuracies are allowed. */
  readonly target: Target;
  /** How inputs and outputs are stored. Statistics and losses stay float32. */
  readonly dtype: DTypeName;
  /** The share of an output's elements that may lack a finite bound, from 0 to 1; ALLOWED_UNJUDGED if left out. */
  readonly allowUnjudged?: number;
}

/** Intermediates and inputs by name, each with the format that it is stored or read in. */
export type Stores = Readonly<Record<string, FormatName>>;

/** "P=bfloat16,x=tf32" → { P: "bfloat16", x: "tf32" }. Throws RangeError that names the word that is wrong. */
export function parseStores(list: string): Stores {
  const stores: Record<string, FormatName> = Object.create(null);
  for (const word of list.split(",")) {
    const [name, format, ...rest] = word.split("=");
    if (format === undefined || rest.length > 0)
      throw new RangeError(`${quote(word)} is not NAME=FORMAT, expected such as P=bfloat16`);
    if (name in stores) throw new RangeError(`${quote(name)} is declared twice, expected once`);
    stores[name] = format as FormatName;
  }
  return stores;
}

/**
 * The target with the kernel's declarations. Throws RangeError where a name is neither a store nor an input of one of the ops,
 * or a format is unknown.
 */
export function declareStores(target: Target, stores: Stores, operations: readonly Operation[]): Target {
  checkStores(stores, operations);
  for (const format of Object.values(stores)) {
    if (!Object.hasOwn(formats, format)) {
      throw new RangeError(`${quote(format)} is not a format, expected one of ${Object.keys(formats).join(", ")}`);
    }
  }
  return { ...target, stores: { ...target.stores, ...stores } };
}

/** Throws RangeError where a name is neither a store nor an input of one of the ops, or of `others`. */
export function checkStores(stores: Stores, operations: readonly Operation[], others: readonly Operation[] = []): void {
  const namesOf = (list: readonly Operation[]): Set<string> =>
    new Set(list.flatMap((op) => [...Object.keys(op.stores), ...floatInputs(op)]));
  const [known, also] = [namesOf(operations), namesOf(others)];
  for (const name of Object.keys(stores)) {
    if (known.has(name) || also.has(name)) continue;
    throw new RangeError(
      `${quote(name)} is not an intermediate or input of these ops, expected one of ${[...known].join(", ")}`,
    );
  }
}

function floatInputs({ inputs, integers }: Operation): string[] {
  return Object.keys(inputs).filter((name) => !integers.includes(name));
}

/**
 * The ops whose bound holds for arithmetic in float16: no input of theirs stays float32, which a kernel would have to round first, and no bound
 * presumes float32's range.
 */
const inFloat16: ReadonlySet<string> = new Set([
  "add.forward",
  "linear.forward",
  "linear.backward",
  "embedding.forward",
  "embedding.backward",
  "rmsnorm.forward",
  "softmax.forward",
  "softmax.backward",
  "swiglu.forward",
  "swiglu.backward",
]);

/** The target, where the ops and the dtype suit its arithmetic. Throws RangeError that says which would. */
export function checkArithmetic(target: Target, operations: readonly Operation[], dtype?: DTypeName): Target {
  if (target.arithmetic === undefined) return target;
  const other = operations.find(({ name }) => !inFloat16.has(name));
  if (other !== undefined) {
    const known = [...inFloat16].join(", ");
    throw new RangeError(
      `${target.name} computes in float16, for which ${other.name} has no bound, expected one of ${known}`,
    );
  }
  if (dtype === target.arithmetic) return target;
  throw new RangeError(
    `${target.name} computes in float16, expected tensors of dtype float16, not ${dtype ?? "float32"}`,
  );
}
