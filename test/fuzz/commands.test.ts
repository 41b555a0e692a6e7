// Every option and argument of every command, with values that nobody means: an exit status of the table, and bad input is one line.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { program } from "../../cli/program.ts";
import { inProcess } from "../cli/in-process.ts";

const root = join(import.meta.dirname, "../..");
const small = join(root, "golden/models/small/model.safetensors");
const folder = mkdtempSync(join(tmpdir(), "touchstone-commands-"));
const before = process.cwd();
process.chdir(folder); // a value may be taken as the name of a file to write
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});
writeFileSync("text.txt", "a text of some length, to learn from and to measure. ".repeat(20));
writeFileSync("tasks.jsonl", '{"kind":"pass","samples":3,"correct":1}\n');

/** A quick run of each command, to which a value is added; check's, invariance's and order's end at a module that does not exist, train's at its memory. */
const quick: Readonly<Record<string, readonly string[]>> = {
  blame: [small],
  check: ["--replay", "add.forward N=3 profile=unit seed=1", "--kernel", "none.mjs"],
  convert: [small, "out.gguf"],
  diff: [small, small],
  evaluate: [small, "--tasks", "tasks.jsonl"],
  generate: [small, "--tokens", "1"],
  "golden check": ["."],
  "golden generate": ["--scale", "7B", "--op", "none", "--out", "scale"],
  "golden list": ["."],
  "golden verify": [".", "."],
  inspect: [small, "--no-norms"],
  invariance: ["add.forward", "--kernel", "none.mjs"],
  order: ["linear.forward", "--kernel", "none.mjs"],
  ops: [],
  plan: ["--model", "7B"],
  tokenize: ["text"],
  "tokenizer train": ["--text", "text.txt", "--vocab-size", "280", "--out", "t.model"],
  trace: ["--replay", small, "--out", "trace.safetensors"],
  train: ["--text", "text.txt", "--config", "tiny", "--steps", "1", "--memory-limit", "1"],
};

/** Values that would begin a long run, or a search for a device, on purpose. */
const meant = new Set(["--exec", "--device", "--adapter", "--shipped", "--scale"]);

/** For every run, and for a campaign's. */
const few = [
  "",
  "a\0b",
  "\u001b[2J",
  "x".repeat(100_000),
  "-1",
  "0x10",
  "1e400",
  "1,2,,3",
  "__proto__",
  '{"toString":1}',
];
const more = [
  " ",
  "-",
  "\n",
  "../".repeat(2000),
  "no/such/file.json",
  "-0",
  "0",
  "1e-400",
  "NaN",
  "Infinity",
  "0.5",
  "7B",
];
const most = ["9007199254740993", "1e3M", "constructor", "toString", "[".repeat(1000), "P=bfloat16,P=tf32"];
const lists = [Array.from({ length: 20_000 }, (_, i) => `op${i}`).join(","), "add.forward+".repeat(5000)];
const words = process.env.TOUCHSTONE_FUZZ_INPUTS === undefined ? few : [...few, ...more, ...most, ...lists];

function leaves(command: Command, path: readonly string[] = []): [name: string, command: Command][] {
  const below = command.commands.flatMap((one) => leaves(one, [...path, one.name()]));
  const runs = command.registeredArguments.length > 0 || command.commands.length === 0;
  return below.length > 0 && !runs ? below : [...below, [path.join(" "), command]];
}

const commands = leaves(program());

test("every command is tried", () => {
  expect(commands.map(([name]) => name).toSorted()).toEqual(Object.keys(quick).toSorted());
});

test.each(commands)("%s", { timeout: 600_000 }, async (name, command) => {
  const named = name.split(" ");
  const base = named.concat(quick[name]);
  const options = command.options.filter(({ long, required, optional }) => {
    return long !== null && long !== undefined && !meant.has(long) && (required || optional);
  });
  const tried = [
    ...options.flatMap(({ long }) => words.map((word) => base.concat(`${long}=${word}`))),
    ...words.map((word) => named.concat("--", word, word)),
  ];
  for (const args of tried) {
    const { code, err } = await inProcess(args);
    const said = `${args.join(" ").slice(0, 300)}\n${err.slice(0, 1000)}`;
    expect([0, 1, 2, 4], said).toContain(code);
    if (code !== 2) continue;
    const lines = err
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("touchstone: "));
    expect(lines, said).toHaveLength(1);
    expect(lines[0].length, said).toBeLessThanOrEqual(520);
    expect(err, said).not.toMatch(/^\s+at /m);
  }
});
