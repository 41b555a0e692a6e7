// Inputs that a real training step gave to each op.
import type { Problem } from "./case.ts";

/** The recorded inputs of an op, a different instance for another seed; undefined where the op has none. */
export type RealInputs = (op: string, seed: number) => Problem | undefined;

/** TEMP */
export function realInputs(): RealInputs {
  return () => undefined;
}
