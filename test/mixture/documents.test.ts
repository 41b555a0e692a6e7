// Documents in files: found as plain splitting would, read in parts, streamed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BEGIN, decode, END } from "../../reference/text/bytes.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { type DocumentFiles, openDocuments } from "../../training/documents.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-documents-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

function write(name: string, text: string | Uint8Array): string {
  writeFileSync(at(name), text);
  return at(name);
}

/** Every document's text, and that its first part alone begins and its last alone ends. */
function texts(files: DocumentFiles): string[] {
  const documents = files.documents(byteTokenizer, 0, files.count);
  return Array.from({ length: documents.count }, (_, d) => {
    const ids: number[] = [];
    for (let p = 0; ; p++) {
      const { tokens, more } = documents.part(d, p);
      expect([...tokens].indexOf(BEGIN)).toBe(p === 0 ? 0 : -1);
      expect([...tokens].indexOf(END)).toBe(more ? -1 : tokens.length - 1);
      ids.push(...tokens);
      if (!more) return Buffer.from(decode(ids)).toString();
    }
  });
}

const isBlank = (text: string): boolean => /^[\0-\x20]*$/.test(text);

describe("documents", () => {
  test("are what stands between separators, whatever they share with the text, in parts of any size", () => {
    const letters = fc.constantFrom("a", "b", "a", "b", "\n", " ", "é", "🙂");
    fc.assert(
      fc.property(
        fc.array(letters, { maxLength: 60 }),
        fc.constantFrom("a", "ab", "aab", "abab", "aaa", "\n\n", "aba", "é"),
        fc.integer({ min: 1, max: 40 }),
        (characters, separator, partBytes) => {
          const text = characters.join("");
          const files = openDocuments({ paths: [write("t.txt", text)], separator, partBytes });
          expect(texts(files)).toEqual(text.split(separator).filter((document) => !isBlank(document)));
          expect(files.bytes).toBe(Buffer.from(text).length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("in a file of several chunks are all found, also where a separator lies across two", () => {
    const documents = Array.from({ length: 300_000 }, (_, i) => `document ${i} of it`);
    const separator = "<|endoftext|>";
    const files = openDocuments({ paths: [write("large.txt", documents.join(separator))], separator });
    expect(files.bytes).toBeGreaterThan(2 * 2 ** 22);
    expect(files.count).toBe(documents.length);
    const some = files.documents(byteTokenizer, 1000, files.count);
    for (const d of [0, 1, 123_456, 298_999]) {
      expect(Buffer.from(decode(some.part(d, 0).tokens)).toString()).toBe(documents[1000 + d]);
    }
  });

  test("are files without a separator, lines of JSON in .jsonl, and of a folder all", () => {
    mkdirSync(at("folder"));
    write("folder/b.txt", "second\n\nfile");
    write("folder/a.jsonl", '{"text":"one"}\n\n{"id":3,"text":"two\\nlines"}\r\n{"text":""}');
    write("folder/.hidden", "not this");
    write("folder/c.txt", " \n ");
    const files = openDocuments({ paths: [at("folder"), write("last.txt", "last")] });
    expect(texts(files)).toEqual(["one", "two\nlines", "", "second\n\nfile", "last"]);
    expect([files.count, files.files]).toEqual([5, 4]);
    expect(Buffer.from(files.read(3, 9)).toString()).toBe("second\n\nf");
  });

  test("are read up to a length, never through a character", () => {
    const files = openDocuments({ paths: [write("t.txt", "aé🙂z")], partBytes: 1 });
    const lengths = Array.from({ length: 10 }, (_, most) => Buffer.from(files.read(0, most)).toString());
    expect(lengths).toEqual(["", "a", "a", "aé", "aé", "aé", "aé", "aé🙂", "aé🙂z", "aé🙂z"]);
  });

  test("change the digest when a byte changes", () => {
    const digest = (text: string): string => openDocuments({ paths: [write("t.txt", text)] }).sha256;
    expect(digest("abc")).toBe(digest("abc"));
    expect(digest("abd")).not.toBe(digest("abc"));
  });

  test.each([
    ["no UTF-8", "bad.txt", Uint8Array.of(0x61, 0xff), /bad\.txt: is not UTF-8/],
    ["UTF-8 that is cut", "bad.txt", Uint8Array.of(0x61, 0xc3), /bad\.txt: is not UTF-8/],
    ["no JSON", "bad.jsonl", '{"text":"a"}\nnothing\n', /bad\.jsonl: the line at byte 13 is "nothing", expected JSON/],
    ["JSON without a text", "bad.jsonl", '{"text":3}', /expected JSON with a "text"/],
    ["JSON that is no object", "bad.jsonl", "null", /expected JSON with a "text"/],
  ])("%s is refused", (_, name, content, message) => {
    expect(() => openDocuments({ paths: [write(name, content)] })).toThrow(message);
  });

  test("a file that is missing, or has shrunk meanwhile, is refused", () => {
    expect(() => openDocuments({ paths: [at("none.txt")] })).toThrow(/none\.txt: cannot be read, no such file/);
    const files = openDocuments({ paths: [write("t.txt", "something")] });
    write("t.txt", "less");
    expect(() => files.read(0, 9)).toThrow("has become shorter than 9 bytes");
  });
});
