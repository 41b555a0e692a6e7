// Makes vectors.json with Google's sentencepiece (Debian's python3-sentencepiece), of the vocabularies in prose.ts:
//
//   npx tsx test/text/make-vectors.ts
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSentencePiece } from "../../formats/sentencepiece.ts";
import { variants } from "./prose.ts";

const plain = [
  "",
  "a",
  "the",
  " the",
  "the ",
  "  the  ",
  "the  the",
  "the merchant's tokens",
  "There are 1024 of them.",
];
const spaces = [
  " ",
  "  ",
  "\n",
  "\n\n",
  "a\n\nb",
  "\t\ttabs",
  "a\r\nb",
  " ".repeat(50),
  "    if (x) {\n        return;   \n    }\n",
];
const marks = [
  "\u0000",
  "a\u0000b",
  "\u2581",
  "a\u2581b",
  " \u2581 \u2581",
  "\u2581\u2581\u2581",
  "\ufeffbom",
  "\ufffd",
];
const names = [
  "<s>",
  "</s>",
  "<unk>",
  "<0x41>",
  "<ctl>",
  "<sep>x<sep>",
  "therethethe there",
  "x x  x y y  y <a b> <a  b>",
];
const scripts = [
  "café déjà",
  "e\u0301",
  "Привет, мир!",
  "日本語 中文",
  "€“”–",
  "𝒳𝒴",
  "🦙🦙 llama",
  "👩\u200d👩\u200d👧",
];
const long = [
  "a".repeat(16),
  "the".repeat(5),
  "merged".repeat(20),
  "3.14159 and 2026",
  `there was ${"nothing ".repeat(9)}`,
];
const texts = [...plain, ...spaces, ...marks, ...names, ...scripts, ...long];

const script = `
import json, sys, sentencepiece
folder, names, texts = json.load(sys.stdin)
made = {}
for name in names:
    p = sentencepiece.SentencePieceProcessor()
    p.Load(folder + "/" + name + ".model")
    made[name] = []
    for text in texts:
        ids = p.encode(text)
        made[name].append([text, " ".join(map(str, ids)), p.decode(ids)])
json.dump(made, sys.stdout)
`;

const folder = mkdtempSync(join(tmpdir(), "touchstone-vectors-"));
for (const [name, model] of Object.entries(variants)) {
  writeSentencePiece(join(folder, `${name}.model`), model, {
    splitDigits: true,
    allowWhitespaceOnlyPieces: true,
    characterCoverage: 0.99,
    maxSentencepieceLength: 16,
  });
}
const input = JSON.stringify([folder, Object.keys(variants), texts]);
const made = execFileSync("/usr/bin/python3", ["-c", script], { input, encoding: "utf8" });
writeFileSync(new URL("vectors.json", import.meta.url), `${JSON.stringify(JSON.parse(made), undefined, 1)}\n`);
rmSync(folder, { recursive: true });
