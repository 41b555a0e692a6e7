// A plan as text: every figure with its unit, then what it assumes, then the paper's figures.
import { type DataSheet, type DeviceName, devices, reached } from "../reference/planning/devices.ts";
import { CARBON_KG_A_KWH, energyOf, PUE } from "../reference/planning/energy.ts";
import { type InferenceMemory, inferenceMemory } from "../reference/planning/inference.ts";
import { divisors } from "../reference/planning/layout.ts";
import {
  PRINTED_POWER,
  printedEnergy,
  printedEnergyPlace,
  printedOtherwise,
  printedSpeed,
  printedTokens,
} from "../reference/planning/paper.ts";
import type { Plan, PlanRequest, RankMemory, Speed } from "../reference/planning/plan.ts";
import type { Policy } from "../reference/model/policies.ts";
import { rankParameters } from "../reference/planning/state.ts";
import { type StorageName, storageNames } from "../reference/model/storage.ts";
import type { LayerTimeline } from "../reference/planning/step-time.ts";
import { type Column, tableOf } from "./table.ts";

const GB = 1e9;
const GIGA = 1e9;
const MILLISECONDS = 1000;

/** A plan and all that is shown of it. */
export interface Planned {
  readonly model: string;
  readonly request: PlanRequest;
  readonly plan: Plan;
  readonly memories: readonly { readonly policy: Policy; readonly memory: RankMemory }[];
  readonly block: { readonly overlapped: LayerTimeline; readonly serial: LayerTimeline };
  readonly serving: readonly Served[];
}

/** What inference holds, and how many of the plan's GPUs hold it: the least tensor size, or none. */
export interface Served extends InferenceMemory {
  readonly dtype: StorageName;
  readonly batch: number;
  readonly context: number;
  readonly devices: number | undefined;
  /** Kinds of device of which one is enough. */
  readonly alone: readonly DeviceName[];
}

export function serving({ config, device, batch: { context } }: PlanRequest, batches: readonly number[]): Served[] {
  const shares = divisors(config.nKvHeads).filter((t) => t <= device.perNode);
  return storageNames
    .filter((dtype) => dtype !== "float16") // as bfloat16
    .flatMap((dtype) =>
      batches.map((batch) => {
        const memory = inferenceMemory(config, batch, context, dtype);
        const holds = (bytes: number, by: DataSheet): boolean => bytes <= by.memory;
        const alone = (Object.keys(devices) as DeviceName[]).filter((name) => holds(memory.total, devices[name]));
        return {
          dtype,
          batch,
          context,
          ...memory,
          devices: shares.find((t) => holds(memory.total / t, device)),
          alone,
        };
      }),
    );
}

export function policyLabel(policy: Policy): string {
  return typeof policy === "string" ? policy : "your list";
}

export function describe(planned: Planned): string {
  return [
    runPart(planned),
    memoryPart(planned),
    timePart(planned),
    inferencePart(planned),
    assumptions(planned),
    printed(planned),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function runPart({ model, request, plan }: Planned): string {
  const { config, gpus, deviceName, tokens, batch, dtype } = request;
  const { layout, state } = plan;
  const stage = request.zero === undefined ? (plan.memory.fits ? " (the first that fits)" : " (none fits)") : "";
  const idle = plan.idle === 0 ? "" : `, ${whole(plan.idle)} idle`;
  const sequence = layout.sequence ? " with sequence parallelism" : "";
  const { total } = rankParameters(config, layout);
  return [
    `${model} on ${whole(gpus)} × ${deviceName}: ${whole(layout.data)} data × ${layout.tensor} tensor ranks${sequence}${idle}, ` +
      `ZeRO stage ${layout.zero}${layout.data === 1 ? "" : stage}`,
    `batch           ${whole(batch.tokens)} tokens; each data rank takes ${whole(plan.sequences)} × ${whole(batch.context)} in ` +
      `${whole(plan.microBatches)} micro-batch${plan.microBatches === 1 ? "" : "es"}; ${whole(plan.steps)} step${plan.steps === 1 ? "" : "s"} for ${whole(tokens)} tokens`,
    `parameters      ${whole(plan.parameters)}, of which a rank holds ${whole(total)}`,
    `training state  ${gigabytes(state.total)} GB: weights ${gigabytes(state.weights)}, gradients ${gigabytes(state.gradients)}, ` +
      `optimizer ${gigabytes(state.optimizer)} (${state.total / plan.parameters} bytes a parameter, ${dtype})`,
  ].join("\n");
}

function memoryPart({ request, memories }: Planned): string {
  const { device, batch } = request;
  const rows: [string, (m: RankMemory) => string][] = [
    ["weights", (m) => gigabytes(m.state.weights)],
    ["gradients", (m) => gigabytes(m.state.gradients)],
    ["optimizer", (m) => gigabytes(m.state.optimizer)],
    ["activations saved", (m) => gigabytes(m.activations.saved)],
    ["working", (m) => gigabytes(m.working)],
    ["total", (m) => gigabytes(m.total)],
    [`of ${gigabytes(device.memory)}`, (m) => (m.fits ? "fits" : "DOES NOT FIT")],
  ];
  const table = tableUnder(
    ["GB on one GPU", ...memories.map(({ policy }) => policyLabel(policy))],
    rows.map(([name, cell]) => [name].concat(memories.map((column) => cell(column.memory)))),
  );
  return `Memory by recomputation, micro-batch of ${batch.microBatch} × ${whole(batch.context)}\n${table}`;
}

function timePart({ request, plan, block }: Planned): string {
  const { arithmetic, overlapped, serial } = plan;
  const { forward, backward } = arithmetic;
  const giga = (flops: number): string => (flops / GIGA).toFixed(2);
  const rows: [string, (speed: Speed, timeline: LayerTimeline) => string][] = [
    ["one block of the last micro-batch, ms", (_, t) => milliseconds(t.seconds)],
    ["  computation", (_, t) => milliseconds(t.computation)],
    ["  communication", (_, t) => milliseconds(t.communication)],
    ["  exposed", (_, t) => milliseconds(t.exposed)],
    ["step, s", (s) => s.step.total.toFixed(3)],
    ["  exposed communication", (s) => s.step.exposed.toFixed(3)],
    ["tokens/s/GPU", (s) => s.tokensPerSecond.toFixed(s.tokensPerSecond < 10 ? 2 : 0)],
    ["MFU", (s) => percent(s.mfu)],
    ["HFU", (s) => percent(s.hfu)],
    ["days", (s) => s.days.toFixed(1)],
    ["GPU-hours", (s) => whole(Math.round(s.gpuHours))],
    ["MWh", (s) => s.megawattHours.toFixed(1)],
    ["tCO2e", (s) => s.tonnesCO2.toFixed(1)],
  ];
  return [
    `GFLOP a token   forward ${giga(forward.linear + forward.attention)} (attention ${giga(forward.attention)}), ` +
      `backward ${giga(backward.linear + backward.attention)} (attention ${giga(backward.attention)}), ` +
      `again ${giga(arithmetic.again)}`,
    "",
    `Time with ${policyLabel(request.policy)} recomputation; computation and communication`,
    tableUnder(
      ["", "overlapped", "one after the other"],
      rows.map(([name, cell]) => [name, cell(overlapped, block.overlapped), cell(serial, block.serial)]),
    ),
  ].join("\n");
}

function inferencePart({ request, serving: served }: Planned): string {
  const heads = ["stored as", "sequences", "weights", "cache", "total", `${request.deviceName}s`, "one is enough"];
  const rows = served.map((s) => {
    const needed = s.devices === undefined ? "no node" : String(s.devices);
    const alone = s.alone.join(" ") || "of none";
    return [s.dtype, whole(s.batch), gigabytes(s.weights), gigabytes(s.cache), gigabytes(s.total), needed, alone];
  });
  return `Inference, GB, ${whole(request.batch.context)} positions a sequence (float16 as bfloat16)\n${tableUnder(heads, rows)}`;
}

function assumptions({ request, plan }: Planned): string {
  const { device, dtype } = request;
  const { tensor, data } = plan.work.machine;
  const groups = [tensor, data].filter(({ ranks }) => ranks > 1);
  const peak = device.peak[dtype]! / 1e12;
  return [
    "Assumes",
    `  products at ${percent(device.products.share)} of ${peak} TFLOP/s (${device.products.source})`,
    `  memory at ${percent(reached.memory)}, links at ${percent(reached.inNode)} in a node and ${percent(reached.network)} between (Calculon, Isaev et al. 2023)`,
    ...groups.map(
      (g) =>
        `  ${g === tensor ? "tensor" : "data"} ranks: ${(g.bandwidth / GB).toFixed(1)} GB/s over ${g.link}, ring algorithms`,
    ),
    `  ${device.power} W a GPU, PUE ${PUE}, ${CARBON_KG_A_KWH} kg CO2e a kWh`,
    "  nothing for starting kernels and messages, reading data, checkpoints, and failures",
    `  ${device.source}`,
  ].join("\n");
}

/** What the paper prints about this model, where it has a run of it. */
function printed({ model, request, plan }: Planned): string {
  const row = printedEnergy.find((r) => r.model === model);
  const tokens = printedTokens[model as keyof typeof printedTokens];
  if (row === undefined || tokens === undefined) return "";
  const implied = tokens / (row.gpuHours * 3600);
  const { megawattHours, tonnesCO2 } = energyOf(row.gpuHours, PRINTED_POWER);
  const lines = [
    "In the paper (Touvron et al. 2023)",
    `  ${printedEnergyPlace}: ${whole(row.gpuHours)} GPU-hours, ${row.megawattHours} MWh, ${row.tonnesCO2} tCO2e; ` +
      `the formula gives ${megawattHours.toFixed(1)} and ${tonnesCO2.toFixed(1)}` +
      (printedOtherwise.includes(model) ? ", of which the paper's MWh are one below the rounded" : ""),
    `  ${whole(tokens)} tokens in those hours are ${implied.toFixed(0)} tokens/s/GPU` +
      (model === printedSpeed.model ? `; ${printedSpeed.place} prints around ${printedSpeed.tokensPerSecond}` : ""),
  ];
  if (!samePlace(request)) return lines.join("\n");
  const speed = model === printedSpeed.model ? printedSpeed.tokensPerSecond : implied;
  const { overlapped, serial } = plan;
  const mfu = (speed * plan.arithmetic.model) / request.device.peak[request.dtype]!;
  lines.push(
    `  that is an MFU of ${percent(mfu)}, and ${percent(speed / overlapped.tokensPerSecond)} of what is predicted with overlap, ` +
      `${percent(speed / serial.tokensPerSecond)} of that without`,
    "  The prediction is of a step in which nothing goes wrong: products at the best share that any shape was seen to reach,",
    "  ranks that never wait for a slower one, and none of what is left out above. The paper names neither its layout nor its",
    "  micro-batches, and its GPU-hours hold the whole run." +
      (speed > serial.tokensPerSecond
        ? " Above the prediction without overlap: part of the communication was hidden."
        : ""),
  );
  return lines.join("\n");
}

function samePlace({ deviceName, batch, dtype }: PlanRequest): boolean {
  return deviceName === printedSpeed.device && batch.context === printedSpeed.context && dtype !== "float32";
}

/** A table whose first column names its rows. */
function tableUnder(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const columns = heads.map((head, i): Column => [head, i === 0 || head === "one is enough" ? "left" : "right"]);
  return tableOf(columns, rows).join("\n");
}

export function gigabytes(bytes: number): string {
  const value = bytes / GB;
  const digits = value >= 100 ? 1 : value >= 1 ? 2 : 3;
  return value.toLocaleString("en-US", {
    maximumFractionDigits: digits,
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits,
  });
}

function milliseconds(seconds: number): string {
  return (seconds * MILLISECONDS).toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function whole(n: number): string {
  return n.toLocaleString("en-US");
}
