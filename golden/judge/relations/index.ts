// The relations of each op.
import type { Relation } from "./relation.ts";
import { independenceOf } from "./independence.ts";
import { permutationsOf } from "./permutation.ts";
import { scalingsOf } from "./scaling.ts";
import { shiftsOf } from "./shifts.ts";

/** All relations that an op has; none for an op that is not in the tables, such as a fused one. */
export function relationsOf(op: string): Relation[] {
  return [...independenceOf(op), ...permutationsOf(op), ...scalingsOf(op), ...shiftsOf(op)];
}
