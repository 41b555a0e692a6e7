// Every mutant; one line a row.
import type { Mutant } from "./mutant.ts";
import { swiglu } from "./swiglu.ts";

export const mutants: readonly Mutant[] = [...swiglu];

/** The mutants of one op's kernel files. */
export function mutantsOf(op: string): readonly Mutant[] {
  return mutants.filter((mutant) => mutant.op === op);
}
