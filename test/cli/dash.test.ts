// "-" is standard output where a command says so, and never the name of a file; nor is the empty text.
import { Command } from "commander";
import { existsSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { program } from "../../cli/program.ts";
import { inProcess } from "./in-process.ts";

/** Every command below one, with the words that call it. */
function commandsOf(command: Command, words: readonly string[] = []): { command: Command; words: readonly string[] }[] {
  const below = command.commands.flatMap((one) => commandsOf(one, [...words, one.name()]));
  return command.commands.length === 0 ? [{ command, words }] : below;
}

/** What each command that writes to a file or folder is called with, "-" as that file or folder. */
const calls = commandsOf(program()).flatMap(({ command, words }) => {
  const needed = command.registeredArguments.filter(({ required }) => required);
  const mandatory = command.options.filter((option) => option.mandatory).map((option) => option.long!);
  const written = command.options.filter(
    ({ long, flags }) => /^--(json|out|svg|evidence)$/.test(long ?? "") && flags.includes("<"),
  );
  const given = (except = ""): string[] =>
    mandatory.flatMap((long) =>
      long === except ? [] : [long, { "--model": "7B", "--vocab-size": "300" }[long] ?? "missing"],
    );
  const optional = written.map(({ long }) => ({
    name: `${words.join(" ")} ${long}`,
    args: [...words, ...needed.map(() => "missing"), ...given(long), long!, "-"],
  }));
  if (!needed.some((argument) => argument.name() === "out")) return optional;
  const args = [...words, ...needed.map((argument) => (argument.name() === "out" ? "-" : "missing"))];
  return optional.concat({ name: `${words.join(" ")} <out>`, args });
});

test("commands that write to a file or folder", () => {
  expect(calls.map(({ name }) => name).toSorted()).toEqual([
    "check --evidence",
    "check --json",
    "convert <out>",
    "golden generate --out",
    "invariance --evidence",
    "invariance --json",
    "order --evidence",
    "order --json",
    "plan --json",
    "plan --svg",
    "tokenizer train --out",
    "trace --out",
    "train --out",
  ]);
});

const taken = new Set(["check --json", "invariance --json", "order --json", "plan --json"]);
const refused = calls.filter(({ name }) => !taken.has(name));

test.each(refused)("$name refuses it in one line", async ({ args }) => {
  const { code, out, err } = await inProcess(args);
  expect(err).toMatch(/^touchstone: .* -: is standard output, to which .* does not write, expected a path\n$/);
  expect([code, out]).toEqual([2, ""]);
  expect(existsSync("-")).toBe(false);
});

test.each([
  [
    ["check", "--op", "add.forward", "--runs", "1", "--seed", "1"],
    ["op", "add.forward"],
  ],
  [["order", "embedding.backward", "--sizes", "R=4 C=2 V=2"], ["embedding.backward"]],
  [["plan", "--model", "7B"], ["tokens"]],
])("%j writes JSON to standard output, and all else to standard error", async (args, words) => {
  const { code, out, err } = await inProcess([...args, "--json", "-"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toBeTypeOf("object");
  for (const word of words) expect(out).toContain(`"${word}"`);
  expect(err.split("\n").length).toBeGreaterThan(3);
  expect(existsSync("-")).toBe(false);
  rmSync("-", { force: true });
  const without = await inProcess(args);
  expect(without.out, "the next command has its standard output again").not.toBe("");
});

test.each(calls)("$name refuses the empty name before it does anything", async ({ args }) => {
  const { code, out, err } = await inProcess(args.map((word) => (word === "-" ? "" : word)));
  expect([code, out]).toEqual([2, ""]);
  expect(err).toMatch(/^touchstone: (--(json|out|svg|evidence)|<out>): is empty, expected a path\n$/);
});
