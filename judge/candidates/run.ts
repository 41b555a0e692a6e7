// One run of any candidate: it gets copies of the inputs, and what it does to them is seen.
import type { Candidate, CandidateResult } from "../../reference/candidate.ts";
import type { Inputs, Operation, Scalars } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { checkResult } from "./result.ts";

/**
 * Outputs that nobody else holds, and complaints: the candidate's own, and the inputs that it changed. Throws what the candidate
 * throws, and TypeError for a result that is something else.
 */
export async function runCandidate(
  operation: Operation,
  candidate: Candidate,
  { inputs, scalars }: { readonly inputs: Inputs; readonly scalars: Scalars },
): Promise<CandidateResult> {
  const copies = Object.entries(inputs).map(([name, t]) => ({
    name,
    original: t,
    data: t.data.slice(),
    shape: [...t.shape],
  }));
  const given = Object.fromEntries(copies.map(({ name, data, shape }) => [name, { data, shape }]));
  const held = { ...given };
  const result = checkResult(operation, await candidate.run(given, { ...scalars }));
  const changed = copies.filter(
    ({ name, original, data }) =>
      !(isStill(given, held, name, data) && sameBits(data, original.data) && sameShape(held[name], original)),
  );
  return {
    ...result,
    complaints: [...result.complaints, ...changed.map(({ name }) => `input ${name} was changed`)],
  };
}

/** Whether an input is still there, with the array that it had. A candidate may have left a getter in its place. */
function isStill(given: Inputs, held: Inputs, name: string, data: Floats | Ints): boolean {
  try {
    return given[name] === held[name] && held[name].data === data;
  } catch {
    return false;
  }
}

function sameShape(a: Tensor<Floats | Ints>, b: Tensor<Floats | Ints>): boolean {
  try {
    return a.shape.length === b.shape.length && b.shape.every((n, i) => a.shape[i] === n);
  } catch {
    return false;
  }
}

/** A detached array has no bytes, and a view of it cannot be made. */
function sameBits(a: Floats | Ints, b: Floats | Ints): boolean {
  if (a.byteLength !== b.byteLength) return false;
  if (a.byteLength === 0) return true;
  const left = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const right = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
  return left.every((byte, i) => byte === right[i]);
}
