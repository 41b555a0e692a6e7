// Every correct evaluation; one line a row.
import type { Animal } from "./animal.ts";
import { swiglu } from "./swiglu.ts";

const animals: readonly Animal[] = [...swiglu];

/** The correct evaluations of one op. */
export function animalsOf(op: string): readonly Animal[] {
  return animals.filter((animal) => animal.op === op);
}
