// Texts compressed with gzip: the same documents, batches and digests as uncompressed; what is no whole gzip file is one line.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { LARGEST_DECOMPRESSED, openText, readTextBytes } from "../../formats/text.ts";
import { byteTokenizer } from "../../reference/text/tokenizer-bytes.ts";
import { openDocuments } from "../../training/documents.ts";
import { FROZEN_TEXT, readTrainingText } from "../../training/text.ts";
import { root, touchstone } from "../command.ts";
import { program } from "../needs.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-gzip-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

function write(name: string, bytes: string | Uint8Array): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

const text = "one document\n\nand an éther one\n\n".repeat(500);
const lines = `${JSON.stringify({ text: "first" })}\n${JSON.stringify({ text: "second" })}\n`;

test("the frozen text is what checkpoints and the small model learned", () => {
  const digest = "93cbf40da0fb96c039de176fc35a68d6653963bb577d0262df97ed55aa6d3f6a";
  expect(createHash("sha256").update(readTextBytes(FROZEN_TEXT)).digest("hex")).toBe(digest);
  expect(readTrainingText([]).sha256).toBe(digest);
});

const git = program("git");
test.skipIf(git.absent)(`no search through the sources finds a sentence of it${git.note}`, () => {
  const sentences = Buffer.from(readTextBytes(FROZEN_TEXT)).toString().split("\n").slice(2, 5);
  for (const sentence of sentences) {
    expect(sentence.length).toBeGreaterThan(40);
    const found = () => execFileSync("git", ["grep", "-lF", "-e", sentence], { cwd: root, stdio: "pipe" });
    expect(found, sentence).toThrow(); // git grep ends with 1 where it finds nothing
  }
});

test("a compressed text gives the same bytes, digest and documents as the text itself", () => {
  const [plain, packed] = [write("t.txt", text), write("t.txt.gz", gzipSync(text))];
  expect(readTrainingText([packed])).toEqual(readTrainingText([plain]));
  for (const separator of ["\n\n", undefined]) {
    const [a, b] = [plain, packed].map((path) => openDocuments({ paths: [path], ...(separator && { separator }) }));
    expect([b.count, b.bytes, b.sha256]).toEqual([a.count, a.bytes, a.sha256]);
    for (let d = 0; d < a.count; d++) expect(b.read(d, 1e6)).toEqual(a.read(d, 1e6));
  }
});

test("JSON lines are JSON lines when compressed, and lie among other files of a folder", () => {
  mkdirSync(at("both"));
  writeFileSync(at("both/a.jsonl.gz"), gzipSync(lines));
  writeFileSync(at("both/b.txt"), "third");
  const files = openDocuments({ paths: [at("both")] });
  const { documents, count } = files;
  expect(count).toBe(3);
  const read = Array.from({ length: count }, (_, d) =>
    byteTokenizer.decode([...documents(byteTokenizer, 0, 3).part(d, 0).tokens].slice(1, -1)),
  );
  expect(read).toEqual(["first", "second", "third"]);
});

test("several members one after another are one text", () => {
  const path = write("members.gz", Buffer.concat([gzipSync("one "), gzipSync("two")]));
  expect(Buffer.from(readTextBytes(path)).toString()).toBe("one two");
});

const packed = gzipSync(text);
const changed = Buffer.from(packed);
changed[packed.length - 8] ^= 1;
test.each([
  ["truncated", packed.subarray(0, packed.length >> 1), /unexpected end of file/],
  ["with another checksum", changed, /incorrect data check/],
  ["no gzip file", Buffer.from(text), /incorrect header check/],
  ["empty", Buffer.alloc(0), /unexpected end of file/],
])("%s: one line with the reason", async (_, bytes, reason) => {
  const path = write("bad.gz", bytes);
  const line = new RegExp(`^${path}: cannot be decompressed, ${reason.source}, expected a whole gzip file$`);
  expect(() => readTextBytes(path)).toThrow(line);
  expect(() => openText(path)).toThrow(line);
  expect(() => openDocuments({ paths: [path] })).toThrow(line);
});

test("a text that expands beyond the limit is refused before it fills the memory", () => {
  const path = write("bomb.gz", gzipSync(new Uint8Array(LARGEST_DECOMPRESSED + 1)));
  expect(() => readTextBytes(path)).toThrow(
    `${path}: holds more than ${LARGEST_DECOMPRESSED} bytes of text, expected at most ${LARGEST_DECOMPRESSED} in memory: decompress it first`,
  );
});

test("every command that takes a text takes a compressed one, and refuses a truncated one in one line", async () => {
  const good = write("good.txt.gz", packed);
  const bad = write("cut.txt.gz", packed.subarray(0, -9));
  const commands = (path: string) => [
    ["train", "--steps", "1", "--text", path],
    ["tokenizer", "train", "--vocab-size", "280", "--overwrite", "--out", at("v.model"), "--text", path],
    ["evaluate", "--text", path],
  ];
  for (const args of commands(good)) {
    const { code, err } = await touchstone(args);
    expect(code, err).toBe(0);
  }
  for (const args of commands(bad)) {
    const { code, err } = await touchstone(args);
    expect(err.trim()).toMatch(/^touchstone: \S+cut\.txt\.gz: cannot be decompressed, unexpected end of file[^\n]*$/);
    expect(code).toBe(2);
  }
});
