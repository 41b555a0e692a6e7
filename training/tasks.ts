// The items on which a model is evaluated, one JSON object a line. The README lists their fields.
import { basename, extname } from "node:path";
import { FormatError, quote } from "../formats/error.ts";
import { readTextBytes } from "../formats/text.ts";
import { type Normalization, normalizations } from "../reference/text/evaluation.ts";
import { fromUtf8 } from "../reference/text/tokenizer-utf8.ts";

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
  const items = readText(path)
    .split("\n")
    .flatMap((line, i) => (line.trim() === "" ? [] : [itemOf(path, i + 1, name, line)]));
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
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new FormatError(path, `line ${line} is ${quote(text)}, expected a JSON object`);
  }
  const fields = fieldsOf(path, line, json as Record<string, unknown>);
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
        const answer = fields.integer("answer", 0, choices.length - 1);
        return { ...common, kind, context: fields.text("context"), choices, answer, normalize };
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
        const samples = fields.integer("samples", 1, 2 ** 31 - 1);
        const rest = { tokens: tokens(), temperature: fields.number("temperature", 0, 1e6, TEMPERATURE) };
        if (fields.has("correct"))
          return { ...common, kind, samples, correct: fields.integer("correct", 0, samples), ...rest };
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
  fields.nothingElse();
  return item;

  function tokens(): number {
    return fields.integer("tokens", 1, 2 ** 31 - 1, MOST_TOKENS);
  }
}

/** Reads the fields of an item, each checked. */
function fieldsOf(path: string, line: number, json: Record<string, unknown>) {
  const asked = new Set<string>();
  const get = (name: string): unknown => {
    asked.add(name);
    return json[name];
  };
  const fail = (name: string, wanted: string): never => {
    const value = json[name] === undefined ? "is missing" : `is ${quote(JSON.stringify(json[name]))}`;
    throw new FormatError(path, `line ${line}: "${name}" ${value}, expected ${wanted}`);
  };
  function number(name: string, least: number, most: number, otherwise?: number): number {
    const value = get(name) ?? otherwise;
    if (typeof value === "number" && value >= least && value <= most) return value;
    return fail(name, `a number from ${least} to ${most}`);
  }
  return {
    has: (name: string): boolean => json[name] !== undefined,
    text(name: string, otherwise?: string): string {
      const value = get(name) ?? otherwise;
      // A context may be empty: the completion then follows the begin token.
      return typeof value === "string" && (value !== "" || name === "context") ? value : fail(name, "a text");
    },
    texts(name: string, least: number): string[] {
      const value = get(name);
      const fits =
        Array.isArray(value) && value.length >= least && value.every((v) => typeof v === "string" && v !== "");
      return fits ? (value as string[]) : fail(name, `at least ${least} texts`);
    },
    number,
    integer(name: string, least: number, most: number, otherwise?: number): number {
      const value = number(name, least, most, otherwise);
      return Number.isSafeInteger(value) ? value : fail(name, `an integer from ${least} to ${most}`);
    },
    oneOf<T extends string>(name: string, values: readonly T[], otherwise?: T): T {
      const value = get(name) ?? otherwise;
      return values.find((one) => one === value) ?? fail(name, `one of ${values.join(", ")}`);
    },
    nothingElse(): void {
      const left = Object.keys(json).find((name) => !asked.has(name) && name !== "id");
      if (left === undefined) return;
      throw new FormatError(path, `line ${line} has ${quote(left)}, expected ${[...asked, "id"].join(", ")} alone`);
    },
  };
}
