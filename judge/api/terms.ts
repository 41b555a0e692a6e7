// The terms as a user gives them; each has a default.
import { type DTypeName, type FormatName, formats } from "../../reference/dtype.ts";
import type { Operation } from "../../reference/operation.ts";
import { type FunctionName, functionNames, type Target, targets } from "../../reference/targets.ts";
import { ALLOWED_UNJUDGED } from "../conclusion.ts";
import type { SumOrder } from "../../reference/sum-order.ts";
import type { SumTree } from "../../reference/sum-tree.ts";
import { declareSums, parseOrder, treeOrder } from "../sums.ts";
import { checkArithmetic, declareStores, type Stores, type Terms } from "../terms.ts";
import type { Chosen } from "../choose.ts";
import { offering } from "../offered.ts";
import { checkFields, fieldsOf, shown } from "./input.ts";

/**
 * The terms under which a kernel is judged.
 *
 * @example
 * ```ts
 * import { targets, type TermsOptions } from "touchstone-llama";
 *
 * // A CUDA kernel on bfloat16 tensors that rounds the softmax's weights P to bfloat16 before the second product.
 * const terms: TermsOptions = { target: targets.cuda, dtype: "bfloat16", stores: { P: "bfloat16" } };
 * ```
 */
export interface TermsOptions {
  /** Whose accuracies are allowed; if left out, the candidate's own target (WGSL's for a WGSL kernel), otherwise `targets.ieee`. */
  readonly target?: Target;
  /**
   * How inputs and outputs are stored; "float32" if left out. Inputs are rounded to it before anything is computed.
   * Statistics and losses stay float32.
   */
  readonly dtype?: "float32" | "bfloat16" | "float16";
  /** Intermediates that the kernel stores, and inputs that it reads, in a lower format: `{ P: "bfloat16", x: "tf32" }`. */
  readonly stores?: Stores;
  /**
   * The order of summation that the kernel has: "blocked:64" for all sums, or `{ dx: "blocked:64", dw: "pairwise" }`, each an order as
   * `--sum` takes it or a tree; any order if left out.
   */
  readonly sums?: string | Readonly<Record<string, string | SumTree>>;
  /** The outputs that the kernel gives, such as `["y"]` for an attention without its lse; all of the op's if left out. The others are not judged. `oracle` and fixtures have all. */
  readonly outputs?: readonly string[];
  /**
   * The share of an output's elements, from 0 to 1, that may lack a finite bound before a verdict is inconclusive; 0.1 if left
   * out. `oracle` gives no verdict and ignores it.
   */
  readonly allowUnjudged?: number;
}

export const termsFields = [
  "target",
  "dtype",
  "stores",
  "sums",
  "outputs",
  "allowUnjudged",
] as const satisfies readonly (keyof TermsOptions)[];
const dtypeNames: readonly DTypeName[] = ["float32", "bfloat16", "float16"];

/** The op with the outputs that the terms name; all of them where they name none. Throws TypeError or RangeError for other names. */
export function offeredBy(chosen: Chosen, options: unknown, where = "terms"): Chosen {
  const { outputs } = (options ?? {}) as { readonly outputs?: unknown };
  if (outputs === undefined) return chosen;
  if (!Array.isArray(outputs) || !outputs.every((name): name is string => typeof name === "string")) {
    throw new TypeError(`${where}.outputs: got ${shown(outputs)}, expected a list of outputs such as ["y"]`);
  }
  return refusing(`${where}.outputs`, () => offering([chosen], outputs)[0]);
}

/** The terms with their defaults. Throws TypeError or RangeError for a bad term. */
export function termsOf(
  operation: Operation,
  options: unknown = {},
  where = "terms",
  fallback: Target = targets.ieee,
): Terms {
  const fields = fieldsOf(options, where, `an object of ${termsFields.join(", ")}`);
  checkFields(fields, where, termsFields);
  const { target = fallback, dtype = "float32", stores = {}, sums, allowUnjudged = ALLOWED_UNJUDGED } = fields;
  checkTarget(target, `${where}.target`);
  if (!dtypeNames.includes(dtype as DTypeName)) {
    throw new RangeError(`${where}.dtype: got ${shown(dtype)}, expected one of ${dtypeNames.join(", ")}`);
  }
  checkStores(stores, `${where}.stores`);
  checkShare(allowUnjudged, `${where}.allowUnjudged`);
  refusing(`${where}.target`, () => checkArithmetic(target, [operation], dtype as DTypeName));
  const stored = refusing(`${where}.stores`, () => declareStores(target, stores, [operation]));
  const declared = sums === undefined ? stored : declareOrders(stored, sums, [operation], `${where}.sums`);
  return { target: declared, dtype: dtype as DTypeName, allowUnjudged };
}

/** The target with the orders of summation that a user declares. */
export function declareOrders(target: Target, sums: unknown, chosen: readonly Operation[], where: string): Target {
  const given =
    typeof sums === "string"
      ? { "": sums }
      : fieldsOf(sums, where, 'a text such as "blocked:64", or an object of sums');
  const orders = Object.entries(given).map(([name, order]): [string, SumOrder] => {
    return [name, orderOf(order, name === "" ? where : `${where}.${name}`)];
  });
  return refusing(where, () => declareSums(target, Object.fromEntries(orders), chosen));
}

function orderOf(order: unknown, where: string): SumOrder {
  if (typeof order === "string") return refusing(where, () => parseOrder(order));
  const tree = fieldsOf(order, where, 'a text such as "blocked:64", or a tree { terms, additions }');
  return refusing(where, () => treeOrder(tree));
}

function refusing<T>(where: string, declare: () => T): T {
  try {
    return declare();
  } catch (error) {
    throw new RangeError(`${where}: ${(error as Error).message}`, { cause: error });
  }
}

export function checkShare(share: unknown, where: string): asserts share is number {
  if (typeof share !== "number") throw new TypeError(`${where}: got ${shown(share)}, expected a number from 0 to 1`);
  if (!(share >= 0 && share <= 1)) throw new RangeError(`${where}: got ${share}, expected a number from 0 to 1`);
}

export function checkTarget(target: unknown, where: string): asserts target is Target {
  const expected = "one of `targets`, such as targets.wgsl, or what customTarget returns";
  if (typeof target === "string") throw new TypeError(`${where}: got ${shown(target)}, expected ${expected}`);
  const { u, functions } = fieldsOf(target, where, expected) as Partial<Target>;
  const isWhole =
    typeof u === "number" && u > 0 && functionNames.every((name: FunctionName) => Array.isArray(functions?.[name]));
  if (!isWhole) throw new TypeError(`${where}: got ${shown(target)}, expected ${expected}`);
}

function checkStores(stores: unknown, where: string): asserts stores is Stores {
  const fields = fieldsOf(stores, where, 'an object such as { P: "bfloat16" }');
  for (const [name, format] of Object.entries(fields)) {
    if (typeof format === "string" && Object.hasOwn(formats, format as FormatName)) continue;
    throw new RangeError(`${where}.${name}: got ${shown(format)}, expected one of ${Object.keys(formats).join(", ")}`);
  }
}
