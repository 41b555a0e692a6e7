// A function as a candidate, in this process: what it may do to a process, it may do to the judge's. judge/README.md says what
// is not promised of it.
import type { Candidate } from "../../reference/candidate.ts";
import type { Inputs, Operation, Outputs, Scalars } from "../../reference/operation.ts";
import { isUnsupported, refusalOf } from "./unsupported.ts";
import { checkOutputs, thrownLine } from "./result.ts";

/** What a function returns is judged like the files of a process. Whatever it throws is its own, an error of the judge's classes too. */
export function functionCandidate(
  name: string,
  operation: Operation,
  compute: (inputs: Inputs, scalars: Scalars) => Promise<Outputs> | Outputs,
): Candidate {
  return {
    name,
    run: async (inputs, scalars) => {
      try {
        return { outputs: checkOutputs(operation, await compute(inputs, scalars)), complaints: [] };
      } catch (error) {
        if (isUnsupported(error)) throw refusalOf(error);
        throw new Error(thrownLine(error), { cause: error });
      }
    },
  };
}
