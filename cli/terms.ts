// The terms under which a candidate is judged: whose accuracies are allowed, and what the kernel declares.
import { FormatError } from "../formats/error.ts";
import { readJson } from "../formats/input.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { customTarget } from "../reference/custom-target.ts";
import type { Operation } from "../reference/operation.ts";
import { operations } from "../reference/ops/index.ts";
import { type Target, targets } from "../reference/targets.ts";
import type { Chosen } from "../judge/choose.ts";
import { offering } from "../judge/offered.ts";
import { declaredOrder, declareSums, parseSums } from "../judge/sums.ts";
import { checkArithmetic, checkStores, declareStores, parseStores } from "../judge/terms.ts";
import { checkTree, type SumTree } from "../reference/sum-tree.ts";
import { UserError } from "./errors.ts";

const LARGEST_TARGET_FILE = 1 << 20;
/** A tree of MOST_LEAVES terms, with a line for each number. */
const LARGEST_TREE_FILE = 1 << 27;

/** A target by its name, or from a JSON file. */
export function chooseTarget(name: string | undefined, fallback: keyof typeof targets = "wgsl"): Target {
  if (name === undefined) return targets[fallback];
  if (Object.hasOwn(targets, name)) return targets[name as keyof typeof targets];
  if (!/[./\\]/.test(name)) {
    throw new UserError(
      `--target ${name}: there is no such target, expected one of ${Object.keys(targets).join(", ")}, or a JSON file`,
    );
  }
  try {
    return customTarget(readJson(name, "a target in JSON", LARGEST_TARGET_FILE));
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof FormatError) throw new UserError(`--target ${message}`, { cause: error });
    throw new UserError(`--target ${name}: ${message}`, { cause: error });
  }
}

/** The ops with the outputs of a list such as "y" or "dk,dv"; with all of theirs without a list. */
export function offeredIn(list: string | undefined, chosen: readonly Chosen[]): readonly Chosen[] {
  if (list === undefined) return chosen;
  const names = list.split(",").map((name) => name.trim());
  return refusing(`--outputs ${list}`, () => offering(chosen, names.join("") === "" ? [] : names));
}

/** What a command is told of the terms. */
export interface TermsGiven {
  readonly target?: string;
  readonly store?: string;
  readonly sum?: string;
  readonly dtype?: DTypeName;
}

/** The target, where the ops and the dtype suit its arithmetic, and some op has each intermediate that it says is stored low. */
export function suiting(target: Target, chosen: Iterable<Operation>, dtype?: DTypeName): Target {
  const own = [...chosen];
  return refusing(`--target ${target.name}`, () => {
    checkStores(target.stores ?? {}, own, [...operations.values()]); // a file serves many ops
    return checkArithmetic(target, own, dtype);
  });
}

/** The target with what the kernels declare: "P=bfloat16,x=tf32" and "dx=blocked:64,dw=pairwise". Each name must be one of some chosen op. */
export function targetOf({ target, store, sum, dtype }: TermsGiven, chosen: readonly Operation[]): Target {
  return declareOrders(declare(suiting(chooseTarget(target), chosen, dtype), store, chosen), sum, chosen);
}

/** "dx=blocked:64,dw=pairwise" as the target's declarations. Each name must be a sum of some chosen op, and each op must have one. */
export function declareOrders(target: Target, list: string | undefined, chosen: readonly Operation[]): Target {
  return list === undefined
    ? target
    : refusing(`--sum ${list}`, () => declareSums(target, parseSums(list, treeIn), chosen));
}

/** "P=bfloat16,x=tf32" as the target's declarations. Each name must be a store or an input of some chosen op. */
export function declare(target: Target, list: string | undefined, chosen: readonly Operation[]): Target {
  return list === undefined
    ? target
    : refusing(`--store ${list}`, () => declareStores(target, parseStores(list), chosen));
}

function refusing<T>(option: string, declared: () => T): T {
  try {
    return declared();
  } catch (error) {
    throw new UserError(`${option}: ${(error as Error).message}`, { cause: error });
  }
}

/** ", under the declared order blocked:64", or nothing. */
export function underOrder(target: Target, operation: Operation): string {
  const order = declaredOrder(target, operation);
  return order === undefined ? "" : `, under ${order}`;
}

/** The files of trees in a list of orders. */
export function treeFiles(sum: string | undefined): string[] {
  return [...(sum ?? "").matchAll(/(?:^|,|=)tree:([^,]*)/g)].map(([, path]) => path);
}

/** The tree of a sum, or the only one, in a file that `touchstone order --json` has written. */
function treeIn(path: string, sum: string): SumTree {
  const json = readJson(path, "the trees of `touchstone order --json`", LARGEST_TREE_FILE);
  const found = treesIn(json).filter((one) => sum === "" || one.sum === sum);
  if (found.length !== 1) {
    const names = [...new Set(treesIn(json).map((one) => one.sum))];
    const expected =
      names.length > 1 ? `one of a sum, such as ${names[0]}=tree:FILE` : "one, as `touchstone order --json` writes it";
    throw new RangeError(
      `${path}: has ${found.length === 0 ? "no tree" : `${found.length} trees`}${sum === "" ? "" : ` of ${sum}`}, expected ${expected}`,
    );
  }
  checkTree(found[0].tree);
  return found[0].tree;
}

/** Each tree of a report, with the sum's name; the file may have been changed. */
function treesIn(json: unknown): { readonly sum: string; readonly tree: unknown }[] {
  const listOf = (value: unknown, name: string): readonly Record<string, unknown>[] => {
    const list = (value as Record<string, unknown> | null | undefined)?.[name];
    return Array.isArray(list) ? list : [];
  };
  return listOf(json, "kernels").flatMap((kernel) =>
    listOf(kernel, "sums").flatMap((sum) =>
      listOf(sum, "trees").map((found) => ({
        sum: String(sum["sum"]),
        tree: (found as typeof found | null)?.["tree"],
      })),
    ),
  );
}
