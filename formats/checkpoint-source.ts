// What a reader of one format hands over: the configuration, and where each weight lies, under the names of the one
// table (reference/weights.ts). Here it is held against that table.
import { checkConfig, type LlamaConfig } from "../reference/config.ts";
import { weightShapes } from "../reference/weights.ts";
import { FormatError, quote } from "./error.ts";
import type { StoredDType } from "./stored.ts";

/** A weight as a file holds it. */
export interface StoredWeight {
  /** Its name in the file. */
  readonly fileName: string;
  readonly shape: readonly number[];
  /** What the file stores. */
  readonly dtype: StoredDType;
  /** Its numbers in the table's order, each exactly. Throws FormatError. */
  read(): Float32Array;
}

export interface CheckpointSource {
  readonly config: LlamaConfig;
  /** By the table's names; what is no weight stands under a name that the table has not. */
  readonly weights: ReadonlyMap<string, StoredWeight>;
  /** What the file holds besides and no LLaMA needs, such as RoPE's tables: names in the file. */
  readonly ignored: readonly string[];
  close(): void;
}

/** The weights of a block in the table. */
const weightsOfBlock = 9;

/**
 * Throws FormatError unless the configuration makes a model and the weights are exactly those of its table; names the
 * first that is missing, left over, or of another shape. `nameInFile` says what the file calls a weight.
 */
export function checkTable(
  path: string,
  { config, weights }: Pick<CheckpointSource, "config" | "weights">,
  nameInFile: (name: string) => string,
): void {
  checkConfigOf(path, config);
  // A configuration may claim any number of layers: the first that is missing is found without listing all.
  const nLayers = Math.min(config.nLayers, Math.floor(weights.size / weightsOfBlock) + 1);
  const shapes = weightShapes({ ...config, nLayers });
  for (const [name, shape] of shapes) {
    const found = weights.get(name);
    if (found === undefined) {
      throw new FormatError(path, `${both(name, nameInFile(name))} is missing, expected shape [${shape}]`);
    }
    if (found.shape.join() !== shape.join()) {
      throw new FormatError(path, `${both(name, found.fileName)} has shape [${found.shape}], expected [${shape}]`);
    }
  }
  for (const [name, { fileName, shape }] of weights) {
    if (shapes.has(name)) continue;
    const wanted = `expected the ${shapes.size} weights of this configuration alone`;
    throw new FormatError(path, `${quote(fileName)} of shape [${shape}] is none of the weights, ${wanted}`);
  }
}

/** checkConfig, as FormatError; `what` stands before its message. */
export function checkConfigOf(path: string, config: LlamaConfig, what = ""): void {
  try {
    checkConfig(config);
  } catch (error) {
    if (error instanceof RangeError) throw new FormatError(path, what + error.message, { cause: error });
    throw error;
  }
}

function both(name: string, fileName: string): string {
  return name === fileName ? quote(name) : `${quote(fileName)} (${name})`;
}
