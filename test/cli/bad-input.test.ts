// Every command answers bad input with one line that says what, where and what was expected, exit status 2, and no trace of
// the stack.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { statuses } from "../../cli/statuses.ts";
import { writeSafetensors } from "../../formats/safetensors.ts";
import { root, touchstone } from "../command.ts";
import { inProcess } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

writeFileSync(at("corrupt.safetensors"), "not a header at all");
writeFileSync(at("target.json"), '{ "name": "mine", "u": 2 }');
writeFileSync(at("module.mjs"), "export const nothing = 1;\n");
writeFileSync(at("file"), "");
writeFileSync(at("file.json"), "{");
writeFileSync(at("text"), "root:x:0:0:root:/root:/bin/bash\n");
const model = join(root, "golden/models/small/model.safetensors");
writeSafetensors(at("empty.safetensors"), new Map(), { config: "{}" });
writeSafetensors(at("noconfig.safetensors"), new Map());

const cases: [args: string[], says: RegExp][] = [
  [["chek"], /^touchstone: chek: there is no such command, expected check$/],
  [["golden", "zzz"], /^touchstone: zzz: there is no such command, expected one that --help lists$/],
  [["check", "--nonsense"], /--nonsense: check has no such option, expected one that --help lists$/],
  [["ops", "--jsn"], /--jsn: ops has no such option, expected --json$/],
  [["check", "here"], /check: 1 argument, expected none$/],
  [["golden", "verify", "a", "b", "c"], /golden verify: 3 arguments, expected 2$/],
  [["diff", "a"], /diff: <b> is missing, expected diff \[options\] <a> <b>$/],
  [["check", "--seed"], /--seed: has no value, expected --seed <n>$/],
  [["check", "--runs", "0"], /^touchstone: --runs 0: expected a whole number from 1 to 1000000$/],
  [["check", "--runs", "3.5"], /--runs 3\.5: expected a whole number/],
  [["check", "--runs", "5", "--budget", "5"], /--budget: is given with --runs, expected only one of them$/],
  ...["0", "-1", "1.5", "1000", "x"].map((n): [string[], RegExp] => [
    ["check", "--jobs", n],
    /^touchstone: --jobs \S+: expected a whole number from 1 to \d+: 4 for each core of this machine, and at most 16$/,
  ]),
  [
    ["check", "--jobs", "2", "--replay", "add.forward N=3 profile=unit seed=1"],
    /--jobs: is given with --replay|--replay: is given with --jobs/,
  ],
  [["check", "--op", "atention"], /no op is named "atention", nearest: attention, expected one of /],
  [["check", "--op", "linear.foward"], /no op is named "linear\.foward", nearest: linear\.forward, /],
  [["check", "--op", "nothing"], /no op is named "nothing", expected one of /],
  [
    ["check", "--op", "add", "--bitwise", "--nondeterministic"],
    /--nondeterministic: is given with --bitwise, expected/,
  ],
  [["check", "--op", "linear", "--sizes", "7b"], /"7b" is no term, expected such as .*, or a model: 7B, 13B/],
  [["check", "--op", "linear", "--sizes", "R>=1e99"], /sizes: "R>=1e99", expected at most 2147483648$/],
  [["check", "--op", "rmsnorm+linear"], /"rmsnorm" is not an op and direction/],
  [["check", "--op", "rmsnorm.forward+rmsnorm.backward"], /only forward ops can be fused/],
  [["check", "--adapter", "npu"], /--adapter npu: expected one of auto, gpu, software/],
  [["check", "--replay", "swiglu.forward R=1"], /profile is missing, expected one of unit/],
  [["check", "--replay", "swiglu.forward R=1 profile=unit seed=1"], /swiglu.forward with the sizes R, expected R, F/],
  [["check", "--replay", "swiglu.forward R=99999999 F=1 profile=unit seed=1"], /R is 99999999/],
  [["check", "--replay", "swiglu.forward R=1000000 F=1000000 profile=unit seed=1"], /together/],
  [["check", "--replay", "swiglu R=1 F=1 profile=unit seed=1"], /not an op and direction/],
  [["check", "--exec", "true"], /--op NAME is missing/],
  [
    ["check", "--op", "add", "--target", "cdua"],
    /--target cdua: there is no such target, expected one of wgsl.*JSON file/,
  ],
  [["check", "--op", "add", "--target", at("target.json")], /target.json.*expected/],
  [["check", "--op", "add", "--target", at("no.json")], /--target .*no.json: cannot be read, no such file.*expected/],
  [["check", "--op", "add", "--target", at("file.json")], /--target .*file.json: is not JSON.*expected a target/],
  [
    ["check", "--op", "add", "--target", folder],
    /--target .*: is not a regular file but a folder, expected a target in JSON/,
  ],
  [["check", "--replay", "add.forward N=3 profile=unit seed=-1"], /seed is -1, expected a whole number/],
  [
    ["check", "--replay", "add.forward N=3 profile=unit seed=4294967296"],
    /seed is 4294967296, expected .* 4294967295$/,
  ],
  [["check", "--replay", "add.forward N=3 profile=unit seed=0x10"], /seed is 0x10, expected a whole number/],
  [["check", "--replay", "add.forward N=-3 profile=unit seed=1"], /N is -3, expected a whole number of at least 0$/],
  [["check", "--replay", "add.forward N=1.5 profile=unit seed=1"], /N is 1\.5, expected a whole number/],
  [["check", "--replay", "add.forward N=1e400 profile=unit seed=1"], /N is 1e400, expected a whole number/],
  [["check", "--replay", "add.forward N=3 N=4 profile=unit seed=1"], /N occurs twice, expected once$/],
  [["check", "--replay", "add.forward N"], /"N" is not NAME=VALUE, expected/],
  [["check", "--op", "add", "--store", "P"], /--store P: "P" is not NAME=FORMAT, expected/],
  [["check", "--op", "add", "--exec", ""], /--exec: the command is empty, expected/],
  [["check", "--op", "add", "--store", "Q=bfloat16"], /"Q" is not an intermediate or input of these ops/],
  [["check", "--op", "add", "--store", "a=float8"], /"float8" is not a format/],
  [["check", "--op", "add", "--json", folder], /--json .*: is not a regular file/],
  [
    ["golden", "generate", "--scale", "7B", "--op", "rope.forward", "--out", "/proc/none"],
    /\/proc\/none: cannot hold files/,
  ],
  [["check", "--op", "add", "--kernel", at("nowhere.ts")], /does not exist, expected a module/],
  [["check", "--op", "add", "--kernel", folder], /is not a regular file, expected a module/],
  [["check", "--op", "add", "--kernel", at("file.json")], /file.json: cannot be loaded.*expected a module/],
  [["check", "--op", "add", "--kernel", at("module.mjs")], /no default export, expected/],
  [
    ["check", "--op", "add", "--runs", "1", "--seed", "1", "--json", at("no/such/folder.json")],
    /no\/such\/folder.json/,
  ],
  [["ops", "nothing"], /no op is named "nothing"/],
  [["blame", at("nowhere.safetensors")], /nowhere.safetensors.*no such file/],
  [["blame", at("corrupt.safetensors")], /corrupt.safetensors: header length/],
  [["blame", at("noconfig.safetensors")], /"config"/],
  [["blame", at("empty.safetensors")], /empty.safetensors/],
  [["golden", "verify", at("nowhere"), folder], /nowhere: cannot be read, no such file.*expected a folder of fixtures/],
  [["golden", "verify", folder, at("file")], /file: cannot be read, not a directory.*expected a folder of outputs/],
  [["golden", "list", at("file")], /file: cannot be read, not a directory.*expected a folder of fixtures/],
  [["golden", "generate", "--out", at("file")], /file: cannot be read, not a directory.*expected an empty folder/],
  [["golden", "list", folder], /corrupt.safetensors: header length/],
  [["golden", "check", folder], /manifest.json: cannot be read, no such file.*expected the manifest/],
  [["golden", "generate", "--out", folder], /holds .*, expected an empty folder/],
  [["golden", "generate", "--scale", "7B"], /--out is missing, expected --out FOLDER$/],
  [
    ["golden", "generate", "--scale", "7B", "--out", folder, "--op", "rope-table"],
    /no fixture at scale of "rope-table"/,
  ],
  [["trace"], /trace: --replay is missing, expected --replay <file>$/],
  [
    ["plan", "--model", "7B", "--svg", at("no/plan.svg")],
    /--svg .*: cannot be written, no such file.*expected a writable folder/,
  ],
  [["plan", "--model", "7B", "--recompute", "none,q"], /--recompute none,q: "none" is not a policy.*expected none/],
  [["plan", "--model", "tiny"], /--tokens is missing, expected --tokens N/],
  [
    ["convert", model, at("out.bin"), "--dtype", "float16"],
    /--dtype float16: llama2c cannot store it, expected float32/,
  ],
  [
    ["tokenizer", "train", "--text", "a", "--vocab-size", "300", "--out", at("no/t")],
    /--out .*: cannot be written, no such file.*expected/,
  ],
  [["inspect", at("text")], /is not a checkpoint of a known format; as llama2.c's/],
  [["trace", "--replay", at("corrupt.safetensors"), "--out", at("out.safetensors")], /corrupt.safetensors/],
  [["diff", at("corrupt.safetensors"), at("empty.safetensors")], /corrupt.safetensors/],
  [["train", "--config", "huge"], /huge/],
  [["train", "--steps", "-1"], /--steps/],
  [["train", "--text", at("file"), "--steps", "1"], /0 bytes/],
];

describe("bad input", () => {
  test.for(cases)("touchstone %j", async ([args, says]) => {
    const { code, err } = await inProcess(args);
    const lines = err
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("touchstone check: ")); // the heading of a run
    expect(lines.at(-1)).toMatch(says);
    expect(lines.filter((line) => !/^\[\d+\/\d+\]/.test(line))).toHaveLength(1);
    expect(err).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
  });

  test("in a process of its own: the same line, and its exit status", async () => {
    const { code, err } = await touchstone(["check", "--runs", "0"]);
    expect(err).toBe("touchstone: --runs 0: expected a whole number from 1 to 1000000\n");
    expect(code).toBe(2);
  });

  test("no device of the kind that was asked for", async (context) => {
    const { code, err } = await touchstone(["check", "--adapter", "gpu", "--runs", "1"]);
    if (code === 0) context.skip("this machine has a GPU");
    expect(err).toMatch(/^touchstone: no GPU found/);
    expect(code).toBe(2);
  });

  test("help is no error, and shows the exit statuses", async () => {
    const help = await touchstone(["--help"]);
    expect([help.code, help.err]).toEqual([0, ""]);
    for (const status of Object.values(statuses)) expect(help.out).toMatch(new RegExp(`^  ${status} +[a-zA-Z]`, "m"));
    for (const args of [["check", "--help"], ["--version"]]) {
      const { code, out } = await touchstone(args);
      expect([code, out.length > 0]).toEqual([0, true]);
    }
  });
});
