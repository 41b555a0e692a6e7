// A custom target, read from JSON and checked field by field.
import { type FormatName, formats } from "./dtype.ts";
import { powerOfTwo } from "./elementary.ts";
import { nearestTo } from "./nearest.ts";
import { shown } from "./shown.ts";
import { type FunctionName, functionNames, type Region, type Target } from "./targets.ts";

/**
 * A custom target, from parsed JSON. `functions` may omit a function, and its regions may leave gaps: nothing is promised
 * there, so results that depend on it are unjudged. `stores`, `fusedSums`, `expOfZero` and `arithmetic` may be omitted. A number may be a string: "0.5", "2^-23",
 * "4.5*2^-23". Figures count from the exact result.
 *
 * ```json
 * {
 *   "name": "my-device",
 *   "source": "its manual, section 3.2",
 *   "u": "2^-24",
 *   "flushes": true,
 *   "promisesNonFinite": false,
 *   "functions": {
 *     "divide": [{ "from": "2^-126", "to": "2^126", "ulp": 2.5 }],
 *     "exp": [{ "from": -80, "to": 80, "ulp": 3, "ulpPerArgument": 2 }],
 *     "log": [{ "from": "0.5", "to": 2, "absolute": "2^-21" }, { "from": 2, "to": "2^127", "relative": "3*2^-23" }]
 *   },
 *   "stores": { "P": "bfloat16" }
 * }
 * ```
 *
 * Throws TypeError where a field is missing, unknown or of the wrong type, RangeError where its value cannot be; the
 * message is one line that begins with the field.
 *
 * @example
 * ```ts
 * import { customTarget, targets } from "touchstone-llama";
 *
 * const mine = customTarget({
 *   name: "my-device",
 *   source: "its manual, section 3.2",
 *   u: "2^-24",
 *   flushes: true,
 *   promisesNonFinite: false,
 *   functions: { exp: [{ from: -80, to: 80, ulp: 3 }] },
 * });
 * mine.u === targets.ieee.u; // true
 * ```
 */
export function customTarget(json: unknown): Target {
  const fields = record(json, "target");
  only(fields, "target", [
    "name",
    "source",
    "u",
    "flushes",
    "promisesNonFinite",
    "functions",
    "stores",
    "fusedSums",
    "expOfZero",
    "arithmetic",
  ]);
  const u = number(fields.u, "u");
  if (!(u > 0 && u < 1)) throw new RangeError(`u: got ${shown(fields.u)}, expected a number between 0 and 1`);
  const regions = record(fields.functions, "functions");
  only(regions, "functions", functionNames);
  const functions = {} as Record<FunctionName, readonly Region[]>;
  for (const name of functionNames) {
    functions[name] = regions[name] === undefined ? [] : regionsOf(regions[name], `functions.${name}`);
  }
  return {
    name: text(fields.name, "name"),
    source: text(fields.source, "source"),
    u,
    flushes: boolean(fields.flushes, "flushes"),
    promisesNonFinite: boolean(fields.promisesNonFinite, "promisesNonFinite"),
    functions,
    ...(fields.fusedSums === undefined ? {} : { fusedSums: boolean(fields.fusedSums, "fusedSums") }),
    ...(fields.arithmetic === undefined ? {} : { arithmetic: arithmeticOf(fields.arithmetic) }),
    ...(fields.expOfZero === undefined ? {} : { expOfZero: boolean(fields.expOfZero, "expOfZero") }),
    ...(fields.stores === undefined ? {} : { stores: storesOf(fields.stores) }),
  };
}

const FIGURES = ["ulp", "ulpPerArgument", "absolute", "relative"] as const;

function regionsOf(json: unknown, field: string): readonly Region[] {
  if (!Array.isArray(json)) throw new TypeError(`${field}: got ${shown(json)}, expected an array of regions`);
  let end = -Infinity;
  return json.map((item: unknown, i) => {
    const at = `${field}[${i}]`;
    const fields = record(item, at);
    only(fields, at, ["from", "to", ...FIGURES]);
    const from = number(fields.from, `${at}.from`);
    const to = number(fields.to, `${at}.to`);
    if (!(from >= end)) {
      throw new RangeError(
        `${at}.from: got ${shown(fields.from)}, expected at least ${end}, where the region before ends`,
      );
    }
    if (!(to >= from)) throw new RangeError(`${at}.to: got ${shown(fields.to)}, expected at least from, ${from}`);
    end = to;
    const figures: Partial<Record<(typeof FIGURES)[number], number>> = {};
    for (const figure of FIGURES) {
      if (fields[figure] === undefined) continue;
      const value = number(fields[figure], `${at}.${figure}`);
      if (!(value >= 0)) throw new RangeError(`${at}.${figure}: got ${shown(fields[figure])}, expected 0 or more`);
      figures[figure] = value;
    }
    if (Object.keys(figures).length === 0) throw new TypeError(`${at}: expected at least one of ${FIGURES.join(", ")}`);
    return { from, to, ...figures };
  });
}

function arithmeticOf(json: unknown): "float16" {
  if (json === "float16") return json;
  throw new TypeError(`arithmetic: got ${shown(json)}, expected "float16", or nothing for float32`);
}

function storesOf(json: unknown): Readonly<Record<string, FormatName>> {
  const names = Object.keys(formats);
  const stores: Record<string, FormatName> = Object.create(null);
  for (const [name, dtype] of Object.entries(record(json, "stores"))) {
    if (!(typeof dtype === "string" && names.includes(dtype))) {
      throw new TypeError(`stores.${name.slice(0, 40)}: got ${shown(dtype)}, expected one of ${names.join(", ")}`);
    }
    stores[name] = dtype as FormatName;
  }
  return stores;
}

function record(json: unknown, field: string): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new TypeError(`${field}: got ${shown(json)}, expected an object`);
  }
  return json as Record<string, unknown>;
}

function only(fields: Record<string, unknown>, at: string, known: readonly string[]): void {
  for (const field of Object.keys(fields)) {
    if (known.includes(field)) continue;
    throw new TypeError(`${at}: unknown ${shown(field)}, ${nearestTo(field, known)}expected only ${known.join(", ")}`);
  }
}

const DECIMAL = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?`;
const NUMERAL = new RegExp(String.raw`^(?:(${DECIMAL})|(?:(${DECIMAL})\*|([+-]?))2\^([+-]?\d+))$`, "i");

/** A finite number, or a string that is a decimal number, 2^k or a*2^k. */
function number(json: unknown, field: string): number {
  if (typeof json !== "number" && typeof json !== "string") {
    throw new TypeError(`${field}: got ${shown(json)}, expected a number or a string such as "2^-23"`);
  }
  const value = typeof json === "number" ? json : numeral(json.replaceAll(" ", ""));
  if (!Number.isFinite(value)) {
    throw new RangeError(`${field}: got ${shown(json)}, expected a finite number or a string such as "2^-23"`);
  }
  return value;
}

/** NaN if the text is not such a number. */
function numeral(source: string): number {
  const match = NUMERAL.exec(source);
  if (match === null) return NaN;
  const [, decimal, factor, sign, exponent] = match;
  if (decimal !== undefined) return Number(decimal);
  const k = Number(exponent);
  if (!(Math.abs(k) <= 1000)) return NaN;
  return (factor === undefined ? Number(`${sign}1`) : Number(factor)) * powerOfTwo(k);
}

function text(json: unknown, field: string): string {
  if (typeof json === "string" && json.trim() !== "") return json;
  throw new TypeError(`${field}: got ${shown(json)}, expected a text that is not empty`);
}

function boolean(json: unknown, field: string): boolean {
  if (typeof json === "boolean") return json;
  throw new TypeError(`${field}: got ${shown(json)}, expected true or false`);
}
