// Lists of 120,000 items: more than a call takes arguments, and enough that a search within a search would not end in time.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openCheckpoint } from "../../formats/checkpoint.ts";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { choose } from "../../judge/choose.ts";
import { parseReplay } from "../../judge/replay.ts";
import { declareStores, parseStores } from "../../judge/terms.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { readTraceInput } from "../../trace/input.ts";
import { readMixture } from "../../training/mixture.ts";
import { readTasks } from "../../training/tasks.ts";
import { small } from "../formats/checkpoints/files.ts";

const MANY = 120_000;
const folder = mkdtempSync(join(tmpdir(), "touchstone-items-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const numbered = <T>(one: (i: number) => T): T[] => Array.from({ length: MANY }, (_, i) => one(i));

test("--op", () => {
  expect(choose(numbered(() => "add"))).toHaveLength(1);
  expect(() => choose([numbered(() => "add.forward").join("+")])).toThrow(/: fuses 120000 ops, expected at most 32$/);
});

test("--store", () => {
  const stores = parseStores(numbered((i) => `s${i}=bfloat16`).join(","));
  expect(Object.keys(stores)).toHaveLength(MANY);
  expect(() => declareStores(targets.wgsl, stores, [...operations.values()])).toThrow(/^"s0" is not an intermediate/);
  expect(() => parseStores("P=bfloat16,P=tf32")).toThrow(/^"P" is declared twice, expected once$/);
});

test("--replay", () => {
  const line = `add.forward ${numbered((i) => `N${i}=1`).join(" ")} profile=unit seed=1`;
  expect(() => parseReplay(line)).toThrow(/with the sizes .*, expected N$/);
});

test("a mixture, its files, and tasks", () => {
  const source = { weight: 1, files: ["a"] };
  writeFileSync(
    at("mixture.json"),
    JSON.stringify({ sources: numbered((i) => ({ ...source, name: `s${i}` })).slice(0, 80_000) }),
  );
  expect(readMixture(at("mixture.json"))).toHaveLength(80_000); // more would be a file longer than a mixture is
  writeFileSync(at("files.json"), JSON.stringify({ sources: [{ ...source, name: "a", files: numbered(String) }] }));
  expect(readMixture(at("files.json"))[0].files).toHaveLength(MANY);
  writeFileSync(at("tasks.jsonl"), numbered(() => '{"kind":"perplexity","text":"a"}').join("\n"));
  expect(readTasks(at("tasks.jsonl"))).toHaveLength(MANY);
});

test("tensors of a file", async () => {
  const none = { data: new Float32Array(0), shape: [0] };
  const tensors = new Map(numbered((i) => [`t${i}`, none] as const));
  writeSafetensors(at("many.safetensors"), tensors, { config: JSON.stringify(small) });
  await expect(openCheckpoint(at("many.safetensors"))).rejects.toThrow(/is missing, expected shape/);
  expect(() => readTraceInput(at("many.safetensors"))).toThrow(/"tokens" is missing/);
});

test("names that every object has", () => {
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty"];
  const one = { data: Float32Array.of(1), shape: [1] };
  writeSafetensors(at("names.safetensors"), new Map(names.map((name) => [name, one])), {
    constructor: "a",
    toString: "b",
  });
  const { tensors, metadata } = readSafetensors(at("names.safetensors"));
  expect([...tensors.keys()]).toEqual(names);
  expect(Object.entries(metadata)).toEqual([
    ["constructor", "a"],
    ["toString", "b"],
  ]);
});
