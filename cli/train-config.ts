// The configuration and the hyperparameters of a new run.
import { type LlamaConfig, presets } from "../reference/config.ts";
import { type Hyperparameters, paperHyperparameters } from "../reference/training/hyperparameters.ts";
import type { Vocabulary } from "../training/vocabulary.ts";
import { UserError } from "./errors.ts";
import type { TrainOptions } from "./train-run.ts";

/** A preset with the tokenizer's vocabulary and, if --sequence-length was given, that context. */
export function configOf(
  { config: name = "tiny", sequenceLength }: Pick<TrainOptions, "config" | "sequenceLength">,
  { tokenizer, file }: Vocabulary,
): LlamaConfig {
  const preset = presetOf(name);
  const maxSeqLen = sequenceLength ?? preset.maxSeqLen;
  return { ...preset, maxSeqLen, vocabSize: file === undefined ? preset.vocabSize : tokenizer.vocabSize };
}

/** The preset of that name. Throws UserError for any other. */
export function presetOf(name: string): LlamaConfig {
  if (Object.hasOwn(presets, name)) return presets[name as keyof typeof presets];
  throw new UserError(`--config ${name}: no such configuration, expected one of ${Object.keys(presets).join(", ")}`);
}

/** Whether two configurations are of one preset. */
export function sameConfig(a: LlamaConfig, b: LlamaConfig): boolean {
  // These two depend on other options.
  const same = { ...a, maxSeqLen: b.maxSeqLen, vocabSize: b.vocabSize };
  return Object.entries(same).every(([name, value]) => b[name as keyof LlamaConfig] === value);
}

/** LLaMA's own (Touvron et al. 2023, section 2.2), except for a learning rate that suits models this narrow. */
export function hyperparametersOf(
  config: LlamaConfig,
  totalSteps: number,
  learningRate = 0.48 / config.dim,
): Hyperparameters {
  return {
    learningRate,
    warmupSteps: Math.ceil(totalSteps / 20),
    totalSteps,
    ...paperHyperparameters,
  };
}
