// What `touchstone generate` does.
import { setImmediate } from "node:timers/promises";
import { countParameters } from "../reference/weights.ts";
import { continuation } from "../reference/model/generate.ts";
import { UserError } from "./errors.ts";
import { type Model, openModel } from "./model.ts";
import { note, print, say } from "./output.ts";
import { catchSignals } from "./signals.ts";
import { statuses } from "./statuses.ts";
import { counted } from "./words.ts";
import type { EngineName } from "./engine.ts";

export interface GenerateOptions {
  readonly tokenizer?: string;
  readonly prompt: string;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  readonly tokens: number;
  readonly device: EngineName;
}

const INTERRUPT = "an interrupt";

/** Milliseconds for which pieces are collected before they are written together: less than a screen shows. */
const COLLECTED = 10;

/** Prints the prompt and what follows, piece by piece; the exit status. */
export async function generate(checkpoint: string | undefined, options: GenerateOptions): Promise<number> {
  const model = await openModel(checkpoint, options);
  const signals = catchSignals();
  try {
    return await run(model, options, signals.stopped);
  } finally {
    signals.release();
    model.reader.close();
  }
}

async function run(
  { path, tokenizer, reader }: Model,
  options: GenerateOptions,
  stopped: () => boolean,
): Promise<number> {
  const { prompt, temperature, topP, seed, tokens, device } = options;
  const { bos, eos } = tokenizer;
  const ids = tokenizer.encode(prompt, { bos: bos >= 0 });
  const { maxSeqLen } = reader.config;
  if (ids.length === 0) throw new UserError("--prompt is empty, expected a text: the vocabulary has no begin token");
  if (ids.length > maxSeqLen) {
    throw new UserError(
      `--prompt has ${counted(ids.length, "token")}, expected at most the model's context of ${maxSeqLen}`,
    );
  }
  note(`${path}: ${countParameters(reader.config).toLocaleString("en")} parameters, context ${maxSeqLen}, ${device}`);

  const decoder = tokenizer.decoder();
  let text = "";
  for (const id of ids) text += decoder.push(id);
  let isRead = await print(text);

  const begun = performance.now();
  let first = begun;
  let written = begun;
  let unwritten = "";
  let count = 0;
  let why = "the context's end";
  try {
    for await (const id of continuation(reader, ids, { temperature, topP, seed })) {
      if (count++ === 0) first = performance.now();
      // A begin token, too, ends a text: another would follow.
      if (id === eos || id === bos) {
        why = id === eos ? "the end token" : "a begin token";
        break;
      }
      unwritten += decoder.push(id);
      if (performance.now() - written >= COLLECTED) {
        isRead = await print(unwritten);
        unwritten = "";
        await setImmediate(); // a signal is delivered between two turns of the event loop
        written = performance.now();
      }
      if (count === tokens) why = "--tokens";
      else if (stopped()) why = INTERRUPT;
      else if (!isRead) why = "the end of the pipe";
      else continue;
      break;
    }
  } finally {
    if (isRead) await print(unwritten + decoder.end());
  }
  if (process.stdout.isTTY) say("");
  const last = performance.now();
  const speed = count > 1 ? `, ${Math.round((count - 1) / ((last - first) / 1000))} tokens/s` : "";
  const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
  note(`prompt: ${counted(ids.length, "token")} in ${seconds(first - begun)}`);
  note(`generated: ${counted(count, "token")} in ${seconds(last - first)}${speed}; ended by ${why}`);
  return why === INTERRUPT ? statuses.interrupted : statuses.good;
}
