// The header of a safetensors file (https://huggingface.co/docs/safetensors, "Format"), read as if an enemy had written it.
//
//     { "__metadata__": { key: text, … }, name: { "dtype": D, "shape": […], "data_offsets": [begin, end] }, … }
//
// JSON.parse keeps the last of two equal names, treats __proto__ unlike other names, and follows any depth. The header
// has only these three levels, so it is read here level by level, and everything else is an error that names its character.
import { type DType, dtypeNames, dtypes, isDType } from "./dtypes.ts";
import { FormatError, quote } from "./error.ts";
import { counted } from "../reference/words.ts";

/** The format's limit on a header's length, in bytes. */
export const longestHeader = 100_000_000;

// NumPy's limit, which no tensor comes near: a header of millions of axes is an attack.
const mostAxes = 64;
/** Names in a header, a thousand times as many as a LLaMA has: each takes some hundred bytes of memory. */
const mostNames = 2 ** 18;

export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Where the numbers lie: bytes from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly metadata: Record<string, string>;
  /** In the order of the header. */
  readonly tensors: Map<string, TensorEntry>;
}

/** The header's length from a file's first 8 bytes. Throws FormatError unless that many bytes can follow. */
export function headerLength(path: string, prefix: Uint8Array, fileLength: number): number {
  if (fileLength < 8)
    throw new FormatError(path, `is ${fileLength} bytes long, expected at least 8, the header's length`);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  const room = Math.min(fileLength - 8, longestHeader);
  if (length < 2n || length > BigInt(room)) {
    const why = room === longestHeader ? "the format's limit" : "what follows in the file";
    throw new FormatError(path, `header length is ${length}, at byte 0, expected 2 to ${room}, ${why}`);
  }
  return Number(length);
}

/** Reads and checks the header's bytes, which `dataLength` bytes of data follow. Throws FormatError. */
export function parseHeader(path: string, bytes: Uint8Array, dataLength: number): Header {
  const fail = (what: string): never => {
    throw new FormatError(path, what);
  };
  const metadata: Record<string, string> = Object.create(null);
  const tensors = new Map<string, TensorEntry>();
  const text = decodeText(bytes, fail);
  if (!text.startsWith("{")) fail(`header begins with ${quote(text.slice(0, 1))}, at byte 8, expected "{"`);
  const read = scanner(text, fail);
  read.object("the header", (name) => {
    if (name === "__metadata__") {
      read.object(
        "__metadata__",
        (key) => (metadata[key] = read.string(`text as the value of metadata ${quote(key)}`)),
      );
    } else {
      tensors.set(name, readEntry(read, name, fail));
    }
  });
  read.end();
  checkCoverage(tensors, dataLength, fail);
  return { metadata, tensors };
}

type Fail = (what: string) => never;
type Scanner = ReturnType<typeof scanner>;

function decodeText(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail("header is not UTF-8, from byte 8, expected JSON in UTF-8");
  }
}

function readEntry(read: Scanner, name: string, fail: Fail): TensorEntry {
  const what = `tensor ${quote(name)}`;
  let dtype: string | undefined, shape: number[] | undefined, offsets: number[] | undefined;
  read.object(what, (key) => {
    if (key === "dtype") dtype = read.string(`the dtype of ${what}`);
    else if (key === "shape") shape = read.integers(`the shape of ${what}`, mostAxes);
    else if (key === "data_offsets") offsets = read.integers(`the data_offsets of ${what}`, 2);
    else fail(`${what} has a field ${quote(key)}, expected dtype, shape and data_offsets`);
  });
  if (dtype === undefined) return fail(`${what} has no dtype, expected one of ${dtypeNames}`);
  if (!isDType(dtype)) return fail(`${what} has dtype ${quote(dtype)}, expected one of ${dtypeNames}`);
  if (shape === undefined) return fail(`${what} has no shape, expected an array of integers`);
  if (offsets?.length !== 2) return fail(`${what} has ${offsets?.length ?? 0} data_offsets, expected 2, begin and end`);
  const [begin, end] = offsets;
  let bytes = dtypes[dtype].size;
  for (const length of shape) {
    bytes *= length;
    if (!Number.isSafeInteger(bytes)) fail(`${what} has a shape of more than 2⁵³ bytes, expected ${end - begin}`);
  }
  if (end - begin !== bytes) {
    fail(`${what} has data_offsets [${begin},${end}], expected ${bytes} bytes, ${dtype} of shape [${shape}]`);
  }
  return { dtype, shape, begin, end };
}

// In the order of their offsets, each tensor begins where the one before ended, and the last ends where the file does.
function checkCoverage(tensors: Map<string, TensorEntry>, dataLength: number, fail: Fail): void {
  const placed = [...tensors].toSorted(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  let last = "the header";
  for (const [name, { begin, end }] of placed) {
    const what = `tensor ${quote(name)}`;
    if (begin < at) fail(`${what} begins at data byte ${begin}, inside ${last}, expected ${at}`);
    if (begin > at) fail(`${what} begins at data byte ${begin}, which leaves a hole after ${last}, expected ${at}`);
    if (end > dataLength) fail(`${what} ends at data byte ${end}, expected at most ${dataLength}, the end of the file`);
    at = end;
    last = what;
  }
  if (at < dataLength) {
    fail(
      `has ${counted(dataLength - at, "byte")} of no tensor, from data byte ${at}, expected the file to end with ${last}`,
    );
  }
}

/** The tokens of JSON that a header may hold; `at` is the next character. */
function scanner(text: string, fail: Fail) {
  let at = 0;

  /** The next character that is not white space; "" at the end. */
  function peek(): string {
    while (at < text.length && " \t\n\r".includes(text[at])) at++;
    return text.charAt(at);
  }

  function refuse(wanted: string): never {
    const found = at < text.length ? quote(text.slice(at, at + 12)) : "its end";
    return fail(`header has ${found} at character ${at}, expected ${wanted}`);
  }

  function take(character: string, wanted: string): void {
    if (peek() !== character) refuse(wanted);
    at++;
  }

  function string(wanted: string): string {
    if (peek() !== '"') refuse(wanted);
    const begin = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    if (at >= text.length) fail(`header has no closing quotation mark for character ${begin}, expected ${wanted}`);
    at++;
    let value: string;
    try {
      value = JSON.parse(text.slice(begin, at));
    } catch {
      return fail(`header has an ill-formed string at character ${begin}, expected ${wanted}`);
    }
    if (/\p{Surrogate}/u.test(value)) fail(`header has half a surrogate pair in the string at character ${begin}`);
    return value;
  }

  function integer(wanted: string): number {
    const begin = at;
    if (peek() === "0") at++;
    else while (text[at] >= "0" && text[at] <= "9") at++;
    const value = Number(text.slice(begin, at));
    const goesOn = at < text.length && /[\d.eE]/.test(text[at]);
    if (at === begin || goesOn || !Number.isSafeInteger(value)) {
      at = begin;
      refuse(`an integer from 0 to 2⁵³ − 1 in ${wanted}`);
    }
    return value;
  }

  function integers(wanted: string, most: number): number[] {
    const values: number[] = [];
    take("[", `[, ${wanted}`);
    if (peek() !== "]") {
      values.push(integer(wanted));
      while (peek() === ",") {
        if (values.length === most) refuse(`], at most ${most} integers in ${wanted}`);
        at++;
        peek();
        values.push(integer(wanted));
      }
    }
    take("]", `, or ] in ${wanted}`);
    return values;
  }

  /** Calls `member` at each value, after its key. */
  function object(what: string, member: (key: string) => void): void {
    const keys = new Set<string>();
    function pair(): void {
      const key = string(`a name in ${what}`);
      if (keys.has(key)) fail(`header names ${quote(key)} twice in ${what}, before character ${at}, expected one`);
      if (keys.size === mostNames) fail(`header has more than ${mostNames} names in ${what}, before character ${at}`);
      keys.add(key);
      take(":", `: after the name ${quote(key)}`);
      member(key);
    }
    take("{", `{, ${what}`);
    if (peek() !== "}") {
      pair();
      while (peek() === ",") {
        at++;
        pair();
      }
    }
    take("}", `, or } in ${what}`);
  }

  function end(): void {
    if (peek() !== "") refuse("nothing but spaces after the last }");
  }

  return { string, integers, object, end };
}
