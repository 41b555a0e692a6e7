// The project's own files: safetensors with the configuration as JSON in the metadata and the weights under weights.*,
// as training and traces write them; other tensors, such as the moments, are left alone.
import type { LlamaConfig } from "../reference/config.ts";
import type { Tensor } from "../reference/tensor.ts";
import { weightShapes } from "../reference/weights.ts";
import { checkConfigOf, type CheckpointSource, type StoredWeight } from "./checkpoint-source.ts";
import { FormatError, quote } from "./error.ts";
import { fieldsOf, parseRecord } from "./json.ts";
import { openSafetensors, type SafetensorsFile, type TensorToWrite, writeSafetensors } from "./safetensors.ts";
import { checkFits, type FloatDType, floatDTypeOf, safetensorsNames } from "./stored.ts";

const prefix = "weights.";

/** Opens a file. Throws FormatError. */
export function openTouchstone(path: string): CheckpointSource {
  const file = openSafetensors(path);
  try {
    const config = configOf(file);
    checkConfigOf(path, config);
    const weights = new Map<string, StoredWeight>();
    const ignored: string[] = [];
    for (const [fileName, { dtype: stored, shape }] of file.tensors) {
      if (!fileName.startsWith(prefix)) {
        ignored.push(fileName);
        continue;
      }
      const dtype = floatDTypeOf(path, fileName, stored);
      const read = (): Float32Array => file.readFloats(fileName).data as Float32Array;
      weights.set(fileName.slice(prefix.length), { fileName, shape, dtype, read });
    }
    return { config, weights, ignored, close: file.close };
  } catch (error) {
    file.close();
    throw error;
  }
}

function configOf({ path, metadata, tensors }: SafetensorsFile): LlamaConfig {
  const json = parseRecord(path, 'metadata "config"', metadata.config);
  const rope = metadata.rope ?? "adjacent pairs";
  if (rope !== "adjacent pairs")
    throw new FormatError(path, `metadata "rope" is ${quote(rope)}, expected "adjacent pairs"`);
  // A recording need not give maxSeqLen: then it is the T of its tokens, [step, B, T].
  const T = tensors.get("tokens")?.shape.at(-1);
  const fields = fieldsOf(json, (name, is, expected) => {
    throw new FormatError(path, `configuration: ${name} is ${is}, expected ${expected}`);
  });
  return {
    dim: fields.number("dim"),
    nLayers: fields.number("nLayers"),
    nHeads: fields.number("nHeads"),
    nKvHeads: fields.number("nKvHeads"),
    ffnDim: fields.number("ffnDim"),
    vocabSize: fields.number("vocabSize"),
    normEps: fields.number("normEps"),
    ropeTheta: fields.number("ropeTheta"),
    tiedEmbeddings: fields.flag("tiedEmbeddings"),
    maxSeqLen: fields.number("maxSeqLen", T),
  };
}

/** Writes a file that holds only the weights. Throws RangeError if a number does not fit. */
export function writeTouchstone(
  path: string,
  config: LlamaConfig,
  get: (name: string) => Tensor,
  dtype: FloatDType,
): void {
  const tensors = new Map<string, TensorToWrite>();
  for (const name of weightShapes(config).keys()) {
    const tensor = get(name);
    checkFits(name, tensor, dtype);
    tensors.set(prefix + name, { tensor, dtype: safetensorsNames[dtype] });
  }
  writeSafetensors(path, tensors, { config: JSON.stringify(config) });
}
