// A command that the shell does not find, or may not run, is bad input; a program that starts and then fails is a finding.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inProcess } from "../cli/in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-missing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
writeFileSync(at("plain"), "not a program\n", { mode: 0o644 });
const fused = "rmsnorm.forward+linear.forward";
const replay = "add.forward N=3 profile=unit seed=1";

test.each([
  ["no program", "no-such-program --fast"],
  ["no file", "/no/such/file"],
  ["a file that may not be run", at("plain")],
  ["a folder", folder],
])("%s", async (_, exec) => {
  for (const asked of [
    ["--op", "add", "--runs", "3"],
    ["--op", fused, "--runs", "3"],
    ["--replay", replay],
  ]) {
    const { code, out, err } = await inProcess(["check", ...asked, "--exec", exec]);
    expect(err).toMatch(
      /^touchstone: .*: cannot be run \(.*\), expected a program that the shell finds and may run\n$/m,
    );
    expect(err).toContain(exec);
    expect(out).toBe("");
    expect(code).toBe(2);
  }
});

test.each(["exit 1", "read line; exit 3", "kill -9 $$"])(
  "a program that fails, by %s, is a finding",
  async (script) => {
    const { code } = await inProcess(["check", "--op", "add", "--runs", "3", "--exec", `sh -c '${script}'`]);
    expect(code).toBe(1);
  },
);
