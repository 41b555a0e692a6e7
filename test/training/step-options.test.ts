// --recompute, --micro-batches and --memory-limit of train, and --recompute of trace.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkStep, stepMemory } from "../../cli/step-options.ts";
import { checkpointPath } from "../../training/checkpoint.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import { presets } from "../../reference/config.ts";
import { countParameters } from "../../reference/weights.ts";
import { cli } from "../command.ts";

const root = join(import.meta.dirname, "../..");
let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "touchstone-step-"));
  writeFileSync(join(scratch, "text.txt"), "the quick brown fox jumps over the lazy dog. ".repeat(20));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function train(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = [cli, "train", "--text", join(scratch, "text.txt"), ...args];
  return spawnSync(process.execPath, command, { cwd: root, encoding: "utf8" });
}

const BATCH = { B: 4, T: 32 }; // train's own

test("a limit into which none does not fit is one line and status 2; full fits, and learns the same bits", () => {
  const [none, full] = (["none", "full"] as const).map((policy) => stepMemory(presets.tiny, BATCH, policy));
  const limit = String(none.total - 1);
  const refused = train("--steps", "1", "--memory-limit", limit);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(
    new RegExp(`^touchstone: --memory-limit ${limit}: a step needs ${none.total} bytes, .*--recompute full.*\n$`),
  );
  const fits = train("--steps", "2", "--memory-limit", limit, "--recompute", "full", "--out", join(scratch, "full"));
  expect([fits.status, fits.stderr]).toEqual([0, ""]);
  expect(fits.stdout).toContain(`at most ${full.activations} of activations`);
  expect(train("--steps", "2", "--out", join(scratch, "none")).status).toBe(0);
  const weights = (name: string) => readSafetensors(checkpointPath(join(scratch, name))).tensors;
  expect(weights("full")).toEqual(weights("none"));
});

test("what cannot be is refused in one line", () => {
  for (const [args, line] of [
    [["--micro-batches", "3"], "--micro-batches 3: expected a divisor of the 4 sequences of a batch"],
    [["--micro-batches", "0"], "--micro-batches 0: expected a whole number of at least 1"],
    [
      ["--recompute", "gates"],
      '--recompute gates: "gates" is not a policy of recomputation, expected none, selective, full, or outputs to save of',
    ],
  ] as const) {
    const { status, stderr } = train("--steps", "1", ...args);
    expect([status, stderr.split("\n").length]).toEqual([2, 2]);
    expect(stderr).toContain(line);
  }
});

test("a step's memory is 16 bytes a parameter and the activations; what nothing can meet is said", () => {
  const flags = { recompute: "none", microBatches: 1 } as const;
  const { state, activations, total } = checkStep(presets.tiny, 4, 32, flags);
  expect(state).toBe(16 * countParameters(presets.tiny));
  expect(total).toBe(state + activations);
  expect(() => checkStep(presets.tiny, 4, 32, { ...flags, memoryLimit: 1000 })).toThrow(
    /^--memory-limit 1000: .* no policy of recomputation needs less than \d+$/,
  );
  const parts = checkStep(presets.tiny, 4, 32, { ...flags, microBatches: 4 });
  expect(parts.activations).toBeLessThan(activations / 3);
});
