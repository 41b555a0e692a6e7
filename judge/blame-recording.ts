// Blame of a file: the recording, the ops of its steps, and the terms under which they are judged.
import type { DTypeName } from "../reference/dtype.ts";
import { operations } from "../reference/ops/index.ts";
import type { Target } from "../reference/targets.ts";
import { readTraceInput, type TraceInput } from "../trace/input.ts";
import { instancesOf } from "../trace/instances.ts";
import { isMixed, openRecording } from "../trace/recording.ts";
import { type Blame, blameSteps, concludeBlame, type Found } from "./blame.ts";

/** How far blame of a file has come. */
export interface Blaming {
  readonly found: Found;
  readonly target: Target;
}

/**
 * Judges every op of a recorded step, one after another. `targetOf` chooses the target, knowing whether Touchstone made the recording itself;
 * `dtype` is the one that the step computed in, if not as recorded. Throws FormatError for a file that is not a recording.
 */
export function* blaming(
  path: string,
  dtype: DTypeName | undefined,
  targetOf: (isOurs: boolean) => Target,
): Generator<Blaming> {
  const recording = openRecording(path, dtype);
  try {
    const input = readTraceInput(path);
    const target = targetOf(recording.metadata.computedBy === "touchstone trace");
    const found: Found = { faults: [], judged: [], left: [] };
    yield { found, target };
    const steps = blameSteps(allInstances(input, isMixed(recording)), operations, recording, target, found);
    for (const _ of steps) yield { found, target };
  } finally {
    recording.close();
  }
}

/** The same without a pause. */
export function blameRecording(
  path: string,
  dtype: DTypeName | undefined,
  targetOf: (isOurs: boolean) => Target,
  allowUnjudged?: number,
): Blame {
  const { found } = Array.from(blaming(path, dtype, targetOf))[0];
  return { ...found, ...concludeBlame(found, allowUnjudged) };
}

/** Of every step, each when it is its turn. */
function* allInstances({ config, hyperparameters, batches, microBatches }: TraceInput, mixed: boolean) {
  const [B, T] = batches[0].tokens.shape;
  const like = { data: new Float32Array(0), shape: [0] };
  const shape = { config, B, T, microBatches, like, mixed, ...(hyperparameters && { hyperparameters }) };
  for (const step of batches.keys()) yield* instancesOf(shape, step);
}
