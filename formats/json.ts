// JSON that somebody else wrote: parsed within limits, and read field by field, each checked.
import { FormatError, quote } from "./error.ts";
import { shortened } from "./printable.ts";

/** Objects and arrays inside one another. A configuration has three levels; the engine's own limit is its stack. */
const DEEPEST = 64;
/** Values in a text: a thousand times as many as any configuration has. Each takes up to sixty bytes of memory, and three of the text. */
const MOST_VALUES = 2 ** 20;

/**
 * The value of a JSON text. Throws SyntaxError, in one short line, for a text that is not JSON, is nested deeper than 64 levels,
 * has more than 2²⁰ values, or gives a name twice in one object: JSON.parse would keep the last, and other readers the first.
 */
export function parseJson(text: string): unknown {
  checkStructure(text);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(shortened((error as Error).message, 200), { cause: error });
  }
}

/** A walk over brackets and names. What else may be wrong is for JSON.parse to say. */
function checkStructure(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let values = 1;
  function another(at: number): void {
    if (++values > MOST_VALUES) throw new SyntaxError(`more than ${MOST_VALUES} values, at character ${at}`);
  }
  let name = "";
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"': {
        const begin = at;
        at = endOfString(text, at);
        if (at < 0) return;
        name = text.slice(begin, at + 1);
        break;
      }
      case ":": {
        const names = open.at(-1);
        const plain = name.includes("\\") ? unescaped(name) : name.slice(1, -1);
        if (names?.has(plain) === true) throw new SyntaxError(`${quote(plain)} is named twice, at character ${at}`);
        names?.add(plain);
        break;
      }
      case ",":
        another(at);
        break;
      case "{":
      case "[":
        another(at);
        if (open.push(text[at] === "{" ? new Set() : undefined) > DEEPEST) {
          throw new SyntaxError(`nested deeper than ${DEEPEST} levels, at character ${at}`);
        }
        break;
      case "}":
      case "]":
        open.pop();
    }
  }
}

/** The closing quotation mark of the string that begins at `from`; −1 where there is none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

function unescaped(name: string): string {
  try {
    return JSON.parse(name) as string;
  } catch {
    return name; // ill-formed, which the whole text then is too
  }
}

/** An object of JSON, by the names of its fields. */
export type JsonRecord = Record<string, unknown>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object in a text that is a part of a file, such as `metadata "config"`. Throws FormatError. */
export function parseRecord(path: string, where: string, text: string | undefined): JsonRecord {
  const refuse = (is: string): never => {
    throw new FormatError(path, `${where} is ${is}, expected a JSON object`);
  };
  if (text === undefined) return refuse("missing");
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return refuse(`${quote(text)} (${(error as Error).message})`);
  }
  return isRecord(value) ? value : refuse(quote(text));
}

/** The value in a file that holds JSON and nothing else. Throws FormatError. */
export function parseFile(path: string, text: string, expected: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new FormatError(path, `is not JSON (${(error as Error).message}), expected ${expected}`, { cause: error });
  }
}

/** A value as a message shows it: "missing", a short text in quotation marks, a number, "an array". */
export function describeJson(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? quote(value) : String(value);
}

/** Says what is wrong with a field: its name, what it is ("missing", "8"), and what was expected. Throws. */
export type Refuse = (name: string, is: string, expected: string) => never;

/** The fields of one object, each checked when it is read; null counts as absent where there is a default. */
export interface Fields {
  has(name: string): boolean;
  /** A finite number, within bounds if they are given. */
  number(name: string, otherwise?: number, least?: number, most?: number): number;
  whole(name: string, least: number, most: number, otherwise?: number): number;
  flag(name: string, otherwise?: boolean): boolean;
  /** A text, which is not empty unless `empty`. */
  text(name: string, otherwise?: string, empty?: boolean): string;
  /** At least so many texts, none of them empty. */
  texts(name: string, least: number): string[];
  oneOf<T extends string>(name: string, values: readonly T[], otherwise?: T): T;
  record(name: string): JsonRecord;
  /** Refuses a field that none of the readers asked for; `known` are further names that may be there. */
  nothingElse(...known: string[]): void;
}

/** Readers of an object's fields, which report through `refuse`. */
export function fieldsOf(json: JsonRecord, refuse: Refuse): Fields {
  const asked = new Set<string>();
  const get = (name: string): unknown => {
    asked.add(name);
    return Object.hasOwn(json, name) ? json[name] : undefined;
  };
  const fail = (name: string, expected: string): never => refuse(name, describeJson(get(name)), expected);
  function number(name: string, otherwise?: number, least = -Infinity, most = Infinity): number {
    const value = get(name) ?? otherwise;
    if (typeof value === "number" && Number.isFinite(value) && value >= least && value <= most) return value;
    const range = most < Infinity ? ` from ${least} to ${most}` : least > -Infinity ? ` of at least ${least}` : "";
    return fail(name, `a number${range}`);
  }
  return {
    has: (name) => get(name) !== undefined,
    number,
    whole(name, least, most, otherwise) {
      const value = get(name) ?? otherwise;
      if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
        return value as number;
      }
      const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
      return fail(name, `an integer ${range}`);
    },
    flag(name, otherwise) {
      const value = get(name) ?? otherwise;
      return typeof value === "boolean" ? value : fail(name, "true or false");
    },
    text(name, otherwise, empty = false) {
      const value = get(name) ?? otherwise;
      return typeof value === "string" && (empty || value !== "") ? value : fail(name, "a text");
    },
    texts(name, least) {
      const value = get(name);
      const isText = (one: unknown): boolean => typeof one === "string" && one !== "";
      if (Array.isArray(value) && value.length >= least && value.every(isText)) return value as string[];
      return fail(name, least === 1 ? "at least one text" : `at least ${least} texts`);
    },
    oneOf<T extends string>(name: string, values: readonly T[], otherwise?: T): T {
      const value = get(name) ?? otherwise;
      return values.find((one) => one === value) ?? fail(name, `one of ${values.join(", ")}`);
    },
    record(name) {
      const value = get(name);
      return isRecord(value) ? value : fail(name, "an object");
    },
    nothingElse(...known) {
      const left = Object.keys(json).find((name) => !asked.has(name) && !known.includes(name));
      if (left !== undefined) refuse(left, "not a field", `${[...asked, ...known].join(", ")} alone`);
    },
  };
}
