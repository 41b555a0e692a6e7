// What `touchstone evaluate` does.
import { setImmediate } from "node:timers/promises";
import { countParameters } from "../reference/weights.ts";
import { evaluate, type ItemOutcome, figuresOf } from "../training/evaluate.ts";
import { type Item, readTasks, textItem } from "../training/tasks.ts";
import { UserError } from "./errors.ts";
import { openModel } from "./model.ts";
import { note, say, sayJson } from "./output.ts";
import { openProgress } from "./progress.ts";
import { catchSignals } from "./signals.ts";
import { statuses } from "./statuses.ts";
import { type Column, tableOf } from "./table.ts";
import { counted } from "./words.ts";
import type { EngineName } from "./engine.ts";
import { largest, smallest } from "../reference/lists.ts";

export interface EvaluateOptions {
  readonly tasks?: readonly string[];
  readonly text?: readonly string[];
  readonly tokenizer?: string;
  readonly k?: readonly number[];
  readonly seed: number;
  readonly json?: boolean;
  readonly device: EngineName;
}

const columns: readonly Column[] = [
  ["task", "left"],
  ["kind", "left"],
  ["items", "right"],
  ["result", "left"],
];

const USUAL_K = [1, 10, 100];

/** Thrown between two items when a signal has come. */
const interrupted = new Error("interrupted");

interface Group {
  readonly task: string;
  readonly kind: Item["kind"];
  readonly items: Item[];
}

/** Evaluates every item and prints the figures of each task; the exit status. */
export async function evaluateFiles(checkpoint: string | undefined, options: EvaluateOptions): Promise<number> {
  const { tasks = [], text = [], seed, device, json = false } = options;
  const items = [...tasks.flatMap(readTasks), ...text.map(textItem)];
  if (items.length === 0) throw new UserError("there is nothing to measure, expected --tasks FILE or --text FILE");
  const groups = grouped(items);
  const ks = kOf(items, options.k);
  const { path, tokenizer, reader } = await openModel(checkpoint, options);
  note(
    `${path}: ${countParameters(reader.config).toLocaleString("en")} parameters, ${counted(items.length, "item")}, ${device}`,
  );

  const signals = catchSignals();
  const progress = openProgress(groups.length);
  const results: { task: string; kind: Item["kind"]; items: number; figures: Record<string, number> }[] = [];
  try {
    for (const [i, group] of groups.entries()) {
      progress.begin(group.task);
      const outcomes: ItemOutcome[] = [];
      const tick = async (share: number): Promise<void> => {
        progress.advance(i, (outcomes.length + share) / group.items.length);
        await setImmediate(); // a signal is delivered between two turns of the event loop
        if (signals.stopped()) throw interrupted;
      };
      for (const item of group.items) {
        outcomes.push(await evaluate({ reader, tokenizer }, item, seed, tick));
        await tick(0);
      }
      const figures = figuresOf(outcomes, ks);
      results.push({ task: group.task, kind: group.kind, items: outcomes.length, figures });
      progress.end(`${group.task}: ${shown(figures)}`);
    }
  } catch (error) {
    if (error === interrupted) return statuses.interrupted;
    throw error;
  } finally {
    progress.close();
    signals.release();
    reader.close();
  }
  if (json) {
    sayJson({ model: path, seed, device, tasks: results });
    return statuses.good;
  }
  const rows = results.map(({ task, kind, items: count, figures }) => [task, kind, count, shown(figures)]);
  say(tableOf(columns, rows));
  return statuses.good;
}

/** Items of one task and kind, in the order in which these first appear. */
function grouped(items: readonly Item[]): Group[] {
  const groups = new Map<string, Group>();
  for (const item of items) {
    const { task, kind } = item;
    const key = JSON.stringify([task, kind]);
    const group = groups.get(key) ?? { task, kind, items: [] };
    group.items.push(item);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** What pass@k is reported of. Throws UserError where an item has fewer samples than were asked for. */
function kOf(items: readonly Item[], asked: readonly number[] | undefined): readonly number[] {
  const passes = items.filter((item) => item.kind === "pass");
  const fewest = smallest(passes.map(({ samples }) => samples));
  const short = passes.find(({ samples }) => asked?.some((k) => k > samples));
  if (short !== undefined) {
    throw new UserError(`${short.where} has ${short.samples} samples, expected at least --k ${largest(asked!)}`);
  }
  return asked ?? USUAL_K.filter((k) => k <= fewest);
}

function shown(figures: Record<string, number>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(", ");
}
