// The items on which a model is evaluated, one JSON object a line. The README lists their fields.
import { basename, extname } from "node:path";
import { FormatError } from "../formats/error.ts";
import { fieldsOf, parseRecord } from "../formats/json.ts";
import { readTextBytes } from "../formats/text.ts";
import { type Normalization, normalizations } from "../reference/text/evaluation.ts";
import { fromUtf8 } from "../reference/text/tokenizer-utf8.ts";

/** Items of a file: five times as many as any benchmark has. */
const MOST_ITEMS = 2 ** 18;
const MOST_TOKENS = 64;
const TEMPERATURE = 0.8;
/** The tasks that the paper normalises by the likelihood after "Answer:". */
const byAnswer = /^(openbookqa|boolq)\b/i;

interface Common {
  /** Items of one name are reported together. */
  readonly task: string;
  /** File and line, for messages. */
  readonly where: string;
}
/** Measures which of the choices is the likeliest completion of the context. */
export interface Choice extends Common {
  readonly kind: "choice";
  readonly context: string;
  readonly choices: readonly string[];
  readonly answer: number;
  readonly normalize: Normalization;
}
/** Measures whether the greedy answer to the prompt is one of the answers. */
export interface Exact extends Common {
  readonly kind: "exact";
  readonly prompt: string;
  readonly answers: readonly string[];
  readonly tokens: number;
}
/** Measures how many of the samples are correct: counted elsewhere, or sampled here and compared with the answers. */
export interface PassAtK extends Common {
  readonly kind: "pass";
  readonly samples: number;
  readonly correct?: number;
  readonly prompt?: string;
  readonly answers?: readonly string[];
  readonly tokens: number;
  readonly temperature: number;
}
/** Measures how likely a text is. */
export interface Perplexity extends Common {
  readonly kind: "perplexity";
  readonly text: string;
}
export type Item = Choice | Exact | PassAtK | Perplexity;
export const itemKinds = ["choice", "exact", "pass", "perplexity"] as const satisfies Item["kind"][];

/** The items of a .jsonl file. Throws FormatError naming the line, the field and what was expected. */
export function readTasks(path: string): Item[] {
  const name = basename(path, extname(path));
  const text = readText(path);
  const items: Item[] = [];
  // Line by line: a list of all lines would take more memory than a file of short ones.
  for (let begin = 0, number = 1; begin < text.length; number++) {
    const found = text.indexOf("\n", begin);
    const end = found < 0 ? text.length : found;
    const line = text.slice(begin, end);
    begin = end + 1;
    if (line.trim() === "") continue;
    if (items.length === MOST_ITEMS) throw new FormatError(path, `has more than ${MOST_ITEMS} items, expected fewer`);
    items.push(itemOf(path, number, name, line));
  }
  if (items.length === 0) throw new FormatError(path, "has no items, expected a JSON object a line");
  return items;
}

/** A text file as one item. Throws FormatError for an empty one. */
export function textItem(path: string): Perplexity {
  const text = readText(path);
  if (text === "") throw new FormatError(path, "is empty, expected a text");
  return { kind: "perplexity", task: basename(path, extname(path)), where: path, text };
}

function readText(path: string): string {
  return fromUtf8(readTextBytes(path));
}

function itemOf(path: string, line: number, name: string, text: string): Item {
  const where = `${path}: line ${line}`;
  const json = parseRecord(path, `line ${line}`, text);
  const fields = fieldsOf(json, (field, is, expected) => {
    throw new FormatError(path, `line ${line}: "${field}" is ${is}, expected ${expected}`);
  });
  const common = { task: fields.text("task", name), where };
  const kind = fields.oneOf("kind", itemKinds);
  const item = ((): Item => {
    switch (kind) {
      case "choice": {
        const choices = fields.texts("choices", 2);
        const normalize = fields.oneOf(
          "normalize",
          normalizations,
          byAnswer.test(common.task) ? "answer" : "characters",
        );
        const answer = fields.whole("answer", 0, choices.length - 1);
        return { ...common, kind, context: fields.text("context", undefined, true), choices, answer, normalize };
      }
      case "exact":
        return {
          ...common,
          kind,
          prompt: fields.text("prompt"),
          answers: fields.texts("answers", 1),
          tokens: tokens(),
        };
      case "pass": {
        const samples = fields.whole("samples", 1, 2 ** 31 - 1);
        const rest = { tokens: tokens(), temperature: fields.number("temperature", TEMPERATURE, 0, 1e6) };
        if (fields.has("correct"))
          return { ...common, kind, samples, correct: fields.whole("correct", 0, samples), ...rest };
        return {
          ...common,
          kind,
          samples,
          prompt: fields.text("prompt"),
          answers: fields.texts("answers", 1),
          ...rest,
        };
      }
      case "perplexity":
        return { ...common, kind, text: fields.text("text") };
    }
  })();
  fields.nothingElse("id");
  return item;

  function tokens(): number {
    return fields.whole("tokens", 1, 2 ** 31 - 1, MOST_TOKENS);
  }
}
