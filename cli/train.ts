// touchstone train: a LLaMA from a text, bytes as tokens.
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { asFormatError } from "../golden/formats/error.ts";
import { type LlamaConfig, presets } from "../reference/config.ts";
import { generate } from "../reference/model/generate.ts";
import { bigramEntropy } from "../reference/text/bigram.ts";
import { decode, encode } from "../reference/text/bytes.ts";
import type { Hyperparameters } from "../reference/training/hyperparameters.ts";
import { initialState } from "../reference/training/step.ts";
import { countParameters, initialWeights, type Weights } from "../reference/weights.ts";
import {
  type Checkpoint,
  hasCheckpoint,
  loadCheckpoint,
  type RunPlan,
  saveCheckpoint,
} from "../training/checkpoint.ts";
import { heldOutLoss, type StepReport, train } from "../training/run.ts";
import { readText, type Text } from "../training/text.ts";
import { type EngineName, engineNames, engineOf } from "./engine.ts";
import { UserError } from "./errors.ts";

const INTERRUPTED = 130;
const BATCH_SIZE = 4;
const SEQUENCE_LENGTH = 32;
const STEPS = 1000;
const SEED = 1;
const SAMPLE_BYTES = 300;
const SAMPLE_TEMPERATURE = 0.7;
/** Weights, two moments, gradients, clipped gradients, and the next three, in float32. */
const BYTES_A_PARAMETER = 8 * 4;

interface Options {
  readonly text?: readonly string[];
  readonly steps?: number;
  readonly config?: string;
  readonly out?: string;
  readonly seed?: number;
  readonly resume?: string;
  readonly device: EngineName;
  readonly saveEvery: number;
}

export function register(program: Command): void {
  program
    .command("train")
    .description("train a LLaMA on UTF-8 text with bytes as tokens; without --out nothing is kept")
    .option("--text <files...>", "the text (default: the one that ships with this program)")
    .option("--steps <n>", `steps of the whole run (default: ${STEPS})`, integerFrom("--steps", 1))
    .option("--config <name>", `one of ${Object.keys(presets).join(", ")} (default: tiny)`)
    .option("--out <dir>", "where checkpoints are kept")
    .option("--seed <s>", `of the weights and the batches (default: ${SEED})`, integerFrom("--seed", 0, 2 ** 32 - 1))
    .option("--resume <dir>", "go on from the checkpoint in this folder, and keep the next ones there or in --out")
    .addOption(new Option("--device <device>", "what computes the steps").choices(engineNames).default("cpu"))
    .option("--save-every <n>", "steps between two checkpoints", integerFrom("--save-every", 1), 100)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const open = engineOf(options.device);
  const text = readText(options.text ?? []);
  const checkpoint = options.resume === undefined ? begun(options, text) : resumed(options, options.resume, text);
  const { plan } = checkpoint;
  checkLength(text, plan);
  const out = options.out ?? options.resume;
  if (out !== undefined) prepare(out);

  const { config, hyperparameters } = plan;
  const { totalSteps } = hyperparameters;
  const start = checkpoint.step === 0 ? "" : `, from step ${checkpoint.step}`;
  say(`${countParameters(config)} parameters, ${text.training.length} bytes to learn, ${text.heldOut.length} held out`);
  say(`${totalSteps} steps of ${plan.batchSize} × ${plan.sequenceLength} tokens on the ${options.device}${start}`);
  if (out === undefined) say("no --out: nothing is kept");
  else if (options.resume === undefined && hasCheckpoint(out)) say(`the checkpoint in ${out} will be replaced`);

  const engine = await open(config, checkpoint.state);
  const signals = catchSignals();
  let step: number;
  let weights: Weights;
  try {
    step = await train(plan, engine, text.training, checkpoint.step, {
      report: reporter(plan, checkpoint.step),
      save: async (done) => {
        if (out !== undefined) saveCheckpoint(out, { plan, step: done, state: await engine.state() });
      },
      saveEvery: options.saveEvery,
      stopped: signals.stopped,
    });
    ({ weights } = await engine.state());
  } finally {
    signals.release();
    engine.close();
  }
  if (step < totalSteps) {
    const next = out === undefined ? "nothing is kept" : `go on with: touchstone train --resume ${out}`;
    process.stderr.write(`touchstone: stopped after step ${step} of ${totalSteps}; ${next}\n`);
    process.exitCode = INTERRUPTED;
    return;
  }
  summarise(plan, weights, text);
}

/** A new run from the options, its weights drawn from the seed. */
function begun(options: Options, text: Text): Checkpoint {
  const config = presetOf(options.config ?? "tiny");
  const needed = countParameters(config) * BYTES_A_PARAMETER;
  if (needed > totalmem()) {
    const [wanted, there] = [needed, totalmem()].map((bytes) => `${(bytes / 2 ** 30).toFixed(0)} GiB`);
    throw new UserError(`--config ${options.config}: a step needs ${wanted} of memory, this machine has ${there}`);
  }
  const seed = options.seed ?? SEED;
  const plan: RunPlan = {
    config,
    hyperparameters: defaults(config, options.steps ?? STEPS),
    batchSize: BATCH_SIZE,
    sequenceLength: SEQUENCE_LENGTH,
    seed,
    text: text.sha256,
  };
  return { plan, step: 0, state: initialState(initialWeights(config, seed, Float32Array)) };
}

/** The run of a checkpoint. Throws UserError for an option that would make another run of it. */
function resumed(options: Options, folder: string, text: Text): Checkpoint {
  const checkpoint = loadCheckpoint(folder);
  const { config, hyperparameters, seed, text: sha256 } = checkpoint.plan;
  const refuse = (option: string, was: string | number): never => {
    throw new UserError(`${option}: the checkpoint in ${folder} belongs to a run with ${was}, wanted the same or none`);
  };
  if (options.config !== undefined && !sameConfig(presetOf(options.config), config)) {
    refuse(`--config ${options.config}`, `dim ${config.dim} and ${config.nLayers} layers`);
  }
  if (options.steps !== undefined && options.steps !== hyperparameters.totalSteps) {
    refuse(`--steps ${options.steps}`, `${hyperparameters.totalSteps} steps, on which the learning rate depends`);
  }
  if (options.seed !== undefined && options.seed !== seed) refuse(`--seed ${options.seed}`, `seed ${seed}`);
  if (text.sha256 !== sha256) {
    refuse(options.text === undefined ? "the default text" : `--text ${options.text.join(" ")}`, "another text");
  }
  return checkpoint;
}

function presetOf(name: string): LlamaConfig {
  if (Object.hasOwn(presets, name)) return presets[name as keyof typeof presets];
  throw new UserError(`--config ${name}: no such configuration, wanted one of ${Object.keys(presets).join(", ")}`);
}

function sameConfig(a: LlamaConfig, b: LlamaConfig): boolean {
  return Object.entries(a).every(([name, value]) => b[name as keyof LlamaConfig] === value);
}

/** LLaMA's own (Touvron et al. 2023, section 2.2), but for a learning rate that suits models this narrow. */
function defaults(config: LlamaConfig, totalSteps: number): Hyperparameters {
  return {
    learningRate: 0.48 / config.dim,
    warmupSteps: Math.ceil(totalSteps / 20),
    totalSteps,
    minLearningRateRatio: 0.1,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.95,
    adamEps: 1e-8,
    maxGradientNorm: 1,
  };
}

function checkLength({ training, heldOut }: Text, { sequenceLength }: RunPlan): void {
  const bytes = training.length + heldOut.length;
  if (training.length > sequenceLength && heldOut.length >= 2) return;
  const wanted = `more than ${sequenceLength} bytes to learn and at least 2 to hold out`;
  throw new UserError(`the text has ${bytes} bytes, ${heldOut.length} of them held out, wanted ${wanted}`);
}

/** Before any step is computed. */
function prepare(folder: string): void {
  try {
    makeFolder(resolve(folder));
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asFormatError(error, folder, "cannot hold checkpoints", "a writable folder");
  }
}

// By hand, because mkdirSync's `recursive` never returns below a folder such as /proc, which refuses with ENOENT.
function makeFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (found === undefined) makeFolder(dirname(path));
  mkdirSync(path);
}

/** The first signal stops the run between two steps; a second one ends the process at once. */
function catchSignals(): { stopped: () => boolean; release: () => void } {
  let caught = false;
  const release = (): void => {
    process.removeListener("SIGINT", stop);
    process.removeListener("SIGTERM", stop);
  };
  const stop = (): void => {
    caught = true;
    release();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return { stopped: () => caught, release };
}

/** A line every so often, and on a terminal the latest step as it goes. */
function reporter(plan: RunPlan, from: number): (step: StepReport) => void {
  const { totalSteps } = plan.hyperparameters;
  const interval = Math.max(1, Math.floor(totalSteps / 40));
  let since = { step: from, at: performance.now() };
  return ({ step, loss, learningRate, gradientNorm }) => {
    const line = (speed: string): string =>
      `step ${String(step).padStart(String(totalSteps).length)}/${totalSteps}  loss ${loss.toFixed(5)}  ` +
      `learning rate ${learningRate.toExponential(2)}  gradient norm ${gradientNorm.toFixed(4)}${speed}`;
    const live = process.stderr.isTTY;
    if (step % interval !== 0 && step !== totalSteps) {
      if (live) process.stderr.write(`\r\x1b[K${line("")}`);
      return;
    }
    const seconds = (performance.now() - since.at) / 1000;
    const tokens = (step - since.step) * plan.batchSize * plan.sequenceLength;
    since = { step, at: performance.now() };
    if (live) process.stderr.write("\r\x1b[K");
    say(line(`  ${Math.round(tokens / seconds)} tokens/s`));
  };
}

function summarise({ config, sequenceLength, seed }: RunPlan, weights: Weights, { training, heldOut }: Text): void {
  const loss = heldOutLoss(config, weights, heldOut, sequenceLength);
  const entropy = bigramEntropy(training, heldOut);
  say(`held-out loss   ${loss.toFixed(4)} nats a byte`);
  say(
    `bigram entropy  ${entropy.toFixed(4)} nats a byte: pairs counted in the same text, one added, on the same bytes`,
  );
  // The model has learned distances up to the length of its sequences.
  const window = { ...config, maxSeqLen: sequenceLength };
  const prompt = [...encode(training.subarray(-sequenceLength))];
  const ids = generate(window, weights, prompt, SAMPLE_BYTES, SAMPLE_TEMPERATURE, seed);
  say(`a sample:\n${new TextDecoder().decode(decode(ids))}`);
}

function integerFrom(option: string, least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    const wanted =
      most === Number.MAX_SAFE_INTEGER ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`;
    throw new UserError(`${option} ${text}: wanted ${wanted}`);
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
