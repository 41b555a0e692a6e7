// A plan as a picture: one block's timeline without and with overlap on one scale, and the memory of one GPU by policy.
import type { RankMemory } from "../reference/planning/plan.ts";
import type { Lane, Scheduled, TaskKind, Timeline } from "../reference/planning/timeline.ts";
import { gigabytes, type Planned, policyLabel } from "./plan-text.ts";
import { append, largest } from "../reference/lists.ts";

const WIDTH = 1200;
const LEFT = 130;
const RIGHT = 40;
const LANE = 34;
const BAR = 30;
const FONT = 12;
const MILLISECONDS = 1000;
/** Of a wide sans-serif letter, as a share of the font's size: what a label is measured with. */
const LETTER = 0.62;

const kinds: Readonly<Record<TaskKind, readonly [colour: string, meaning: string]>> = {
  product: ["#3b6fb5", "matrix products"],
  attention: ["#7a4fa3", "attention"],
  elementwise: ["#8fb8de", "norms, RoPE, SwiGLU, sums"],
  again: ["#e0a030", "recomputation"],
  tensor: ["#2e8b57", "between tensor ranks"],
  data: ["#a0522d", "between data ranks"],
};
const WAITING = "#f9d5d5";
/** Fills that need dark letters. */
const light: ReadonlySet<string> = new Set(["#8fb8de", "#e0a030"]);

const parts: readonly (readonly [name: string, colour: string, bytes: (memory: RankMemory) => number])[] = [
  ["weights", "#3b6fb5", (m) => m.state.weights],
  ["gradients", "#2e8b57", (m) => m.state.gradients],
  ["optimizer", "#7a4fa3", (m) => m.state.optimizer],
  ["activations saved", "#e0a030", (m) => m.activations.saved],
  ["working", "#a0522d", (m) => m.working],
];

/** The document. */
export function draw(planned: Planned): string {
  const { model, request, plan, block } = planned;
  const { layout } = plan;
  const body: string[] = [];
  const sequence = layout.sequence ? ", sequence parallelism" : "";
  body.push(
    text(
      LEFT,
      34,
      `LLaMA ${model} on ${request.gpus.toLocaleString("en-US")} × ${request.deviceName}`,
      20,
      "start",
      "bold",
    ),
    text(
      LEFT,
      56,
      `${layout.data} data × ${layout.tensor} tensor ranks${sequence}, ZeRO stage ${layout.zero}, recomputation ${policyLabel(request.policy)}, ` +
        `micro-batch ${request.batch.microBatch} × ${request.batch.context} tokens, ${request.dtype}`,
      FONT,
    ),
  );
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(block.serial.seconds, block.overlapped.seconds);
  const lanes = usedLanes(block.serial, planned);
  let y = 96;
  for (const [name, timeline] of [
    ["one after the other", block.serial],
    ["overlapped", block.overlapped],
  ] as const) {
    const figures = `${milliseconds(timeline.seconds)} ms, of which ${milliseconds(timeline.exposed)} ms exposed communication`;
    body.push(text(LEFT, y, `One block in the last micro-batch, ${name}: ${figures}`, 14, "start", "bold"));
    append(body, drawTimeline(timeline, lanes, y + 12, scale));
    y += 12 + lanes.length * LANE;
    const middle = LEFT + timeline.forward * scale;
    body.push(
      `<line x1="${fixed(middle)}" x2="${fixed(middle)}" y1="${y - lanes.length * LANE - 4}" y2="${y + 12}" stroke="#222222" stroke-width="1.5"/>`,
      text(middle - 6, y + 11, "forward", 11, "end"),
      text(middle + 6, y + 11, "backward", 11),
    );
    y += 44;
  }
  const end = Math.max(block.serial.seconds, block.overlapped.seconds);
  append(body, axis(y - 22, end * MILLISECONDS, scale / MILLISECONDS, "ms"));
  y += 28;
  append(body, legend(y, [...Object.values(kinds), [WAITING, "nothing computed"]]));
  y += 60;
  body.push(text(LEFT, y, "Memory of one GPU by recomputation", 14, "start", "bold"));
  y += 14;
  const { memory: capacity } = request.device;
  const most = Math.max(capacity, largest(planned.memories.map(({ memory }) => memory.total)));
  // Room for the total after the longest bar.
  const bytes = (WIDTH - LEFT - RIGHT - 170) / most;
  const top = y;
  for (const { policy, memory } of planned.memories) {
    append(body, drawMemory(policyLabel(policy), memory, y, bytes));
    y += BAR + 10;
  }
  const limit = LEFT + capacity * bytes;
  body.push(
    `<line x1="${limit}" x2="${limit}" y1="${top - 6}" y2="${y}" stroke="#c00000" stroke-width="2" stroke-dasharray="5 3"/>`,
  );
  body.push(
    text(
      limit,
      y + 16,
      `${gigabytes(capacity)} GB of ${request.deviceName}`,
      FONT,
      limit > WIDTH - 150 ? "end" : "middle",
    ),
  );
  y += 40;
  append(
    body,
    legend(
      y,
      parts.map(([name, colour]) => [colour, name] as const),
    ),
  );
  const height = y + 30;
  return [
    `<svg id="touchstone-plan" xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Helvetica, Arial, sans-serif">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

/** Lanes in which something happens, with their labels. */
function usedLanes({ tasks }: Timeline, { plan, request }: Planned): [Lane, string][] {
  const { tensor, data } = plan.work.machine;
  const names: Record<Lane, string> = {
    computation: "computation",
    "in-node": request.device.inNode.name,
    network: [tensor, data].find(({ lane }) => lane === "network")?.link ?? "network",
  };
  const used = new Set(tasks.map(({ task }) => task.lane));
  return (["computation", "in-node", "network"] as const)
    .filter((lane) => used.has(lane))
    .map((lane) => [lane, names[lane]]);
}

function drawTimeline(
  { tasks, seconds }: Timeline,
  lanes: readonly [Lane, string][],
  y: number,
  scale: number,
): string[] {
  const out: string[] = [];
  for (const [i, [lane, name]] of lanes.entries()) {
    const top = y + i * LANE;
    out.push(text(LEFT - 10, top + LANE / 2 + 4, name, FONT, "end"));
    out.push(
      `<rect x="${LEFT}" y="${top}" width="${fixed(seconds * scale)}" height="${LANE - 4}" fill="${lane === "computation" ? WAITING : "#f2f2f2"}"/>`,
    );
    for (const entry of tasks) if (entry.task.lane === lane) out.push(drawTask(entry, top, scale));
  }
  return out;
}

function drawTask({ task, start, end }: Scheduled, top: number, scale: number): string {
  const [colour] = kinds[task.kind];
  const x = LEFT + start * scale;
  const width = (end - start) * scale;
  const label = [task.name, short(task.name)].find((name) => name.length * 10 * LETTER + 4 <= width);
  const title = `<title>${escape(task.name)}: ${milliseconds(end - start)} ms from ${milliseconds(start)} ms</title>`;
  const box = `<rect x="${fixed(x)}" y="${top}" width="${fixed(width)}" height="${LANE - 4}" fill="${colour}" stroke="#ffffff" stroke-width="0.6">${title}</rect>`;
  if (label === undefined) return box;
  return (
    box +
    text(x + width / 2, top + LANE / 2 + 2, label, 10, "middle", "normal", light.has(colour) ? "#000000" : "#ffffff")
  );
}

// "all-reduce wo·y" → "wo·y": which collective it is stands in the title.
function short(name: string): string {
  return name.replace(/^(all-reduce|all-gather|reduce-scatter) /, "");
}

function drawMemory(name: string, memory: RankMemory, y: number, scale: number): string[] {
  const out = [text(LEFT - 10, y + BAR / 2 + 4, name, FONT, "end")];
  let x = LEFT;
  for (const [part, colour, bytesIn] of parts) {
    const width = bytesIn(memory) * scale;
    const label = gigabytes(bytesIn(memory));
    const title = `<title>${part}: ${label} GB</title>`;
    out.push(
      `<rect x="${fixed(x)}" y="${y}" width="${fixed(width)}" height="${BAR}" fill="${colour}" stroke="#ffffff" stroke-width="0.6">${title}</rect>`,
    );
    if (label.length * 11 * LETTER + 6 <= width) {
      out.push(
        text(x + width / 2, y + BAR / 2 + 4, label, 11, "middle", "normal", light.has(colour) ? "#000000" : "#ffffff"),
      );
    }
    x += width;
  }
  const verdict = memory.fits ? "" : ", does not fit";
  // On a white ground, where the capacity's line may run through it.
  const total = `${gigabytes(memory.total)} GB${verdict}`;
  out.push(
    `<rect x="${fixed(x + 4)}" y="${y + 4}" width="${fixed(total.length * FONT * LETTER + 4)}" height="${BAR - 8}" fill="#ffffff" fill-opacity="0.85"/>`,
  );
  out.push(
    text(
      x + 6,
      y + BAR / 2 + 4,
      total,
      FONT,
      "start",
      memory.fits ? "normal" : "bold",
      memory.fits ? "#222222" : "#c00000",
    ),
  );
  return out;
}

/** Ticks at 1, 2 or 5 times a power of ten, six to fifteen of them. */
function axis(y: number, end: number, scale: number, unit: string): string[] {
  const step = tick(end);
  const out = [`<line x1="${LEFT}" x2="${fixed(LEFT + end * scale)}" y1="${y}" y2="${y}" stroke="#222222"/>`];
  for (let i = 0; i * step <= end; i++) {
    const x = LEFT + i * step * scale;
    out.push(`<line x1="${fixed(x)}" x2="${fixed(x)}" y1="${y}" y2="${y + 5}" stroke="#222222"/>`);
    out.push(text(x, y + 19, `${Number((i * step).toPrecision(6))}${i === 0 ? ` ${unit}` : ""}`, FONT, "middle"));
  }
  return out;
}

function tick(end: number): number {
  const power = 10 ** Math.floor(Math.log10(end / 6));
  return [5, 2, 1].map((n) => n * power).find((step) => step * 6 <= end) ?? power;
}

/** Returns as many rows as the entries need, each 22 high. */
function legend(top: number, entries: readonly (readonly [colour: string, meaning: string])[]): string[] {
  const out: string[] = [];
  let x = LEFT;
  let y = top;
  for (const [colour, meaning] of entries) {
    const width = 20 + meaning.length * FONT * LETTER + 16;
    if (x + width > WIDTH) {
      x = LEFT;
      y += 22;
    }
    out.push(
      `<rect x="${fixed(x)}" y="${fixed(y - 11)}" width="14" height="14" fill="${colour}"/>`,
      text(x + 20, y, meaning, FONT),
    );
    x += width;
  }
  return out;
}

function text(
  x: number,
  y: number,
  content: string,
  size: number,
  anchor: "start" | "middle" | "end" = "start",
  weight: "normal" | "bold" = "normal",
  colour = "#222222",
): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" font-size="${size}" text-anchor="${anchor}" font-weight="${weight}" fill="${colour}">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function fixed(x: number): string {
  return String(Number(x.toFixed(2)));
}

function milliseconds(seconds: number): string {
  return (seconds * MILLISECONDS).toFixed(2);
}
