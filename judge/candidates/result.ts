// What a candidate returned or threw, whatever that is.
import type { Candidate, CandidateResult } from "../../reference/candidate.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";

/** A run's result. Throws TypeError unless it has outputs, each a tensor of real numbers or absent, and complaints. */
export function checkResult(operation: Operation, result: unknown): CandidateResult {
  const { outputs, complaints } = (result ?? {}) as Partial<CandidateResult>;
  if (typeof outputs !== "object" || outputs === null || !Array.isArray(complaints)) {
    throw new TypeError("run returned something else, expected { outputs, complaints: [] }");
  }
  for (const name of Object.keys(operation.outputs)) {
    if (outputs[name] !== undefined) checkOutput(name, outputs[name]);
  }
  return { outputs, complaints };
}

/** Throws TypeError unless every output of the op is a tensor of real numbers. */
export function checkOutputs(operation: Operation, outputs: unknown): Outputs {
  for (const name of Object.keys(operation.outputs)) {
    checkOutput(name, (outputs as Outputs | null | undefined)?.[name]);
  }
  return outputs as Outputs;
}

function checkOutput(name: string, t: unknown): void {
  const { data, shape } = (t ?? {}) as { data?: unknown; shape?: unknown };
  if (!(data instanceof Float32Array || data instanceof Float64Array) || !Array.isArray(shape)) {
    const what = t === undefined ? "nothing" : t === null ? "null" : typeof t;
    throw new TypeError(`returned ${name} as ${what}, expected { data: Float32Array, shape }`);
  }
}

/** The finding that a candidate threw, in one line. An error of another realm is not an instance of Error. */
export function failureLine({ name }: Candidate, thrown: unknown): string {
  const { message } = (thrown ?? {}) as { message?: unknown };
  if (typeof message === "string") return `${name} failed: ${message.replaceAll(/\s*\n\s*/g, " ")}`;
  return `${name} failed: threw ${typeof thrown === "object" && thrown !== null ? "an object" : String(thrown)}`;
}
