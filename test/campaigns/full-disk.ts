// `npm run campaign:full-disk` runs every command that writes where there is no room: on a small tmpfs, where this process may
// mount one, and under a limit on the length of files. Each ends with one line and exit status 2; what was there before is whole,
// and nothing half-written is left. Exit status 1 if not.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DEFAULT_MODEL } from "../../cli/model.ts";
import { writeRecording } from "../recording.ts";
import { build, contents, type Contents, isEqual, run, scratch } from "./command.ts";
import { script } from "../script.ts";

script(
  "campaign:full-disk",
  "Commands that write, without room: one line, exit status 2, nothing half-written.",
).parse();

const folder = scratch("full-disk");
const cli = build(join(folder, "build"));
const at = (...names: string[]): string => join(folder, ...names);
const disk = at("disk");
const out = join(disk, "out");
const tokenizer = join(dirname(DEFAULT_MODEL), "tokenizer.model");
mkdirSync(disk);
writeFileSync(at("text"), "a quick brown fox jumps over the lazy dog; ".repeat(400));
writeRecording(at("recording"), 4, { dim: 64, ffnDim: 128, nLayers: 2, maxSeqLen: 32 });
writeFileSync(
  at("kernel.mjs"),
  "export default ({ a, b }) => ({ y: { data: a.data.map((x, i) => x + b.data[i]), shape: a.shape } });",
);

const training = [
  "train",
  "--text",
  at("text"),
  "--steps",
  "2",
  "--batch-size",
  "2",
  "--sequence-length",
  "16",
  "--out",
  out,
];
const convert = (name: string, ...more: string[]): string[] => ["convert", DEFAULT_MODEL, join(out, name), ...more];

/** A command, and what makes the earlier contents of `out`. */
type Starved = readonly [name: string, args: readonly string[], prepare?: readonly string[]];
const starved: readonly Starved[] = [
  ["train", training],
  ["train --overwrite", [...training, "--overwrite", "--tokenizer", tokenizer], [...training, "--seed", "2"]],
  ["train --resume --out", ["train", "--text", at("text"), "--resume", at("run"), "--out", out]],
  ["golden generate, a new folder", ["golden", "generate", "--out", join(out, "suite")]],
  ["golden generate", ["golden", "generate", "--out", out], ["golden", "generate", "--out", out, "--target", "cuda"]],
  ["golden generate --scale", ["golden", "generate", "--scale", "7B", "--op", "rmsnorm.forward", "--out", out]],
  ["convert, GGUF", convert("model.gguf")],
  ["convert --overwrite, GGUF", convert("model.gguf", "--overwrite"), convert("model.gguf", "--dtype", "float16")],
  ["convert, llama2.c", convert("model.bin")],
  ["convert, safetensors", convert("model.safetensors")],
  ["convert, a folder", convert("model")],
  [
    "tokenizer train",
    ["tokenizer", "train", "--text", at("text"), "--vocab-size", "310", "--out", join(out, "t.model")],
  ],
  ["trace", ["trace", "--replay", at("recording"), "--full", "--out", join(out, "trace.safetensors")]],
  [
    "check --json",
    [
      "check",
      "--op",
      "add",
      "--seed",
      "1",
      "--runs",
      "9",
      "--kernel",
      at("kernel.mjs"),
      "--json",
      join(out, "check.json"),
    ],
  ],
  ["plan --json --svg", ["plan", "--model", "7B", "--json", join(out, "plan.json"), "--svg", join(out, "plan.svg")]],
];

/** A disk on which a command has `bytes` left, or files that may not be longer. */
interface Limit {
  readonly name: string;
  readonly before: (bytes: number) => string;
  readonly begin: (bytes: number) => void;
  readonly end: () => void;
}

const length: Limit = {
  name: "files of limited length",
  before: (bytes) => `ulimit -f ${Math.floor(bytes / 512)};`,
  begin: () => {},
  end: () => {},
};

const mounted: Limit = {
  name: "a full tmpfs",
  before: () => "",
  begin: (bytes) => {
    const { bavail, bsize } = statfsSync(disk);
    const filler = bavail * bsize - bytes;
    if (filler > 0) writeFileSync(join(disk, "filler"), new Uint8Array(filler));
  },
  end: () => rmSync(join(disk, "filler"), { force: true }),
};

let passed = 0;
let failed = 0;
let roomy = 0;

async function succeed(args: readonly string[]): Promise<void> {
  const { code, err } = await run(cli, args);
  if (code !== 0) throw new Error(`${args.join(" ")}: exit status ${code}: ${err}`);
}

/** What must hold of a command that has a share of the room that it needs. */
async function starve([name, args, prepare]: Starved, limit: Limit, bytes: number): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  if (prepare !== undefined) await succeed(prepare);
  const earlier = contents(out);
  limit.begin(bytes);
  const { code, err } = await run(cli, args, { before: limit.before(bytes) });
  limit.end();
  if (code === 0) return void roomy++;
  const now = contents(out);
  const said = err.split("\n").filter((line) => line.startsWith("touchstone: "));
  const wrong = [
    ...(code === 2 ? [] : [`exit status ${code}`]),
    ...(said.length === 1 && /no space left|too large|quota/i.test(said[0]) ? [] : [`it says ${JSON.stringify(err)}`]),
    ...(isEqual(now, earlier) ? [] : [`it leaves [${Object.keys(now).join(", ")}]`]),
  ];
  // A run keeps its last whole checkpoint, a plan its first whole file.
  if (wrong.length === 1 && wrong[0].startsWith("it leaves") && isWholeAnyway(earlier, now)) wrong.pop();
  if (wrong.length === 0) return void passed++;
  failed++;
  process.stdout.write(`FAIL ${name} with ${bytes} bytes, ${limit.name}: ${wrong.join("; ")}\n`);
}

let wholes: Contents = {};
/** Whether everything that there is was there before, or is what the command makes with room. */
function isWholeAnyway(earlier: Contents, now: Contents): boolean {
  return Object.entries(now).every(([path, bytes]) => bytes === earlier[path] || bytes === wholes[path]);
}

async function campaign(limit: Limit): Promise<void> {
  for (const one of starved) {
    const [name, args, prepare] = one;
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out);
    if (prepare !== undefined) await succeed(prepare);
    await succeed(args);
    wholes = contents(out);
    const sizes = Object.values(wholes).map((hex) => hex.length / 2);
    const room = limit === length ? Math.max(...sizes) : sizes.reduce((sum, size) => sum + size, 0);
    for (const share of [0, 0.1, 0.5, 0.9]) await starve(one, limit, Math.floor(share * room));
    process.stdout.write(`${limit.name}: ${name}, of ${room} bytes\n`);
  }
}

await succeed([...training.slice(0, -1), at("run")]);
await campaign(length);
const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], { encoding: "utf8" });
if (mount.status === 0) {
  process.prependOnceListener("exit", () => execFileSync("umount", [disk]));
  await campaign(mounted);
} else process.stdout.write(`skipped: a full tmpfs, ${(mount.stderr ?? String(mount.error)).trim()}\n`);
process.stdout.write(`${passed} passed, ${failed} failed; ${roomy} had room enough\n`);
process.exitCode = failed === 0 ? 0 : 1;
