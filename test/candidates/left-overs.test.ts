// What a killed run leaves in the temporary folder is removed by the next one, or stays within a limit; evidence that was asked
// for stays.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hasEnded, ownerIn, removeLeftOvers, temporaryName, thisProcess } from "../../formats/owner.ts";
import { limitEvidence } from "../../judge/candidates/scratch.ts";
import { readSafetensors } from "../../formats/safetensors.ts";
import { inProcess } from "../cli/in-process.ts";
import { cli, root } from "../command.ts";

const { TMPDIR } = process.env;
const { host } = thisProcess();
const dead = spawnSync(process.execPath, ["-e", ""]).pid;
let folder: string;
let temporary: string;

beforeEach(() => {
  delete process.env.TMPDIR;
  if (TMPDIR !== undefined) process.env.TMPDIR = TMPDIR;
  folder = mkdtempSync(join(tmpdir(), "touchstone-left-"));
  temporary = join(folder, "tmp");
  mkdirSync(temporary);
  process.env.TMPDIR = temporary;
});

afterEach(() => {
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  rmSync(folder, { recursive: true, force: true });
});

/** A folder with one file, as a process that has ended left it. */
function leave(name: string, bytes = 1, changed = 0): string {
  const path = join(temporary, name);
  mkdirSync(path);
  writeFileSync(join(path, "1.in.safetensors"), new Uint8Array(bytes));
  utimesSync(path, changed, changed);
  return path;
}

const random = (n: number): string => n.toString(16).padStart(12, "0");

test("a name tells its process; one that lives, or is on another host, has not ended", () => {
  const mine = ownerIn(temporaryName(".touchstone-"), ".touchstone-")!;
  expect(mine).toEqual(thisProcess());
  expect(hasEnded(mine)).toBe(false);
  expect(hasEnded({ ...mine, pid: dead })).toBe(true);
  expect(hasEnded({ ...mine, pid: dead, host: "elsewhere" })).toBe(false);
  expect(hasEnded({ host, pid: 1, start: 0 })).toBe(false);
  expect(ownerIn("touchstone-files-mine", "touchstone-files-")).toBeUndefined();
});

test("the same identifier with another start is another process", (context) => {
  const mine = thisProcess();
  if (mine.start === 0) context.skip("no /proc here");
  expect(hasEnded({ ...mine, start: mine.start + 1 })).toBe(true);
});

test("what ended processes left goes; a live one's, another host's and foreign names stay", () => {
  leave(`touchstone-files-${host}-${dead}-1-${random(1)}`);
  const staying = [
    temporaryName("touchstone-files-"),
    `touchstone-files-elsewhere-${dead}-1-${random(2)}`,
    "touchstone-files-mine",
    `touchstone-evidence-${host}-${dead}-1-${random(3)}`,
  ];
  staying.forEach((name) => leave(name));
  removeLeftOvers(temporary, "touchstone-files-");
  expect(readdirSync(temporary).toSorted()).toEqual(staying.toSorted());
});

test("evidence stays within a number and a size, the newest first", () => {
  const paths = [1, 2, 3, 4].map((n) => leave(`touchstone-evidence-${host}-${dead}-1-${random(n)}`, 100, n));
  const staying = (): number[] => paths.flatMap((path, i) => (existsSync(path) ? [i + 1] : []));
  limitEvidence(3, 1000);
  expect(staying()).toEqual([2, 3, 4]);
  limitEvidence(3, 250);
  expect(staying()).toEqual([3, 4]);
});

const args = (...more: string[]): string[] => {
  return [cli, "check", "--op", "add.forward", "--runs", "1", "--seed", "1", "--exec", ...more];
};

function ended(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.on("close", resolve));
}

test("check: a killed run's files are gone after the next; --evidence is kept", async () => {
  const env = { ...process.env, TMPDIR: temporary };
  const hanging = spawn(process.execPath, args("cat > /dev/null"), { cwd: root, env, stdio: "ignore" });
  while (hanging.exitCode === null && readdirSync(temporary).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  hanging.kill("SIGKILL");
  await ended(hanging);
  expect(readdirSync(temporary)).toHaveLength(1);
  const kept = join(folder, "kept");
  const failing = spawn(process.execPath, args("exit 7", "--evidence", kept), { cwd: root, env, stdio: "ignore" });
  expect(await ended(failing)).toBe(1);
  expect(readdirSync(temporary)).toEqual([]);
  expect(readdirSync(kept)).toEqual([expect.stringMatching(/^add\.forward-\d+$/)]);
});

test("order and invariance keep the files of a run that failed, and say where", async () => {
  const kept = join(folder, "kept");
  const failing = ["linear.forward", "--exec", "exit 7", "--evidence", kept];
  for (const command of ["order", "invariance"]) {
    const { code, out } = await inProcess([command, ...failing]);
    expect([code, out]).toEqual([1, expect.stringMatching(/ {2}files kept in .*linear\.forward-\d\n/)]);
  }
  expect(readdirSync(kept)).toEqual(["linear.forward-1", "linear.forward-2"]);
});

test("order keeps the files of a run in which one term is lost, and says how to see it again", async () => {
  const kept = join(folder, "lost");
  const kernel = join(folder, "lost.py");
  const lines = [
    "import touchstone",
    "def kernel(op, inputs, scalars):",
    "  R, C = inputs['dy'].shape",
    "  dw = touchstone.zeros((2, C))",
    "  for r in range(1, R):",
    "    for c in range(C): dw[0, c] += inputs['dy'][r, c]",
    "  return {'dw': dw}",
    "touchstone.serve(kernel)",
  ];
  writeFileSync(kernel, lines.join("\n"));
  const exec = `python3 ${kernel}`;
  const given = ["order", "embedding.backward", "--sizes", "R=4 C=2 V=2", "--exec", exec, "--evidence", kept];
  const { code, out } = await inProcess(given);
  expect(code).toBe(1);
  expect(out).toMatch(/\nFAIL embedding\.backward dw: lost: term 0\n/);
  expect(out).toMatch(/\n {2}touchstone order embedding\.backward --sizes 'R=4 V=2 C=2' --exec /);
  const [files] = readdirSync(kept);
  expect(out).toContain(join(kept, files));
  const read = readdirSync(join(kept, files)).map((name) => readSafetensors(join(kept, files, name)).tensors);
  const tensors = read.find((one) => one.has("dy"))!;
  expect([...tensors.get("dy")!.data]).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
});

test("where there is no room for --evidence, a line says that nothing is kept, and why", async () => {
  const kept = join(folder, "kept");
  const exec = `rm -r '${kept}'; echo > '${kept}'; exit 7`;
  const { code, out, err } = await inProcess(["check", "--op", "add.forward", "--exec", exec, "--evidence", kept]);
  expect([code, out]).toEqual([1, expect.not.stringContaining("files kept")]);
  const lines = err.split("\n").filter((line) => line.startsWith("no files kept: "));
  expect(lines).toEqual([expect.stringMatching(/kept: cannot hold files, .*, expected a writable folder$/)]);
});
