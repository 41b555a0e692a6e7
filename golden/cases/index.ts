// Every op's cases; one line a row.
import type { CaseSpec } from "./case.ts";
import * as swiglu from "./swiglu.ts";

const specs: readonly CaseSpec[] = [swiglu.forward, swiglu.backward];

export const cases: ReadonlyMap<string, CaseSpec> = new Map(specs.map((spec) => [spec.op, spec]));
