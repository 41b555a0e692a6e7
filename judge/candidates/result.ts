// What a candidate returned or threw, whatever that is.
import type { Candidate, CandidateResult } from "../../reference/candidate.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";
import { printable } from "../../formats/printable.ts";
import { type Floats, sizeOf, type Tensor } from "../../reference/tensor.ts";

/**
 * A run's result, copied: a candidate may reuse its memory, and what it returned may be different at each look. The numbers of one that
 * is isolated are taken as they are. Throws TypeError unless it has outputs, each a tensor of real numbers or absent, and complaints.
 */
export function checkResult(operation: Operation, result: unknown, isIsolated = false): CandidateResult {
  const { outputs, complaints, milliseconds } = (result ?? {}) as Partial<CandidateResult>;
  if (typeof outputs !== "object" || outputs === null || !Array.isArray(complaints)) {
    throw new TypeError("run returned something else, expected { outputs, complaints: [] }");
  }
  const copies: Record<string, Tensor> = {};
  for (const name of Object.keys(operation.outputs)) {
    const t: unknown = outputs[name];
    if (t !== undefined) copies[name] = copyOf(name, t, isIsolated);
  }
  const own = typeof milliseconds === "number" ? { milliseconds } : {};
  return { outputs: copies, complaints: complaints.slice(0, MOST_COMPLAINTS).map(complaintLine), ...own };
}

/** Copies of the outputs. Throws TypeError unless every output of the op is a tensor of real numbers. */
export function checkOutputs(operation: Operation, outputs: unknown): Outputs {
  const names = Object.keys(operation.outputs);
  return Object.fromEntries(names.map((name) => [name, copyOf(name, (outputs as Outputs | null | undefined)?.[name])]));
}

/** Reads each field once: a getter may answer differently the second time. */
function copyOf(name: string, t: unknown, isIsolated = false): Tensor {
  const { data, shape } = (t ?? {}) as { data?: unknown; shape?: unknown };
  if (!isFloats(data) || !Array.isArray(shape)) {
    const what = t === undefined ? "nothing" : t === null ? "null" : typeof t;
    throw new TypeError(`returned ${name} as ${what}, expected { data: Float32Array, shape }`);
  }
  const lengths = shape.slice(0, MOST_AXES + 1);
  if (lengths.length > MOST_AXES) {
    throw new TypeError(`returned ${name} with more than ${MOST_AXES} axes, expected its shape`);
  }
  if (!lengths.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new TypeError(`returned ${name} with a shape of something else, expected lengths such as [2, 3]`);
  }
  const copy = isIsolated ? data : data instanceof Float32Array ? new Float32Array(data) : new Float64Array(data);
  if (copy.length !== sizeOf(lengths)) {
    throw new TypeError(
      `returned ${name} with ${copy.length} numbers, expected ${sizeOf(lengths)} for its shape [${lengths}]`,
    );
  }
  return { data: copy, shape: lengths };
}

/** More axes than any op has. */
const MOST_AXES = 8;

function isFloats(data: unknown): data is Floats {
  return data instanceof Float32Array || data instanceof Float64Array;
}

/** A candidate's own complaint, whatever it is, in one line. */
export function complaintLine(complaint: unknown): string {
  return printable(String(complaint).slice(0, LONGEST_LINE));
}

/** The finding that a candidate threw, in one line. */
export function failureLine({ name }: Candidate, thrown: unknown): string {
  return `${printable(name.slice(0, LONGEST_LINE))} failed: ${thrownLine(thrown)}`;
}

/**
 * What was thrown, in one line of bounded length without control characters. An error of another realm is not an instance of
 * Error, and a hostile one throws when it is looked at.
 */
export function thrownLine(thrown: unknown): string {
  try {
    const { message } = (thrown ?? {}) as { message?: unknown };
    const isThing = (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
    const text = typeof message === "string" ? message : `threw ${isThing ? "an object" : String(thrown)}`;
    return printable(text.slice(0, LONGEST_LINE).replaceAll(/\s*\n\s*/g, " "));
  } catch {
    return "threw an object that cannot be read";
  }
}

const LONGEST_LINE = 2000;
/** One for each thing that a device's guards can find out about an op's tensors, and more. */
const MOST_COMPLAINTS = 100;
