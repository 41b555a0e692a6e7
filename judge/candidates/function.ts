// A function as a candidate.
import type { Candidate } from "../../reference/candidate.ts";
import type { Inputs, Operation, Outputs, Scalars } from "../../reference/operation.ts";
import { checkOutputs } from "./result.ts";

/** What a function returns is judged like the files of a process. */
export function functionCandidate(
  name: string,
  operation: Operation,
  compute: (inputs: Inputs, scalars: Scalars) => Promise<Outputs> | Outputs,
): Candidate {
  return {
    name,
    run: async (inputs, scalars) => {
      return { outputs: checkOutputs(operation, await compute(inputs, scalars)), complaints: [] };
    },
  };
}
