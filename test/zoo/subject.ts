// What the zoo's table has a line for: a fault in TypeScript, or a kernel in WGSL with one line changed into a mistake.
import { declareStores, type Terms } from "../../judge/terms.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { type DTypeName, dtypes, round } from "../../reference/dtype.ts";
import { type Operation, type Outputs, storageOf } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Kernel } from "../../zoo/faults/fault.ts";
import { faults } from "../../zoo/faults/index.ts";
import { mutants } from "../../zoo/mutants/index.ts";
import { mutate } from "../../zoo/mutants/mutant.ts";
import { kernelCandidate, wgsl } from "../device.ts";

export interface Subject {
  /** Such as "rmsnorm.forward/eps-outside", or "rmsnorm.forward.wgsl/3" for the third mutant of a file. */
  readonly id: string;
  readonly op: string;
  readonly class: string;
  readonly what: string;
  readonly source: string | undefined;
  readonly isConvention: boolean;
  /** Whether a default check is known not to find it. */
  readonly isMissed: boolean;
  readonly terms: Terms;
  /** A kernel that has run nothing yet. */
  readonly candidate: () => Promise<Candidate>;
}

/** A kernel as a candidate: what it returns is rounded once to the dtype. */
export function candidateOf(operation: Operation, kernel: Kernel, dtype: DTypeName): Candidate {
  const stored = (outputs: Outputs): Outputs =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, { data, shape }]) => {
        const format = dtypes[storageOf(operation, name, dtype)];
        return [name, { data: format.name === "float32" ? data : data.map((x) => round(x, format)), shape }];
      }),
    );
  return {
    name: operation.name,
    run: async (inputs, scalars) => ({ outputs: stored(kernel(inputs, scalars)), complaints: [] }),
  };
}

function ofFaults(): Subject[] {
  return faults.map(({ name, op, what, kernel, dtype = "float32", stores = {}, ...fault }) => {
    const operation = operations.get(op)!;
    return {
      id: `${op}/${name}`,
      op,
      class: fault.class,
      what,
      source: fault.source,
      isConvention: fault.convention === true,
      isMissed: fault.missed !== undefined,
      terms: { target: declareStores(targets[fault.target ?? "wgsl"], stores, [operation]), dtype },
      candidate: async () => candidateOf(operation, kernel(), dtype),
    };
  });
}

function ofMutants(): Subject[] {
  const counts = new Map<string, number>();
  return mutants.map((mutant) => {
    const { file, op, kind, what, source } = mutant;
    const n = (counts.get(file) ?? 0) + 1;
    counts.set(file, n);
    return {
      id: `${file}/${n}`,
      op,
      class: kind,
      what,
      source,
      isConvention: false,
      isMissed: false,
      terms: { target: targets.wgsl, dtype: "float32" },
      candidate: () => kernelCandidate(op, { sources: new Map([[file, mutate(mutant, wgsl(file))]]) }),
    };
  });
}

/** Every fault of the zoo. */
export const subjects: readonly Subject[] = [...ofFaults(), ...ofMutants()];
