// A recorded step: tensors by the names of a full trace, whatever the recording calls them.
import type { DTypeName } from "../reference/dtype.ts";
import type { Floats, Ints, Tensor } from "../reference/tensor.ts";
import { FormatError } from "../formats/error.ts";
import { openSafetensors, type SafetensorsFile } from "../formats/safetensors.ts";
import { micro } from "./instance.ts";
import { isOfPass, layerNames, traceTensor } from "./names.ts";

/** The dtype of a recording's activations: the lower one if they have two, since norms and logits may stay float32. */
export function recordedDType({ dtype, read: tensor }: Recording): DTypeName {
  if (dtype !== undefined) return dtype;
  for (const name of ["logits", "norm", "embedding", ...layerNames.map((one) => `layers.0.${one}`)]) {
    const found = tensor(`activations.${name}`) ?? tensor(`${micro(0)}activations.${name}`);
    if (found !== undefined && found.dtype !== "float32") return found.dtype;
  }
  return "float32";
}

/**
 * Whether a recorded step is of mixed precision: its passes read smaller copies of weights that are recorded in float32. If every
 * weight is representable in the smaller dtype, the copies are the weights.
 */
export function isMixed(recording: Recording): boolean {
  return recordedDType(recording) !== "float32" && recording.read("weights.tok_embeddings.weight")?.dtype === "float32";
}

export interface Recording {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The dtype in which the step computed, if the recording holds wider numbers. */
  readonly dtype: DTypeName | undefined;
  /** The tensor and the dtype in which it was recorded; undefined where the recording leaves it out. */
  readonly read: (name: string) => { readonly tensor: Tensor<Floats | Ints>; readonly dtype: DTypeName } | undefined;
  readonly close: () => void;
}

const storages: Readonly<Record<string, DTypeName>> = { F32: "float32", BF16: "bfloat16", F16: "float16" };

/** Opens a trace. Throws FormatError for one in float64: there is no truth above it. */
export function openRecording(path: string, dtype?: DTypeName): Recording {
  const file = openSafetensors(path);
  try {
    for (const [name, entry] of file.tensors) {
      if (entry.dtype === "F64" && isOfPass(traceTensor(name))) {
        throw new FormatError(
          path,
          `tensor "${name}" is float64, expected a recording in float32, bfloat16 or float16: the truth is computed in float64, so nothing could judge it (touchstone trace --dtype float32 records one that can be)`,
        );
      }
    }
  } catch (error) {
    file.close();
    throw error;
  }
  const held = holding(file);
  return { path, metadata: file.metadata, dtype, read: (name) => read(held, name), close: () => file.close() };
}

/** Tensors that hold something of every step, and are asked for at each. */
const ofAllSteps: ReadonlySet<string> = new Set(["tokens", "targets", "losses", "gradientNorms"]);

/** The file, which reads what is of all steps once. */
function holding(file: SafetensorsFile): SafetensorsFile {
  const held = new Map<string, Tensor<Floats | Ints>>();
  function once<T extends Tensor<Floats | Ints>>(name: string, take: (name: string) => T): T {
    if (!ofAllSteps.has(name)) return take(name);
    const tensor = (held.get(name) as T | undefined) ?? take(name);
    held.set(name, tensor);
    return tensor;
  }
  return {
    ...file,
    readFloats: (name) => once(name, file.readFloats),
    readInts: (name) => once(name, file.readInts),
  };
}

function read(file: SafetensorsFile, name: string): ReturnType<Recording["read"]> {
  const entry = file.tensors.get(name);
  if (entry !== undefined) return { tensor: file.read(name), dtype: storages[entry.dtype] ?? "float32" };
  const { step, microBatch, kind, path } = traceTensor(name);
  const isIds = path.length === 0 && (kind === "tokens" || kind === "targets");
  if (microBatch !== undefined) return isIds ? idsOfPart(file, kind, microBatch) : undefined;
  if (step === undefined) return derived(file, kind, path);
  if (isIds) return ids(file, kind, step);
  if (kind === "gradientNorm") return scalarOfStep(file, "gradientNorms", step);
  if (step !== 0) return undefined;
  const rest = [kind, ...path].join(".");
  const alias = kind === "gradients" ? rest : `firstStep.${rest}`;
  return file.tensors.has(alias) ? read(file, alias) : undefined;
}

/** A tensor that need not be recorded because its value is known, or that is recorded together with those of other steps. */
function derived(file: SafetensorsFile, kind: string, path: readonly string[]): ReturnType<Recording["read"]> {
  const [first, ...rest] = path;
  if (first === "loss" && kind === "activationGradients") return known(1, []);
  if (first === "loss" && kind === "activations") return scalarOfStep(file, "losses", 0);
  if (kind !== "initial" || (first !== "firstMoment" && first !== "secondMoment")) return undefined;
  const shape = file.tensors.get(`weights.${rest.join(".")}`)?.shape;
  return shape === undefined ? undefined : known(0, shape);
}

/** A tensor that every recording starts from. */
function known(value: number, shape: readonly number[]): ReturnType<Recording["read"]> {
  const data = new Float32Array(shape.reduce((n, length) => n * length, 1)).fill(value);
  return { tensor: { data, shape }, dtype: "float32" };
}

function ids(file: SafetensorsFile, name: string, step: number): ReturnType<Recording["read"]> {
  const all = file.readInts(name);
  const [, B, T] = all.shape;
  return { tensor: { data: all.data.slice(step * B * T, (step + 1) * B * T), shape: [B, T] }, dtype: "float32" };
}

/** Ids of a micro-batch of step 0, whose sequences are consecutive. */
function idsOfPart(file: SafetensorsFile, name: string, part: number): ReturnType<Recording["read"]> {
  const { data, shape } = ids(file, name, 0)!.tensor as Tensor<Ints>;
  const sequences = shape[0] / Number(file.metadata.microBatches);
  const length = sequences * shape[1];
  const own = data.slice(part * length, (part + 1) * length);
  return { tensor: { data: own, shape: [sequences, shape[1]] }, dtype: "float32" };
}

function scalarOfStep(file: SafetensorsFile, name: string, step: number): ReturnType<Recording["read"]> {
  if (!file.tensors.has(name)) return undefined;
  const all = file.readFloats(name);
  return step < all.data.length
    ? { tensor: { data: Float32Array.of(all.data[step]), shape: [] }, dtype: "float32" }
    : undefined;
}
