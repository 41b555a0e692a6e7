// mixture.json: the sources of a run and their weights.
//
//   { "sources": [ { "name": "books", "weight": 4.5, "files": ["books", "more.txt"], "separator": "\n\n\n" }, … ] }
//
// Paths are relative to the folder of mixture.json; a folder means the files in it.
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { FormatError, quote } from "../formats/error.ts";
import { readJson } from "../formats/input.ts";
import { describeJson, fieldsOf, isRecord } from "../formats/json.ts";
import { append } from "../reference/lists.ts";
import { sharesOf } from "../reference/text/mixture.ts";
import type { Source } from "../reference/text/mixture.ts";
import type { Tokenizer } from "../reference/text/tokenizer.ts";
import { type DocumentFiles, openDocuments } from "./documents.ts";

/** Room for tens of thousands of paths. */
const LARGEST_FILE = 2 ** 22;
/** One document in so many is held out, the last ones of a source, but never more than MOST_HELD_OUT. */
const HELD_OUT_SHARE = 10;
const MOST_HELD_OUT = 200;

export interface SourceSpec {
  readonly name: string;
  readonly weight: number;
  readonly files: readonly string[];
  readonly separator?: string;
}

export interface OpenedSource {
  readonly name: string;
  readonly weight: number;
  /** The weight's share of the sum of all. */
  readonly share: number;
  readonly files: DocumentFiles;
  /** Documents that are learned; those after them are held out. */
  readonly learned: number;
}

export interface OpenedMixture {
  readonly sources: readonly OpenedSource[];
  /** The files and folders that its sources name. */
  readonly paths: readonly string[];
  /** Of names, weights, separators and all bytes, in hexadecimal. */
  readonly sha256: string;
}

/** The sources that a mixture.json names. Throws FormatError: what, where, what was expected. */
export function readMixture(path: string): SourceSpec[] {
  const json = readJson(path, "a mixture in JSON", LARGEST_FILE);
  const sources = isRecord(json) ? json.sources : undefined;
  if (!Array.isArray(sources) || sources.length === 0) {
    throw new FormatError(path, 'has no "sources", expected { "sources": [{ "name", "weight", "files" }, …] }');
  }
  const specs = sources.map((source, i) => sourceOf(path, `sources[${i}]`, source));
  const named = new Map<string, number>();
  for (const [i, { name }] of specs.entries()) {
    const first = named.get(name);
    if (first !== undefined) {
      throw new FormatError(path, `sources[${i}] is named ${quote(name)} as sources[${first}] is`);
    }
    named.set(name, i);
  }
  try {
    sharesOf(specs);
  } catch (error) {
    throw new FormatError(path, (error as Error).message, { cause: error });
  }
  return specs;
}

/** Opens every source of a mixture.json. Throws FormatError for a source without documents, or files that cannot be read. */
export function openMixture(path: string): OpenedMixture {
  const specs = readMixture(path);
  const shares = sharesOf(specs);
  const hash = createHash("sha256");
  const held = { bytes: 0 };
  const all: string[] = [];
  const sources = specs.map(({ name, weight, files: names, separator }, s): OpenedSource => {
    const paths = names.map((file) => resolve(dirname(path), file));
    append(all, paths);
    const files = openDocuments({ paths, held, ...(separator !== undefined && { separator }) });
    if (files.count === 0) {
      const where = `${files.files} ${files.files === 1 ? "file" : "files"} of ${files.bytes} bytes`;
      throw new FormatError(path, `source ${quote(name)} has no documents in ${where}, expected at least one`);
    }
    hash.update(JSON.stringify([name, weight, separator ?? null, files.sha256]));
    const heldOut = Math.min(MOST_HELD_OUT, Math.floor(files.count / HELD_OUT_SHARE));
    return { name, weight, share: shares[s], files, learned: files.count - heldOut };
  });
  return { sources, paths: all, sha256: hash.digest("hex") };
}

/** The documents that are learned, as the mixture takes them. */
export function learnedSources({ sources }: OpenedMixture, tokenizer: Tokenizer): Source[] {
  return sources.map(({ name, weight, files, learned }) => ({
    name,
    weight,
    documents: files.documents(tokenizer, 0, learned),
  }));
}

function sourceOf(path: string, where: string, source: unknown): SourceSpec {
  if (!isRecord(source)) throw new FormatError(path, `${where} is ${describeJson(source)}, expected an object`);
  const fields = fieldsOf(source, (field, is, expected) => {
    throw new FormatError(path, `${where}.${field} is ${is}, expected ${expected}`);
  });
  const [name, weight, files] = [fields.text("name"), fields.number("weight"), fields.texts("files", 1)];
  const separator = fields.has("separator") ? { separator: fields.text("separator") } : {};
  fields.nothingElse();
  return { name, weight, files, ...separator };
}
