// Ops by the names that people type.
import { judgeRows } from "./ops/index.ts";
import { fuseOperations } from "./fused.ts";
import { fuseRows } from "./fused-row.ts";
import { quote } from "../formats/error.ts";
import type { JudgeRow } from "./row.ts";
import type { DTypeName } from "../reference/dtype.ts";
import type { Excluded } from "./sizes/excluded.ts";
import { nearestTo } from "../reference/nearest.ts";
import type { ModelCase } from "./sizes/model.ts";
import type { Operation } from "../reference/operation.ts";
import { operations } from "../reference/ops/index.ts";

export interface Chosen {
  readonly operation: Operation;
  readonly spec: JudgeRow;
  /** What is left out, where the cases are kept to sizes that a kernel supports. */
  readonly excluded?: (dtype: DTypeName) => Excluded;
  /** The cases of a model's shapes, where one was named. */
  readonly model?: readonly ModelCase[];
}

/**
 * "attention" stands for both of its directions, "attention.forward" for one, "rmsnorm.forward+linear.forward" for a fused
 * op. An empty list stands for all ops. Throws RangeError for an unknown name.
 */
export function choose(names: readonly string[]): Chosen[] {
  if (names.length === 0) return [...operations.values()].map(withCases);
  const chosen = new Map<string, Chosen>();
  for (const name of names) {
    for (const found of name.includes("+") ? [fused(name)] : named(name)) chosen.set(found.operation.name, found);
  }
  return [...chosen.values()];
}

function named(name: string): Chosen[] {
  const found = [...operations.values()].filter((o) => o.name === name || o.name.split(".")[0] === name);
  if (found.length === 0) {
    const known = [...new Set([...operations.keys()].map((key) => key.split(".")[0]))];
    const nearest = nearestTo(name, [...known, ...operations.keys()]);
    throw new RangeError(
      `no op is named ${quote(name)}, ${nearest}expected one of ${known.join(", ")}, or one with .forward or .backward`,
    );
  }
  return found.map(withCases);
}

/** Ops in a row that are fused into one; a block of the model has some fifteen. */
const MOST_FUSED = 32;

function fused(name: string): Chosen {
  const parts = name.split("+");
  if (parts.length > MOST_FUSED) {
    throw new RangeError(`${quote(name)}: fuses ${parts.length} ops, expected at most ${MOST_FUSED}`);
  }
  return parts
    .map((part) => {
      const operation = operations.get(part);
      if (operation === undefined)
        throw new RangeError(
          `${quote(name)}: ${quote(part)} is not an op and direction, expected such as rmsnorm.forward`,
        );
      return withCases(operation);
    })
    .reduce((a, b) => {
      const operation = fuseOperations(a.operation, b.operation);
      return { operation, spec: fuseRows(operation, a.spec, b.spec) };
    });
}

function withCases(operation: Operation): Chosen {
  const spec = judgeRows.get(operation.name);
  if (spec === undefined) throw new Error(`${operation.name} has no cases`);
  return { operation, spec };
}
