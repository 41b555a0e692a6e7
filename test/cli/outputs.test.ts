// Every path that a command writes: nothing that is there goes without --overwrite, an input never, and mode and links stay.
import {
  existsSync,
  chmodSync,
  copyFileSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { DEFAULT_MODEL } from "../../cli/model.ts";
import { program } from "../../cli/program.ts";
import { writeRecording } from "../recording.ts";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-outputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

writeRecording(at("recording"));
copyFileSync(DEFAULT_MODEL, at("model"));
writeFileSync(at("text"), "the quick brown fox jumps over the lazy dog ".repeat(9));
writeFileSync(
  at("kernel.mjs"),
  "export default ({ a, b }) => ({ y: { data: a.data.map((x, i) => x + b.data[i]), shape: a.shape } });",
);
writeFileSync(
  at("order.mjs"),
  `export default ({ dy, tokens }, { V }) => {
    const C = dy.shape[1];
    const dw = new Float32Array(V * C);
    for (let i = 0; i < dy.data.length; i++) dw[tokens.data[Math.floor(i / C)] * C + (i % C)] += dy.data[i];
    return { dw: { data: dw, shape: [V, C] } };
  };`,
);

interface Writing {
  /** The command line that writes to `out` what it makes of `input`. */
  readonly line: (out: string, input: string) => string[];
  /** A sound input; absent where the command reads none that could be an output. */
  readonly input?: string;
  /** The command's next result takes the place of this one without --overwrite. */
  readonly isReport?: true;
}

/** By command and argument or option. */
const writing: Readonly<Record<string, Writing>> = {
  "check --json": {
    line: (out, input) => [
      "check",
      "--op",
      "add.forward",
      "--runs",
      "1",
      "--seed",
      "1",
      "--kernel",
      input,
      "--json",
      out,
    ],
    input: "kernel.mjs",
    isReport: true,
  },
  "convert out": { line: (out, input) => ["convert", input, out, "--format", "llama2c"], input: "model" },
  "invariance --json": {
    line: (out, input) => ["invariance", "add.forward", "--seed", "1", "--kernel", input, "--json", out],
    input: "kernel.mjs",
    isReport: true,
  },
  "order --json": {
    line: (out, input) => ["order", "embedding.backward", "--sizes", "R=4 C=2 V=2", "--kernel", input, "--json", out],
    input: "order.mjs",
    isReport: true,
  },
  "plan --json": { line: (out) => ["plan", "--model", "7B", "--json", out], isReport: true },
  "plan --svg": { line: (out) => ["plan", "--model", "7B", "--svg", out], isReport: true },
  "tokenizer train --out": {
    line: (out, input) => ["tokenizer", "train", "--text", input, "--vocab-size", "290", "--out", out],
    input: "text",
  },
  "trace --out": { line: (out, input) => ["trace", "--replay", input, "--out", out], input: "recording" },
};

/** Folders with rules of their own: test/training/run-folder.test.ts, test/fixtures/replace.test.ts, test/candidates/left-overs.test.ts. */
const folders = new Set([
  "train --out",
  "golden generate --out",
  "check --evidence",
  "invariance --evidence",
  "order --evidence",
]);

test("the table has every option and argument that is written", () => {
  const named = (command: Command, path: string): string[] => [
    ...command.registeredArguments.filter((one) => one.name() === "out").map((one) => `${path} ${one.name()}`),
    ...command.options
      .filter(({ long, flags }) => /^--(out|json|svg|evidence)$/.test(long!) && /[<[]/.test(flags))
      .map(({ long }) => `${path} ${long}`),
    ...command.commands.flatMap((below) => named(below, `${path} ${below.name()}`.trim())),
  ];
  expect(named(program(), "").toSorted()).toEqual([...Object.keys(writing), ...folders].toSorted());
});

describe.each(Object.entries(writing))("%s", (_, { line, input = "", isReport }) => {
  const from = input === "" ? "" : at(input);

  test("a file that is there is refused in one line and stays; --overwrite replaces it, its mode and links stay", async () => {
    const [file, link] = [at("file"), at("link")];
    writeFileSync(file, "mine");
    chmodSync(file, 0o640);
    rmSync(link, { force: true });
    symlinkSync("file", link);
    for (const out of [file, link]) {
      const { code, err } = await inProcess(line(out, from));
      expect(err).toMatch(/^touchstone: .*(file|link): is there already, expected a free name, or --overwrite\n$/);
      expect(code).toBe(2);
      expect(readFileSync(file, "utf8")).toBe("mine");
    }
    const { code, err } = await inProcess([...line(link, from), "--overwrite"]);
    expect([code, err]).toEqual([0, expect.any(String)]);
    const made = readFileSync(file);
    expect(made.toString()).not.toBe("mine");
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readlinkSync(link)).toBe("file");
    const again = await inProcess(line(file, from));
    expect(again.code).toBe(isReport ? 0 : 2);
    if (!isReport) expect(readFileSync(file).equals(made)).toBe(true);
  });

  test("an empty file is nothing that could be lost", async () => {
    writeFileSync(at("file"), "");
    expect((await inProcess(line(at("file"), from))).code).toBe(0);
  });

  if (input === "") return;
  test("its own input is refused under every name, --overwrite or not", async () => {
    const copy = at("copy");
    copyFileSync(from, copy);
    const names = [copy, at("symbolic"), at("hard"), join(folder, ".", "..", folder.split("/").at(-1)!, "copy")];
    for (const name of names.slice(1, 3)) rmSync(name, { force: true });
    symlinkSync("copy", names[1]);
    linkSync(copy, names[2]);
    for (const out of names) {
      const { code, err } = await inProcess([...line(out, copy), "--overwrite"]);
      expect(err).toMatch(/^touchstone: .*: is the input .*copy, expected another file\n$/);
      expect(code).toBe(2);
    }
    expect(readFileSync(copy).equals(readFileSync(from))).toBe(true);
  });
});

test("a file in a folder that is read is an input", async () => {
  const hf = at("hf");
  expect((await inProcess(["convert", at("model"), hf])).code).toBe(0);
  const weights = join(hf, "model.safetensors");
  const before = readFileSync(weights);
  const { code, err } = await inProcess(["convert", hf, weights, "--overwrite"]);
  expect(err).toMatch(/model\.safetensors: is the input .*model\.safetensors, expected another file\n$/);
  expect(code).toBe(2);
  expect(readFileSync(weights).equals(before)).toBe(true);
  const onto = await inProcess(["convert", at("model"), hf, "--overwrite"]);
  expect(onto.err).toMatch(/hf: is a folder with \d+ entries, expected a free name or an empty one\n$/);
});

test("two outputs of one command have two names", async () => {
  const { code, err } = await inProcess([
    "plan",
    "--model",
    "7B",
    "--svg",
    at("one"),
    "--json",
    join(folder, ".", "one"),
  ]);
  expect(err).toMatch(/--json .*one: is also --svg, expected two files\n$/);
  expect(code).toBe(2);
});

test("two outputs of one command are two files, whatever links say", async () => {
  symlinkSync(at("new"), at("link-to-new"));
  const args = ["plan", "--model", "7B", "--svg", at("new"), "--json", at("link-to-new")];
  const { code, err } = await inProcess(args);
  expect(err).toMatch(/--json .*link-to-new: is also --svg, expected two files\n$/);
  expect([code, existsSync(at("new"))]).toEqual([2, false]);
});
