// Computes a recorded training step again: the same inputs through an engine, the same tensors under the same names.
import type { DTypeName } from "../reference/dtype.ts";
import type { Floats, Tensor } from "../reference/tensor.ts";
import type { OpenEngine, StepEngine } from "../reference/training/engine.ts";
import { splitBatch } from "../reference/training/micro-batches.ts";
import { referenceEngine } from "../reference/training/reference-engine.ts";
import { learningRateAt } from "../reference/training/schedule.ts";
import { initialState, type TrainingState } from "../reference/training/step.ts";
import type { DType, TensorToWrite } from "../formats/safetensors.ts";
import { storedAs, type TraceInput } from "./input.ts";
import { micro } from "./instance.ts";
import { isAlwaysRecorded, traceTensor } from "./names.ts";

type Named = ReadonlyMap<string, Tensor>;

const storage: Readonly<Record<DTypeName, DType>> = {
  float64: "F64",
  float32: "F32",
  bfloat16: "BF16",
  float16: "F16",
};

/**
 * Every tensor of a trace, in the order of computation. A full one adds every other input or output of an op: the terms of
 * sums, rstd, the tables of RoPE, the loss and its lse, and for each step N its batch, the gradients before and after clipping,
 * and the weights and moments after it, under steps.N; initial.* are the moments before the first step, zeros. `open` gets
 * the number of micro-batches.
 */
export async function replayTrace<P extends Floats>(
  input: TraceInput,
  Storage: new (data: Floats) => P,
  full: boolean,
  open: OpenEngine = async (config, state, options) => referenceEngine(config, state as TrainingState<P>, options),
): Promise<Map<string, TensorToWrite>> {
  const { config, hyperparameters, batches, microBatches } = input;
  const out = new Map<string, TensorToWrite>();
  let engine: StepEngine | undefined;
  const put = (name: string, t: Tensor): void => {
    const dtype = engine?.storedAs?.(t);
    out.set(name, dtype === undefined ? t : { tensor: t, dtype: storage[dtype] });
  };
  const putAll = (prefix: string, tensors: Named): void => {
    for (const [name, t] of tensors) put(`${prefix}.${name}`, t);
  };
  const putState = (prefix: string, weights: string, state: TrainingState): void => {
    putAll(prefix + weights, state.weights);
    putAll(`${prefix}firstMoment`, state.firstMoment);
    putAll(`${prefix}secondMoment`, state.secondMoment);
  };

  const weights = storedAs(input.weights, Storage);
  out.set(
    "tokens",
    stacked(
      batches.map(({ tokens }) => tokens.data),
      batches[0].tokens.shape,
    ),
  );
  out.set(
    "targets",
    stacked(
      batches.map(({ targets }) => targets.data),
      batches[0].targets.shape,
    ),
  );
  putAll("weights", weights);
  const initial = initialState(weights);
  if (full && hyperparameters !== undefined) {
    putAll("initial.firstMoment", initial.firstMoment);
    putAll("initial.secondMoment", initial.secondMoment);
  }

  const losses = new Float64Array(batches.length);
  const gradientNorms = new Float64Array(batches.length);
  const learningRates = new Float64Array(batches.length);
  engine = await open(config, initial, { microBatches });
  try {
    for (const [s, batch] of batches.entries()) {
      const at = `steps.${s}`;
      if (full) {
        out.set(`${at}.tokens`, batch.tokens);
        out.set(`${at}.targets`, batch.targets);
      }
      if (full && s === 0 && microBatches > 1) {
        for (const [i, part] of splitBatch(batch, microBatches).entries()) {
          out.set(`${micro(i)}tokens`, part.tokens);
          out.set(`${micro(i)}targets`, part.targets);
        }
      }
      const record = (name: string, t: Tensor): void => {
        if (s === 0 && (full || isAlwaysRecorded(name)) && name !== "gradientNorm") put(name, t);
        if (full && ["gradients", "gradientNorm"].includes(traceTensor(name).kind)) put(`${at}.${name}`, t);
      };
      const recorded = s === 0 || full ? record : undefined;
      const { loss, gradientNorm } = await engine.differentiate(batch, recorded);
      losses[s] = loss;
      gradientNorms[s] = gradientNorm;
      if (hyperparameters === undefined) continue;
      learningRates[s] = learningRateAt(hyperparameters, s + 1);
      await engine.update(hyperparameters, s + 1, full ? (name, t) => put(`${at}.${name}`, t) : undefined);
      if (s === 0) putState("firstStep.", "weights", await engine.state());
    }
    const perStep = { losses, gradientNorms, ...(hyperparameters && { learningRates }) };
    for (const [name, data] of Object.entries(perStep)) put(name, { data, shape: [batches.length] });
    if (hyperparameters !== undefined) putState("", "final", await engine.state());
  } finally {
    engine.close();
  }
  return out;
}

/** Ids of every step: [step, B, T], written as int64, as the recordings have them. */
function stacked(steps: readonly Int32Array[], shape: readonly number[]): TensorToWrite {
  const data = Int32Array.from(steps.flatMap((ids) => [...ids]));
  return { tensor: { data, shape: [steps.length, ...shape] }, dtype: "I64" };
}
