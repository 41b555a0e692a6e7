// The terms under which a candidate is judged: whose accuracies are allowed, and what the kernel declares.
import { FormatError } from "../formats/error.ts";
import { readJson } from "../formats/input.ts";
import { customTarget } from "../reference/custom-target.ts";
import type { Operation } from "../reference/operation.ts";
import { type Target, targets } from "../reference/targets.ts";
import { declareStores, parseStores } from "../judge/terms.ts";
import { UserError } from "./errors.ts";

const LARGEST_TARGET_FILE = 1 << 20;

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

/** "P=bfloat16,x=tf32" as the target's declarations. Each name must be a store or an input of some chosen op. */
export function declare(target: Target, list: string | undefined, chosen: readonly Operation[]): Target {
  if (list === undefined) return target;
  try {
    return declareStores(target, parseStores(list), chosen);
  } catch (error) {
    throw new UserError(`--store ${list}: ${(error as Error).message}`, { cause: error });
  }
}
