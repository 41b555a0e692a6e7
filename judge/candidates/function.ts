// A function as a candidate.
import type { Candidate } from "../../reference/candidate.ts";
import type { Inputs, Operation, Outputs, Scalars } from "../../reference/operation.ts";

/** What a function returns is judged like the files of a process. */
export function functionCandidate(
  name: string,
  operation: Operation,
  compute: (inputs: Inputs, scalars: Scalars) => Promise<Outputs> | Outputs,
): Candidate {
  return {
    name,
    run: async (inputs, scalars) => {
      const outputs: unknown = await compute(inputs, scalars);
      for (const output of Object.keys(operation.outputs)) {
        checkOutput(output, (outputs as Outputs | null | undefined)?.[output]);
      }
      return { outputs: outputs as Outputs, complaints: [] };
    },
  };
}

function checkOutput(name: string, t: unknown): void {
  const { data, shape } = (t ?? {}) as { data?: unknown; shape?: unknown };
  if (!(data instanceof Float32Array || data instanceof Float64Array) || !Array.isArray(shape)) {
    const what = t === undefined ? "nothing" : t === null ? "null" : typeof t;
    throw new Error(`returned ${name} as ${what}, expected { data: Float32Array, shape }`);
  }
}
