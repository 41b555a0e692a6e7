// The relations of each op; for a fused op, those that follow from the relations of its parts.
import type { Operation } from "../../reference/operation.ts";
import type { JudgeRow } from "../row.ts";
import type { Relation } from "./relation.ts";
import { batchesOf } from "./batches.ts";
import { independenceOf } from "./independence.ts";
import { ordersOf } from "./order.ts";
import { permutationsOf } from "./permutation.ts";
import { scalingsOf } from "./scaling.ts";
import { shiftsOf } from "./shifts.ts";

/** All relations that an op has. */
export function relationsOf(operation: Operation, row: JudgeRow): Relation[] {
  return [
    ...independenceOf(operation, row),
    ...batchesOf(operation, row),
    ...permutationsOf(row),
    ...scalingsOf(row),
    ...shiftsOf(row),
    ordersOf(row),
  ];
}
