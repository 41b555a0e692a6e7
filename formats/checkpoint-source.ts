// A reader of one format hands over the configuration, and where each weight lies, under the names of the one table
// (reference/weights.ts). That is checked here against the table.
import { checkConfig, type LlamaConfig } from "../reference/config.ts";
import { weightShapes } from "../reference/weights.ts";
import { FormatError, quote } from "./error.ts";
import type { StoredDType } from "./stored.ts";

/** A weight as a file holds it. */
export interface StoredWeight {
  /** Its name in the file. */
  readonly fileName: string;
  readonly shape: readonly number[];
  /** The dtype in which the file stores it. */
  readonly dtype: StoredDType;
  /** Its numbers in the table's order, each exact. Throws FormatError. */
  read(): Float32Array;
}

export interface CheckpointSource {
  readonly config: LlamaConfig;
  /** By the table's names; a tensor that is not a weight has a name that is not in the table. */
  readonly weights: ReadonlyMap<string, StoredWeight>;
  /** The file's names for tensors that no LLaMA needs, such as RoPE's tables. */
  readonly ignored: readonly string[];
  close(): void;
}

/** The weights of a block in the table. */
const weightsOfBlock = 9;

/**
 * Throws FormatError unless the configuration makes a model and the weights are exactly those of its table; names the
 * first that is missing, left over, or of another shape. `nameInFile` gives the file's name for a weight.
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
    const wanted = `expected only the ${shapes.size} weights of this configuration`;
    throw new FormatError(path, `${quote(fileName)} of shape [${shape}] is not one of the weights, ${wanted}`);
  }
}

/** checkConfig, but it throws FormatError; `what` precedes the message. */
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
