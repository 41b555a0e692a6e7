// What `touchstone plan` does.
import { followed, writeAtomically } from "../formats/atomic.ts";
import { presets } from "../reference/config.ts";
import { type DataSheet, devices } from "../reference/planning/devices.ts";
import { printedTokens } from "../reference/planning/paper.ts";
import { plan, type PlanRequest, rankMemory } from "../reference/planning/plan.ts";
import { policyNames } from "../reference/model/policies.ts";
import { layerTimeline } from "../reference/planning/step-time.ts";
import { UserError } from "./errors.ts";
import { jsonText, note, openResult, say } from "./output.ts";
import { beginnings, checkOutput } from "./outputs.ts";
import { draw } from "./plan-svg.ts";
import { policyOf } from "./step-options.ts";
import { describe, type Planned, serving } from "./plan-text.ts";
import type { StorageName } from "../reference/model/storage.ts";
import type { ZeroStage } from "../reference/planning/layout.ts";

export interface PlanOptions {
  readonly model: keyof typeof presets;
  readonly gpus: number;
  readonly gpu: keyof typeof devices;
  readonly tokens?: number;
  readonly batchTokens: number;
  readonly tensor: number;
  readonly sequenceParallel: boolean;
  readonly data?: number;
  readonly zero?: ZeroStage;
  readonly recompute: string;
  readonly context?: number;
  readonly microBatch: number;
  readonly dtype: StorageName;
  readonly network?: number;
  readonly inferenceBatch?: readonly number[];
  readonly svg?: string;
  readonly json?: string;
  readonly overwrite?: boolean;
}

const BITS_A_GIGABIT = 1e9;

/** Plans, prints, and writes what was asked for. Throws UserError or RangeError, one line, for a run that cannot be. */
export function run(options: PlanOptions): void {
  const planned = planOf(options);
  const { svg, json, overwrite } = options;
  if (svg !== undefined) checkOutput("--svg", svg, { overwrite, report: beginnings.picture });
  const file = json === undefined ? undefined : openResult("--json", json, { overwrite, report: beginnings.plan });
  // Under any name: both may be new, or one a link to the other.
  if (svg !== undefined && json !== undefined && json !== "-" && followed(svg) === followed(json)) {
    throw new UserError(`--json ${json}: is also --svg, expected two files`);
  }
  say(describe(planned).split("\n"));
  if (svg !== undefined) write(svg, draw(planned));
  if (file !== undefined) file.write(jsonText(figures(planned)));
  if (json !== undefined && json !== "-") note(`${json} written`);
}

/** The plan of some options, and all that is shown of it. */
export function planOf(options: PlanOptions): Planned {
  const { model, gpus, gpu, tensor, sequenceParallel, data, zero, dtype } = options;
  const config = presets[model];
  const tokens = options.tokens ?? printedTokens[model];
  if (tokens === undefined)
    throw new UserError(`--tokens is missing, expected --tokens N: the paper has no run of ${model}`);
  const request: PlanRequest = {
    config,
    device: networked(devices[gpu], options.network),
    deviceName: gpu,
    gpus,
    tokens,
    batch: {
      tokens: options.batchTokens,
      context: options.context ?? config.maxSeqLen,
      microBatch: options.microBatch,
    },
    tensor,
    sequence: sequenceParallel,
    ...(data === undefined ? {} : { data }),
    ...(zero === undefined ? {} : { zero }),
    policy: policyOf(options.recompute),
    dtype,
  };
  const made = plan(request);
  const policies = typeof request.policy === "string" ? policyNames : [...policyNames, request.policy];
  return {
    model,
    request,
    plan: made,
    memories: policies.map((policy) => ({ policy, memory: rankMemory(request, made.layout, policy) })),
    block: { overlapped: layerTimeline(made.work, true), serial: layerTimeline(made.work, false) },
    serving: serving(request, options.inferenceBatch ?? [1, 8, 64]),
  };
}

function networked(device: DataSheet, gigabits: number | undefined): DataSheet {
  if (gigabits === undefined) return device;
  const name = device.network?.name ?? "network";
  return { ...device, network: { name, bandwidth: (gigabits * BITS_A_GIGABIT) / 8 } };
}

function write(path: string, text: string): void {
  writeAtomically(path, (append) => append(new TextEncoder().encode(text)));
  note(`${path} written`);
}

/** Bytes, seconds, operations a token, tonnes: all that is printed, unrounded. */
function figures({ model, request, plan: made, memories, block, serving: inference }: Planned): unknown {
  const { parameters, layout, idle, sequences, microBatches, steps, state, arithmetic, overlapped, serial } = made;
  const { gpus, deviceName, tokens, batch, dtype, policy } = request;
  const named = (map: ReadonlyMap<string, number>): Record<string, number> => Object.fromEntries(map);
  return {
    report: "touchstone plan",
    model,
    parameters,
    cluster: { gpus, gpu: deviceName, idle },
    layout,
    run: { tokens, batch, sequences, microBatches, steps, dtype, policy },
    trainingState: state,
    memory: memories.map(({ policy: name, memory }) => ({
      policy: name,
      ...memory,
      activations: {
        ...memory.activations,
        block: named(memory.activations.block),
        model: named(memory.activations.model),
      },
    })),
    flopsPerToken: arithmetic,
    overlapped,
    serial,
    block: {
      overlapped: {
        seconds: block.overlapped.seconds,
        exposed: block.overlapped.exposed,
        tasks: block.overlapped.tasks,
      },
      serial: { seconds: block.serial.seconds, exposed: block.serial.exposed, tasks: block.serial.tasks },
    },
    inference,
  };
}
