// The documents of a source in its files, which may be larger than memory: only where each begins and ends is kept.
//
//   .jsonl        a document a line: a JSON object with its "text"
//   other names   UTF-8; split at a separator, or without one a document a file
//
// With .gz after any of these names, the same, compressed; it is held in memory decompressed.
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { FormatError, quote } from "../formats/error.ts";
import { isRecord, parseJson } from "../formats/json.ts";
import { asFormatError } from "../formats/system-error.ts";
import { LARGEST_DECOMPRESSED, openText, type TextFile } from "../formats/text.ts";
import type { Documents } from "../reference/text/mixture.ts";
import { fromUtf8, toUtf8 } from "../reference/text/tokenizer-utf8.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";

/** Bytes that are read at once. */
const CHUNK = 2 ** 22;
/** Bytes of a document that are tokenized at once; the next part begins at the next line. */
const PART = 2 ** 20;
/** How many bytes beyond that are searched for the end of a line. */
const LONGEST_LINE = 2 ** 16;
/** A line of JSON is parsed whole. */
const LONGEST_JSON = 2 ** 28;
const NEWLINE = 0x0a;

/** Bytes of decompressed texts in memory, over all sources of a run. */
export interface Held {
  bytes: number;
}

export interface Files {
  /** Files, or folders for all the files in them. */
  readonly paths: readonly string[];
  /** Separates two documents of a text; if absent, a file is a document. */
  readonly separator?: string;
  /** In place of PART; smaller in tests. */
  readonly partBytes?: number;
  /** Shared by the sources of a run; none are held before unless given. */
  readonly held?: Held;
}

/** Where a file's documents lie: of document d, bytes begins[d] to ends[d]. */
interface Indexed {
  readonly path: string;
  /** A text that was decompressed, kept to be read again. */
  readonly kept: TextFile | undefined;
  readonly isJson: boolean;
  readonly begins: Float64Array;
  readonly ends: Float64Array;
}

export interface DocumentFiles {
  readonly count: number;
  readonly files: number;
  readonly bytes: number;
  /** Of all bytes of all files, in hexadecimal. */
  readonly sha256: string;
  /** Documents `from` to `to` as tokens between begin and end. */
  documents(tokenizer: Tokenizer, from: number, to: number): Documents;
  /** UTF-8 of document d, at most so many bytes of it. Throws FormatError. */
  read(d: number, most: number): Uint8Array;
}

/** Reads every file once. Throws FormatError if one cannot be read, is not UTF-8, or is not JSON with a text. */
export function openDocuments({ paths, separator, partBytes = PART, held = { bytes: 0 } }: Files): DocumentFiles {
  const hash = createHash("sha256");
  let bytes = 0;
  const indexed = paths.flatMap(filesIn).map((path): Indexed => {
    const isJson = /\.jsonl(\.gz)?$/.test(path);
    const cuts = isJson ? "\n" : separator;
    const text = openText(path, LARGEST_DECOMPRESSED - held.bytes);
    if (text.isDecompressed) held.bytes += text.size;
    const { begins, ends } = indexFile(path, text, cuts, isJson ? LONGEST_JSON : undefined, (chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    return { path, isJson, begins, ends, kept: text.isDecompressed ? text : undefined };
  });
  const firsts: number[] = [];
  let count = 0;
  for (const { begins } of indexed) {
    firsts.push(count);
    count += begins.length;
  }

  /** The file that holds document d, and its number there. */
  function find(d: number): { file: Indexed; i: number } {
    let [low, high] = [0, firsts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (firsts[middle] <= d) low = middle;
      else high = middle - 1;
    }
    return { file: indexed[low], i: d - firsts[low] };
  }

  /** Text of part p of document d. */
  function part(d: number, p: number): { text: string; more: boolean } {
    const { file, i } = find(d);
    const [begin, end] = [file.begins[i], file.ends[i]];
    return withFile(file.path, file.kept ?? openText(file.path), (handle) => {
      if (file.isJson) {
        return { text: textOf(file.path, begin, readRange(file.path, handle, begin, end)), more: false };
      }
      const from = cutAt(file.path, handle, begin, end, p * partBytes);
      const to = cutAt(file.path, handle, begin, end, (p + 1) * partBytes);
      return { text: fromUtf8(readRange(file.path, handle, from, to)), more: to < end };
    });
  }

  return {
    count,
    files: indexed.length,
    bytes,
    sha256: hash.digest("hex"),
    documents: (tokenizer, from, to) => ({
      count: to - from,
      part(d, p) {
        const { text, more } = part(from + d, p);
        return { tokens: tokenizer.encode(text, { bos: p === 0, eos: !more }), more };
      },
    }),
    read(d, most) {
      const pieces: Uint8Array[] = [];
      let length = 0;
      for (let p = 0; length < most; p++) {
        const { text, more } = part(d, p);
        pieces.push(toUtf8(text));
        length += pieces.at(-1)!.length;
        if (!more) break;
      }
      const whole = Buffer.concat(pieces);
      let end = Math.min(most, whole.length);
      while (end < whole.length && whole[end] >> 6 === 0b10) end--; // not within a character
      return whole.subarray(0, end);
    },
  };
}

/** A file, or the files of a folder by name. */
function filesIn(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const entries = readdirSync(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
      .map(({ name }) => join(path, name))
      .toSorted();
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "a text or a folder of texts");
  }
}

/** Where the documents of a file lie; blank ones are left out. Passes on every chunk. */
function indexFile(
  path: string,
  text: TextFile,
  separator: string | undefined,
  longest: number | undefined,
  take: (chunk: Uint8Array) => void,
): { begins: Float64Array; ends: Float64Array } {
  return withFile(path, text, (handle) => {
    const cut = separator === undefined ? undefined : toUtf8(separator);
    const begins = growing();
    const ends = growing();
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let begin = 0;
    /** The document's first byte that is not a space or control character. */
    let ink = Infinity;
    let matched = 0;
    let at = 0;
    function finish(end: number, next: number): void {
      if (longest !== undefined && end - begin > longest) {
        throw new FormatError(path, `the line at byte ${begin} is longer than ${longest} bytes, expected shorter ones`);
      }
      if (ink < end) {
        if (longest !== undefined) textOf(path, begin, readRange(path, handle, begin, end));
        begins.push(begin);
        ends.push(end);
      }
      begin = next;
      ink = Infinity;
    }
    const chunk = new Uint8Array(CHUNK);
    for (;;) {
      const length = handle.read(at, chunk);
      const bytes = chunk.subarray(0, length);
      take(bytes);
      try {
        utf8.decode(bytes, { stream: length === CHUNK });
      } catch (error) {
        throw new FormatError(path, "is not UTF-8, expected text in UTF-8", { cause: error });
      }
      for (let i = 0; i < length; i++) {
        const byte = bytes[i];
        if (byte > 0x20 && ink === Infinity) ink = at + i;
        if (cut === undefined) continue;
        // Where a match breaks off, a shorter one that ends here may continue.
        while (matched > 0 && byte !== cut[matched]) matched = borderOf(cut, matched);
        if (byte === cut[matched]) matched++;
        if (matched === cut.length) {
          finish(at + i + 1 - cut.length, at + i + 1);
          matched = 0;
        }
      }
      at += length;
      if (length < CHUNK) break;
    }
    finish(at, at);
    return { begins: begins.values(), ends: ends.values() };
  });
}

/** The longest border (both a beginning and an end, not the whole) of the first `length` bytes of a separator. */
function borderOf(cut: Uint8Array, length: number): number {
  for (let border = length - 1; border > 0; border--) {
    let i = 0;
    while (i < border && cut[i] === cut[length - border + i]) i++;
    if (i === border) return border;
  }
  return 0;
}

/** Where the part that is due at `offset` bytes into a document begins: after a line, if one ends soon. */
function cutAt(path: string, handle: TextFile, begin: number, end: number, offset: number): number {
  if (offset === 0) return begin;
  if (begin + offset >= end) return end;
  const near = readRange(path, handle, begin + offset, Math.min(end, begin + offset + LONGEST_LINE));
  const newline = near.indexOf(NEWLINE);
  if (newline >= 0) return begin + offset + newline + 1;
  const character = near.findIndex((byte) => byte >> 6 !== 0b10);
  return begin + offset + (character < 0 ? near.length : character);
}

function textOf(path: string, begin: number, line: Uint8Array): string {
  let value: unknown;
  try {
    value = parseJson(fromUtf8(line));
  } catch {
    value = undefined;
  }
  const text = isRecord(value) ? value.text : undefined;
  if (typeof text === "string") return text;
  throw new FormatError(
    path,
    `the line at byte ${begin} is ${quote(fromUtf8(line.subarray(0, 400)))}, expected JSON with a "text"`,
  );
}

/** Closes the text after use. */
function withFile<T>(path: string, text: TextFile, use: (text: TextFile) => T): T {
  try {
    return use(text);
  } catch (error) {
    throw asFormatError(error, path, "cannot be read", "a readable text");
  } finally {
    text.close();
  }
}

function readRange(path: string, handle: TextFile, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(to - from);
  if (handle.read(from, bytes) < bytes.length) {
    throw new FormatError(path, `has become shorter than ${to} bytes, expected the file as it was`);
  }
  return bytes;
}

/** Numbers that are appended to; an array of doubles would take twice the memory while it grows. */
function growing(): { push(value: number): void; values(): Float64Array } {
  let data = new Float64Array(16);
  let length = 0;
  return {
    push(value) {
      if (length === data.length) {
        const larger = new Float64Array(2 * length);
        larger.set(data);
        data = larger;
      }
      data[length++] = value;
    },
    values: () => data.slice(0, length),
  };
}
