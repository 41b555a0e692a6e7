// The terms under which a candidate is judged: whose accuracies are allowed, and what the kernel declares.
import { readFileSync, statSync } from "node:fs";
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
    throw new UserError(`--target: "${name}" is none of ${Object.keys(targets).join(", ")}, and no JSON file`);
  }
  let text: string;
  try {
    if (statSync(name).size > LARGEST_TARGET_FILE) throw new Error(`is larger than ${LARGEST_TARGET_FILE} bytes`);
    text = readFileSync(name, "utf8");
  } catch (error) {
    throw new UserError(`--target: ${name} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    return customTarget(JSON.parse(text));
  } catch (error) {
    throw new UserError(`--target: ${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** "P=bfloat16,x=tf32" as the target's declarations. Each name must be a store or an input of some chosen op. */
export function declare(target: Target, list: string | undefined, chosen: readonly Operation[]): Target {
  if (list === undefined) return target;
  try {
    return declareStores(target, parseStores(list), chosen);
  } catch (error) {
    throw new UserError(`--store: ${(error as Error).message}`, { cause: error });
  }
}
