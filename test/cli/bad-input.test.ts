// Every command answers bad input with one line that says what, where and what was expected, exit status 2, and no trace of
// the stack.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../formats/safetensors.ts";
import { touchstone } from "../command.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

writeFileSync(at("corrupt.safetensors"), "not a header at all");
writeFileSync(at("target.json"), '{ "name": "mine", "u": 2 }');
writeFileSync(at("module.mjs"), "export const nothing = 1;\n");
writeFileSync(at("file"), "");
writeSafetensors(at("empty.safetensors"), new Map(), { config: "{}" });
writeSafetensors(at("noconfig.safetensors"), new Map());

const cases: [args: string[], says: RegExp][] = [
  [["chek"], /unknown command 'chek'/],
  [["check", "--nonsense"], /unknown option '--nonsense'/],
  [["check", "--runs", "0"], /^touchstone: --runs 0: expected a whole number from 1 to 1000000$/],
  [["check", "--runs", "3.5"], /--runs 3\.5: expected a whole number/],
  [["check", "--runs", "5", "--budget", "5"], /cannot be used with/],
  [["check", "--op", "atention"], /no op is named "atention".*attention/],
  [["check", "--op", "rmsnorm+linear"], /"rmsnorm" is not an op and direction/],
  [["check", "--op", "rmsnorm.forward+rmsnorm.backward"], /only forward ops are fused/],
  [["check", "--adapter", "npu"], /--adapter npu: expected one of auto, gpu, software/],
  [["check", "--replay", "swiglu.forward R=1"], /profile is missing/],
  [["check", "--replay", "swiglu.forward R=1 profile=unit seed=1"], /has the sizes R, F, got R/],
  [["check", "--replay", "swiglu.forward R=9999999 F=1 profile=unit seed=1"], /R is 9999999/],
  [["check", "--replay", "swiglu.forward R=1000000 F=1000000 profile=unit seed=1"], /together/],
  [["check", "--replay", "swiglu R=1 F=1 profile=unit seed=1"], /not an op and direction/],
  [["check", "--exec", "true"], /--op NAME is missing/],
  [["check", "--op", "add", "--target", "cdua"], /"cdua" is none of wgsl/],
  [["check", "--op", "add", "--target", at("target.json")], /target.json.*expected/],
  [["check", "--op", "add", "--store", "Q=bfloat16"], /"Q" is nothing that these ops store/],
  [["check", "--op", "add", "--store", "a=float8"], /"float8" is no format/],
  [["check", "--op", "add", "--json", folder], /--json .*: is not a regular file/],
  [
    ["golden", "generate", "--scale", "7B", "--op", "rope.forward", "--out", "/proc/none"],
    /\/proc\/none: cannot hold files/,
  ],
  [["check", "--op", "add", "--kernel", at("nowhere.ts")], /does not exist/],
  [["check", "--op", "add", "--kernel", at("module.mjs")], /no default export/],
  [
    ["check", "--op", "add", "--runs", "1", "--seed", "1", "--json", at("no/such/folder.json")],
    /no\/such\/folder.json/,
  ],
  [["ops", "nothing"], /no op is named "nothing"/],
  [["blame", at("nowhere.safetensors")], /nowhere.safetensors.*no such file/],
  [["blame", at("corrupt.safetensors")], /corrupt.safetensors: header length/],
  [["blame", at("noconfig.safetensors")], /"config"/],
  [["blame", at("empty.safetensors")], /empty.safetensors/],
  [["golden", "verify", at("nowhere"), folder], /nowhere: does not exist/],
  [["golden", "list", folder], /corrupt.safetensors: header length/],
  [["golden", "check", folder], /manifest.json/],
  [["golden", "generate", "--out", folder], /holds .*, expected an empty folder/],
  [["golden", "generate", "--scale", "7B"], /--out FOLDER is missing/],
  [
    ["golden", "generate", "--scale", "7B", "--out", folder, "--op", "rope-table"],
    /no fixture at scale of "rope-table"/,
  ],
  [["trace"], /required option '--replay/],
  [["trace", "--replay", at("corrupt.safetensors"), "--out", at("out.safetensors")], /corrupt.safetensors/],
  [["diff", at("corrupt.safetensors"), at("empty.safetensors")], /corrupt.safetensors/],
  [["train", "--config", "huge"], /huge/],
  [["train", "--steps", "-1"], /--steps/],
  [["train", "--text", at("file"), "--steps", "1"], /0 bytes/],
];

describe.concurrent("bad input", () => {
  test.for(cases)("touchstone %j", async ([args, says]) => {
    const { code, err } = await touchstone(args);
    const lines = err
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("touchstone check: ")); // the heading of a run
    expect(lines.at(-1)).toMatch(says);
    expect(lines.filter((line) => !/^\[\d+\/\d+\]/.test(line))).toHaveLength(1);
    expect(err).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
  });

  test("no device of the kind that was asked for", async (context) => {
    const { code, err } = await touchstone(["check", "--adapter", "gpu", "--runs", "1"]);
    if (code === 0) context.skip("this machine has a GPU");
    expect(err).toMatch(/^touchstone: no GPU found/);
    expect(code).toBe(2);
  });

  test("help is no error", async () => {
    for (const args of [["--help"], ["check", "--help"], ["--version"]]) {
      const { code, out } = await touchstone(args);
      expect([code, out.length > 0]).toEqual([0, true]);
    }
  });
});
