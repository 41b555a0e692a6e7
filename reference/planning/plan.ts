// A run from beginning to end: does it fit, how fast is it, and what does it cost.
import { checkConfig, type LlamaConfig } from "../config.ts";
import { countParameters } from "../weights.ts";
import { type ActivationMemory, activationMemory } from "./activations.ts";
import { type TokenArithmetic, tokenArithmetic } from "./arithmetic.ts";
import type { DataSheet } from "./devices.ts";
import { durationOf, energyOf } from "./energy.ts";
import {
  type BatchSize,
  checkTensorGroup,
  checkZero,
  dataRanks,
  divideBatch,
  type Layout,
  type ZeroStage,
  zeroStages,
} from "./layout.ts";
import { machineOf } from "./machine.ts";
import type { Policy } from "../model/policies.ts";
import { gatheredState, rankState, type StateMemory, trainingState } from "./state.ts";
import { type StepTime, stepTime, type StepWork } from "./step-time.ts";
import type { StorageName } from "../model/storage.ts";

/** The request for a plan. Missing fields are chosen: data ranks fill the GPUs, and the first ZeRO stage that fits is taken. */
export interface PlanRequest {
  readonly config: LlamaConfig;
  readonly device: DataSheet;
  readonly deviceName: string;
  readonly gpus: number;
  readonly tokens: number;
  readonly batch: BatchSize;
  readonly tensor: number;
  readonly sequence: boolean;
  readonly data?: number;
  readonly zero?: ZeroStage;
  readonly policy: Policy;
  readonly dtype: StorageName;
}

/** Bytes of one GPU. */
export interface RankMemory {
  readonly state: StateMemory;
  readonly activations: ActivationMemory;
  /** Recomputed tensors, gradients in flight, and tensors that ZeRO gathers. */
  readonly working: number;
  readonly total: number;
  readonly fits: boolean;
}

/** The speed that follows from a step's time. */
export interface Speed {
  readonly step: StepTime;
  /** Per GPU; idle ones count. */
  readonly tokensPerSecond: number;
  /** Shares of the peak: of the operations that the model needs, and of all operations. */
  readonly mfu: number;
  readonly hfu: number;
  readonly days: number;
  readonly gpuHours: number;
  readonly megawattHours: number;
  readonly tonnesCO2: number;
}

export interface Plan {
  readonly parameters: number;
  readonly layout: Layout;
  readonly idle: number;
  /** Sequences of one data rank in a step. */
  readonly sequences: number;
  readonly microBatches: number;
  readonly steps: number;
  readonly state: StateMemory;
  readonly memory: RankMemory;
  readonly arithmetic: TokenArithmetic;
  readonly work: StepWork;
  readonly overlapped: Speed;
  readonly serial: Speed;
}

/** Throws RangeError, one line, for a layout that cannot be. Nothing large is allocated, whatever the sizes. */
export function plan(request: PlanRequest): Plan {
  const { config, device, deviceName, gpus, batch, tensor, sequence, policy, dtype } = request;
  checkConfig(config);
  checkTensorGroup(config, gpus, { tensor, sequence }, batch.context);
  const data = dataRanks(gpus, tensor, request.data);
  const { sequences, microBatches } = divideBatch(config, batch, data);
  const memoryAt = (zero: ZeroStage): RankMemory =>
    rankMemory(request, { data, tensor, sequence, zero }, request.policy);
  const zero = request.zero ?? (data === 1 ? 0 : (zeroStages.find((stage) => memoryAt(stage).fits) ?? 3));
  checkZero(zero, data);

  const layout: Layout = { data, tensor, sequence, zero };
  const machine = machineOf(device, deviceName, layout, dtype);
  const { microBatch, context } = batch;
  const work: StepWork = { config, layout, machine, dtype, policy, microBatch, context, microBatches };
  const arithmetic = tokenArithmetic(config, context, policy);
  const { overlapped, serial } = stepTime(work);
  return {
    parameters: countParameters(config),
    layout,
    idle: gpus - data * tensor,
    sequences,
    microBatches,
    steps: Math.ceil(request.tokens / batch.tokens),
    state: trainingState(config, dtype),
    memory: memoryAt(zero),
    arithmetic,
    work,
    overlapped: speedOf(request, arithmetic, overlapped),
    serial: speedOf(request, arithmetic, serial),
  };
}

/** The memory of one GPU of a layout under a policy. */
export function rankMemory(request: PlanRequest, layout: Layout, policy: Policy): RankMemory {
  const { config, dtype, device, batch } = request;
  const state = rankState(config, layout, dtype);
  const activations = activationMemory(config, layout, { B: batch.microBatch, T: batch.context }, policy, dtype);
  const working = activations.recomputed + activations.gradients + gatheredState(config, layout, dtype);
  const total = state.total + activations.saved + working;
  return { state, activations, working, total, fits: total <= device.memory };
}

function speedOf(
  { device, dtype, gpus, tokens, batch }: PlanRequest,
  arithmetic: TokenArithmetic,
  step: StepTime,
): Speed {
  const tokensPerSecond = batch.tokens / step.total / gpus;
  const peak = device.peak[dtype]!;
  const { days, gpuHours } = durationOf(tokens, tokensPerSecond, gpus);
  return {
    step,
    tokensPerSecond,
    mfu: (tokensPerSecond * arithmetic.model) / peak,
    hfu: (tokensPerSecond * arithmetic.hardware) / peak,
    days,
    gpuHours,
    ...energyOf(gpuHours, device.power),
  };
}
