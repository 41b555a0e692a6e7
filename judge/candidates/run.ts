// One run of any candidate: it gets copies of the inputs, and what it does to them is seen.
import type { Candidate, CandidateResult } from "../../reference/candidate.ts";
import type { Inputs, Operation, Scalars } from "../../reference/operation.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { checkResult } from "./result.ts";
import { isUnsupported } from "./unsupported.ts";

/** Arrays that later calls use again, by name and length. */
export type Buffers = Map<string, Floats | Ints>;

/**
 * Outputs that nobody else holds, and complaints: the candidate's own, and the inputs that it changed. Throws what the candidate
 * throws, also Unsupported, and TypeError for a result that is something else. The inputs are copied into `buffers`, if given, as a program does that
 * keeps its memory and changes the numbers in it.
 */
export async function runCandidate(
  operation: Operation,
  candidate: Candidate,
  { inputs, scalars }: { readonly inputs: Inputs; readonly scalars: Scalars },
  buffers?: Buffers,
): Promise<CandidateResult> {
  if (candidate.isIsolated === true) return checkResult(operation, await candidate.run(inputs, { ...scalars }), true);
  const copies = Object.entries(inputs).map(([name, t]) => ({
    name,
    original: t,
    data: buffers === undefined ? t.data.slice() : intoBuffer(buffers, name, t.data),
    shape: [...t.shape],
  }));
  const given = Object.fromEntries(copies.map(({ name, data, shape }) => [name, { data, shape }]));
  const held = { ...given };
  const changedNow = (): typeof copies =>
    copies.filter(
      ({ name, original, data }) =>
        !(isStill(given, held, name, data) && sameBits(data, original.data) && sameShape(held[name], original)),
    );
  let answer: CandidateResult;
  try {
    answer = await candidate.run(given, { ...scalars });
  } catch (error) {
    const [first] = isUnsupported(error) ? changedNow() : [];
    if (first !== undefined)
      throw new Error(`refused a case after it had changed input ${first.name}`, { cause: error });
    throw error;
  }
  const result = checkResult(operation, answer);
  const changed = changedNow();
  return {
    ...result,
    complaints: [...result.complaints, ...changed.map(({ name }) => `input ${name} was changed`)],
  };
}

/** A copy in the same array as the last one of that name and length; in a new one if there is none or the candidate has detached it. */
function intoBuffer(buffers: Buffers, name: string, data: Floats | Ints): Floats | Ints {
  const key = `${name} ${data.length}`;
  const kept = buffers.get(key);
  if (kept?.length === data.length && kept.constructor === data.constructor) {
    kept.set(data as never);
    return kept;
  }
  const copy = data.slice();
  buffers.set(key, copy);
  return copy;
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
  const left = new Int32Array(a.buffer, a.byteOffset, a.byteLength / Int32Array.BYTES_PER_ELEMENT);
  const right = new Int32Array(b.buffer, b.byteOffset, b.byteLength / Int32Array.BYTES_PER_ELEMENT);
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
