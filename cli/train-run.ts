// What `touchstone train` does.
import { realpathSync } from "node:fs";
import { totalmem } from "node:os";
import { generate } from "../reference/model/generate.ts";
import { checkHyperparameters } from "../reference/training/hyperparameters.ts";
import { initialState } from "../reference/training/step.ts";
import { countParameters, initialWeights, type Weights } from "../reference/weights.ts";
import {
  checkpointPath,
  type RunCheckpoint,
  hasCheckpoint,
  loadCheckpoint,
  type RunPlan,
} from "../training/checkpoint.ts";
import { mixtureData, type Placement, textData, type TrainingData } from "../training/data.ts";
import { openMixture } from "../training/mixture.ts";
import { type StepReport, train } from "../training/run.ts";
import { readTrainingText } from "../training/text.ts";
import { openRunFolder, type RunFolder, tokenizerOfRun } from "../training/run-folder.ts";
import { openVocabulary, type Vocabulary } from "../training/vocabulary.ts";
import { type EngineName, engineOf } from "./engine.ts";
import { UserError } from "./errors.ts";
import { live, note, say, sayText } from "./output.ts";
import { checkOutput } from "./outputs.ts";
import { configOf, hyperparametersOf, presetOf, sameConfig } from "./train-config.ts";
import { defaults } from "./train-defaults.ts";
import { catchSignals, pauses } from "./signals.ts";
import { statuses } from "./statuses.ts";
import { checkDType, checkStep, type StepFlags, stepOptions } from "./step-options.ts";
import { counted } from "./words.ts";

export interface TrainOptions extends StepFlags {
  readonly text?: readonly string[];
  readonly mixture?: string;
  readonly tokenizer?: string;
  readonly batchSize?: number;
  readonly sequenceLength?: number;
  readonly learningRate?: number;
  readonly steps?: number;
  readonly config?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly seed?: number;
  readonly resume?: string;
  readonly device: EngineName;
  readonly saveEvery: number;
}

const SAMPLE_TOKENS = 300;
const SAMPLE_TEMPERATURE = 0.7;
/** Weights, two moments, gradients, clipped gradients, and the next three, in float32. */
const BYTES_A_PARAMETER = 8 * 4;

/** Trains; leaves the exit status in process.exitCode. */
export async function run(options: TrainOptions): Promise<void> {
  const out = options.out ?? options.resume;
  // In place, the folder is locked before its checkpoint is read: another process would move it on in between.
  const inPlace = out !== undefined && continues(options.resume, out);
  let folder = inPlace ? openRunFolder(out) : undefined;
  try {
    const vocabulary = openVocabulary(options.tokenizer ?? (options.resume && tokenizerOfRun(options.resume)));
    const source = openSource(options);
    const checkpoint =
      options.resume === undefined
        ? begun(options, source.sha256, vocabulary)
        : resumed(options, options.resume, source.sha256, vocabulary);
    const data = source.data(vocabulary, checkpoint.plan, checkpoint.mixture);
    if (out !== undefined) {
      folder ??= openRunFolder(out); // before any step is computed
      const where = options.out === undefined ? "--resume" : "--out";
      checkOutput(where, checkpointPath(out), { overwrite: true, inputs: [...source.paths, options.tokenizer] });
      if (folder.note !== undefined) note(`touchstone: ${folder.note}`);
      if (options.resume === undefined && options.overwrite !== true && hasCheckpoint(out)) {
        throw new UserError(
          `--out ${out}: holds a checkpoint; expected --resume ${out} to continue it, or --overwrite`,
        );
      }
      folder.check(checkpoint, vocabulary, options.overwrite === true);
    }
    await trainFrom(checkpoint, data, vocabulary, options, folder);
  } finally {
    folder?.close();
  }
}

/** Whether a run is resumed in the folder that holds it, under whatever name. */
function continues(resume: string | undefined, out: string): boolean {
  return resume !== undefined && [resume, out].every(hasCheckpoint) && realpathSync(resume) === realpathSync(out);
}

async function trainFrom(
  checkpoint: RunCheckpoint,
  data: TrainingData,
  vocabulary: Vocabulary,
  options: TrainOptions,
  folder: RunFolder | undefined,
): Promise<void> {
  const { plan } = checkpoint;
  const { config, hyperparameters } = plan;
  const { microBatches, dtype = "float32" as const } = plan;
  const flags: StepFlags = { ...options, microBatches, dtype };
  checkDType(dtype, options.device);
  const memory = checkStep(config, plan.batchSize, plan.sequenceLength, flags);
  checkMachine(`a step of ${plan.batchSize} × ${plan.sequenceLength} tokens`, memory.total);
  const { totalSteps } = hyperparameters;
  const start = checkpoint.step === 0 ? "" : `, from step ${checkpoint.step}`;
  say(`${countParameters(config)} parameters`);
  say(data.summary);
  say(
    `${counted(totalSteps, "step")} of ${plan.batchSize} × ${plan.sequenceLength} tokens on the ${options.device}, ${dtype}${start}`,
  );
  say(
    `a step holds ${memory.state} bytes of state and at most ${memory.activations} of activations and their gradients`,
  );
  const out = options.out ?? options.resume;
  if (out === undefined) say("no --out: nothing is kept");

  const engine = await engineOf(options.device)(config, checkpoint.state, { ...stepOptions(flags), pause: pauses() });
  const signals = catchSignals(() => {
    if (process.stderr.isTTY) note("touchstone: stopping after this step; a second signal ends the process at once");
  });
  let step: number;
  let weights: Weights;
  try {
    step = await train(plan, engine, data.batchOf, checkpoint.step, {
      report: reporter(plan, checkpoint.step, data),
      save: async (done) => {
        if (folder === undefined) return;
        const mixture = data.state();
        folder.save({ plan, step: done, state: await engine.state(), ...(mixture && { mixture }) }, vocabulary);
      },
      saveEvery: options.saveEvery,
      stopped: signals.stopped,
    });
    const measured = engine.measured?.();
    if (measured !== undefined && measured.buffers > 0) {
      say(
        `the device held ${measured.activations} bytes of activations at the peak, ${measured.buffers} in all buffers`,
      );
    }
    ({ weights } = await engine.state());
  } finally {
    signals.release();
    engine.close();
  }
  if (step < totalSteps) {
    const next = out === undefined ? "no checkpoint was kept" : `continue with: touchstone train --resume ${out}`;
    note(`touchstone: stopped after step ${step} of ${totalSteps}; ${next}`);
    process.exitCode = statuses.interrupted;
    return;
  }
  summarise(plan, weights, data, vocabulary);
}

/** What --text or --mixture names: its identity, and as data of a run. */
interface Learned {
  readonly sha256: string;
  /** The files that are read. */
  readonly paths: readonly string[];
  data(vocabulary: Vocabulary, placement: Placement, from: RunCheckpoint["mixture"]): TrainingData;
}

function openSource({ text: files, mixture }: TrainOptions): Learned {
  if (mixture === undefined) {
    const text = readTrainingText(files ?? []);
    return {
      sha256: text.sha256,
      paths: files ?? [],
      data: ({ tokenizer }, placement) => textData(text, tokenizer, placement),
    };
  }
  const opened = openMixture(mixture);
  return {
    sha256: opened.sha256,
    paths: [mixture, ...opened.paths],
    data: ({ tokenizer }, placement, from) => mixtureData(opened, tokenizer, placement, from),
  };
}

/** A new run from the options, its weights drawn from the seed. */
function begun(options: TrainOptions, sha256: string, vocabulary: Vocabulary): RunCheckpoint {
  const config = configOf(options, vocabulary);
  checkMachine(`--config ${options.config}: a step`, countParameters(config) * BYTES_A_PARAMETER);
  const seed = options.seed ?? defaults.seed;
  const hyperparameters = hyperparametersOf(config, options.steps ?? defaults.steps, options.learningRate);
  checkHyperparameters(hyperparameters);
  const plan: RunPlan = {
    config,
    hyperparameters,
    batchSize: options.batchSize ?? defaults.batchSize,
    microBatches: options.microBatches ?? 1,
    sequenceLength: options.sequenceLength ?? defaults.sequenceLength,
    seed,
    text: sha256,
    ...(vocabulary.file && { tokenizer: vocabulary.file.sha256 }),
    ...(options.dtype === "bfloat16" && { dtype: options.dtype }),
  };
  return { plan, step: 0, state: initialState(initialWeights(config, seed, Float32Array)) };
}

/** Throws UserError for what this machine cannot hold. */
function checkMachine(what: string, needed: number): void {
  if (needed <= totalmem()) return;
  const [wanted, there] = [needed, totalmem()].map((bytes) => `${(bytes / 2 ** 30).toFixed(0)} GiB`);
  throw new UserError(`${what} needs ${wanted} of memory, this machine has ${there}`);
}

/** The run of a checkpoint. Throws UserError for an option that would make another run of it. */
function resumed(options: TrainOptions, folder: string, sha256: string, vocabulary: Vocabulary): RunCheckpoint {
  const checkpoint = loadCheckpoint(folder);
  const { plan } = checkpoint;
  const { config, hyperparameters, seed } = plan;
  const refuse = (option: string, was: string | number): never => {
    throw new UserError(
      `${option}: the checkpoint in ${folder} belongs to a run with ${was}, expected the same or none`,
    );
  };
  if (options.config !== undefined && !sameConfig(presetOf(options.config), config)) {
    refuse(`--config ${options.config}`, `dim ${config.dim} and ${config.nLayers} layers`);
  }
  if (options.steps !== undefined && options.steps !== hyperparameters.totalSteps) {
    refuse(`--steps ${options.steps}`, `${hyperparameters.totalSteps} steps, on which the learning rate depends`);
  }
  if (options.seed !== undefined && options.seed !== seed) refuse(`--seed ${options.seed}`, `seed ${seed}`);
  for (const [name, given, was] of [
    ["batch-size", options.batchSize, plan.batchSize],
    ["micro-batches", options.microBatches, plan.microBatches],
    ["sequence-length", options.sequenceLength, plan.sequenceLength],
    ["learning-rate", options.learningRate, hyperparameters.learningRate],
  ] as const) {
    if (given !== undefined && given !== was) refuse(`--${name} ${given}`, `${was}`);
  }
  const { dtype = "float32" } = plan;
  if (options.dtype !== undefined && options.dtype !== dtype) refuse(`--dtype ${options.dtype}`, dtype);
  if (vocabulary.file?.sha256 !== plan.tokenizer) {
    const was = plan.tokenizer === undefined ? "bytes as tokens" : "another tokenizer";
    refuse(vocabulary.file === undefined ? "no --tokenizer" : `--tokenizer ${vocabulary.file.path}`, was);
  }
  if (sha256 !== plan.text) {
    if (options.mixture !== undefined) refuse(`--mixture ${options.mixture}`, "other sources");
    refuse(options.text === undefined ? "the default text" : `--text ${options.text.join(" ")}`, "another text");
  }
  return checkpoint;
}

/** Prints a line now and then, and on a terminal the latest step continuously. */
function reporter(plan: RunPlan, from: number, data: TrainingData): (step: StepReport) => void {
  const { totalSteps } = plan.hyperparameters;
  const interval = Math.max(1, Math.floor(totalSteps / 40));
  let since = { step: from, at: performance.now() };
  return ({ step, loss, learningRate, gradientNorm }) => {
    const line = (speed: string): string =>
      `step ${String(step).padStart(String(totalSteps).length)}/${totalSteps}  loss ${loss.toFixed(5)}  ` +
      `learning rate ${learningRate.toExponential(2)}  gradient norm ${gradientNorm.toFixed(4)}${speed}`;
    const isLive = process.stderr.isTTY;
    if (step % interval !== 0 && step !== totalSteps) {
      if (isLive) live(line(""));
      return;
    }
    const seconds = (performance.now() - since.at) / 1000;
    const tokens = (step - since.step) * plan.batchSize * plan.sequenceLength;
    since = { step, at: performance.now() };
    if (isLive) live("");
    say(line(`  ${Math.round(tokens / seconds)} tokens/s`));
    if (step % (10 * interval) === 0 || step === totalSteps) say(data.progress());
  };
}

function summarise(plan: RunPlan, weights: Weights, data: TrainingData, { tokenizer }: Vocabulary): void {
  const { config, sequenceLength, seed } = plan;
  say(data.heldOut(config, weights));
  // The model has learned distances up to the length of its sequences.
  const window = { ...config, maxSeqLen: sequenceLength };
  const ids = generate(window, weights, [...data.prompt], SAMPLE_TOKENS, SAMPLE_TEMPERATURE, seed);
  say("a sample:");
  sayText(tokenizer.decode(ids));
}
