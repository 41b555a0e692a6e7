// Every path that a command takes: a pipe, a device or a file far longer than its kind is refused in one line, at once.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { program } from "../../cli/program.ts";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-inputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
execFileSync("mkfifo", [at("pipe")]);
writeFileSync(at("sparse"), "");
truncateSync(at("sparse"), 2 ** 42);
mkdirSync(at("empty"));

/** How each path that is read gets to its command; by command and argument or option. */
const read: Readonly<Record<string, (path: string) => string[]>> = {
  "blame file": (path) => ["blame", path],
  "check --kernel": (path) => ["check", "--op", "add", "--kernel", path],
  "check --target": (path) => ["check", "--op", "add", "--target", path],
  "convert in": (path) => ["convert", path, at("out.gguf")],
  "convert --tokenizer": (path) => ["convert", small, at("out.gguf"), "--tokenizer", path],
  "diff a": (path) => ["diff", path, small],
  "diff b": (path) => ["diff", small, path],
  "evaluate checkpoint": (path) => ["evaluate", path, "--text", small],
  "evaluate --tasks": (path) => ["evaluate", "--tasks", path],
  "evaluate --text": (path) => ["evaluate", "--text", path],
  "evaluate --tokenizer": (path) => ["evaluate", "--text", small, "--tokenizer", path],
  "generate checkpoint": (path) => ["generate", path],
  "generate --tokenizer": (path) => ["generate", "--tokenizer", path],
  "golden check folder": (path) => ["golden", "check", linked("manifest.json", path)],
  "golden generate --target": (path) => ["golden", "generate", "--out", at("never"), "--target", path],
  "golden list folder": (path) => ["golden", "list", linked("add.forward.0.float32.safetensors", path)],
  "golden verify fixtures": (path) => {
    return ["golden", "verify", linked("add.forward.0.float32.safetensors", path), at("empty")];
  },
  "inspect file": (path) => ["inspect", path],
  "invariance --kernel": (path) => ["invariance", "add", "--kernel", path],
  "invariance --target": (path) => ["invariance", "add", "--target", path],
  "order --kernel": (path) => ["order", "linear", "--kernel", path],
  "tokenize --tokenizer": (path) => ["tokenize", "--tokenizer", path, "text"],
  "tokenizer train --text": (path) => {
    return ["tokenizer", "train", "--text", path, "--vocab-size", "300", "--out", at("out.model")];
  },
  "trace --replay": (path) => ["trace", "--replay", path, "--out", at("out.safetensors")],
  "train --mixture": (path) => ["train", "--mixture", path],
  "train --resume": (path) => ["train", "--resume", linked("checkpoint.safetensors", path)],
  "train --text": (path) => ["train", "--text", path],
  "train --tokenizer": (path) => ["train", "--tokenizer", path],
};

/** Commands that read a file of any length, part by part. */
const endless = new Set(["tokenizer train --text"]);

/** Paths that are written, or that name no file. */
const others = new Set([
  "blame --target", // read after the recording, by what reads check's
  "check --evidence",
  "check --json",
  "convert out",
  "golden generate --out",
  "golden verify outputs", // a fixture's outputs that cannot be read are a finding of their own
  "invariance --evidence",
  "invariance --json",
  "invariance op",
  "ops name",
  "order --evidence",
  "order --json",
  "order op",
  "plan --json",
  "plan --svg",
  "tokenize text",
  "tokenizer train --out",
  "trace --out",
  "train --out",
]);

const small = new URL("../../golden/models/small/model.safetensors", import.meta.url).pathname;

/** A new folder in which a name leads to a path. */
function linked(name: string, path: string): string {
  const inside = mkdtempSync(at("folder-"));
  symlinkSync(path, join(inside, name));
  return inside;
}

function placesOf(command: Command, name = ""): string[] {
  const own = [
    ...command.registeredArguments.map((argument) => argument.name()),
    ...command.options.filter(({ flags }) => /<.*(file|dir|folder|module)/.test(flags)).map(({ long }) => long!),
  ];
  return [
    ...own.map((place) => `${name} ${place}`),
    ...command.commands.flatMap((below) => placesOf(below, `${name} ${below.name()}`.trim())),
  ];
}

test("every path of every command is listed here", () => {
  expect(placesOf(program()).toSorted()).toEqual([...Object.keys(read), ...others].toSorted());
});

describe.each([
  ["a pipe", at("pipe"), /is not a regular file/],
  ["a device", "/dev/zero", /is not a regular file/],
  ["4 TiB of nothing", at("sparse"), /expected/],
])("%s", (_, path, says) => {
  const tried = Object.keys(read).filter((name) => path !== at("sparse") || !endless.has(name));
  test.for(tried)("%s", async (name) => {
    const { code, err } = await inProcess(read[name](path));
    const lines = err.trimEnd().split("\n");
    expect(lines.at(-1)).toMatch(says);
    expect(lines.at(-1)!.length).toBeLessThan(500);
    expect(err).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
  });
});
