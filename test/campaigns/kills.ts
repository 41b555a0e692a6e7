// `npm run campaign:kills [-- KILLS [SEED]]` ends commands that write by SIGKILL, SIGTERM and SIGINT, once or twice, at random
// moments. After each, what was there before is whole, or what the command makes is; then the command runs to its end, gives the bytes
// that it gives undisturbed, and leaves nothing else. Exit status 1 if not.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { finishReplacing } from "../../golden/fixtures/replace.ts";
import { loadCheckpoint } from "../../training/checkpoint.ts";
import { openVocabulary } from "../../training/vocabulary.ts";
import { tokenizerOfRun } from "../../training/run-folder.ts";
import { bits, streamOf } from "../../reference/random.ts";
import { DEFAULT_MODEL } from "../../cli/model.ts";
import { writeRecording } from "../recording.ts";
import { build, contents, type Contents, type Ended, isEqual, names, run, scratch, visible } from "./command.ts";
import { whole as wholeNumber } from "../../cli/numbers.ts";
import { script } from "../script.ts";

const [kills, seed] = script("campaign:kills", "Commands that write, ended at random moments: nothing is lost or left.")
  .argument("[kills]", "how many", wholeNumber(1), 210)
  .argument("[seed]", "of the moments", wholeNumber(0), 1)
  .parse().processedArgs as [number, number];
const folder = scratch("kills");
const cli = build(join(folder, "build"));
const at = (name: string): string => join(folder, name);
const out = at("out");
const temporary = at("tmp");
const tokenizer = join(dirname(DEFAULT_MODEL), "tokenizer.model");
mkdirSync(temporary);
writeFileSync(at("text"), "a quick brown fox jumps over the lazy dog; ".repeat(400));
writeRecording(at("recording"), 12, { dim: 64, ffnDim: 128, nLayers: 2, maxSeqLen: 32 });
writeFileSync(
  at("kernel.mjs"),
  "export default ({ a, b }) => ({ y: { data: a.data.map((x, i) => x + b.data[i]), shape: a.shape } });",
);

const sizes = "--steps 8 --save-every 1 --batch-size 4 --sequence-length 16".split(" ");
const training = ["train", "--text", at("text"), ...sizes];

const CHECKPOINT = "checkpoint.safetensors";
const OTHER_SEED = 2;

/** A command, what is in `out` before it, and what must hold of it. */
interface Victim {
  readonly name: string;
  readonly args: readonly string[];
  /** Makes the earlier contents of `out`. */
  readonly prepare?: readonly string[];
  /** Throws unless `out` is whole after a kill; `earlier` and `whole` are its contents before, and after an undisturbed run. */
  readonly isWhole: (earlier: Contents, whole: Contents) => void;
  /** How the command goes on after a kill. */
  readonly again?: () => readonly string[];
  /** Two undisturbed runs do not give the same bytes: times are in them. */
  readonly varies?: true;
}

/** One file, which is the earlier one, the new one, or not there if it was not. */
const oneFile = (earlier: Contents, whole: Contents): void => {
  const now = visible(contents(out));
  if (!isEqual(now, earlier) && !isEqual(now, whole))
    throw new Error(`${names(now)} is neither the earlier nor the new`);
};

const file = (name: string, args: readonly string[], prepare?: readonly string[]): Victim => ({
  name,
  args,
  ...(prepare === undefined ? {} : { prepare }),
  isWhole: oneFile,
});

const trained = (earlier: Contents): void => {
  const now = visible(contents(out));
  if (!existsSync(join(out, CHECKPOINT))) {
    if (!isEqual(now, earlier)) throw new Error(`there is no checkpoint, but ${names(now)}`);
    return;
  }
  const { plan } = loadCheckpoint(out);
  if (plan.seed === OTHER_SEED && now[CHECKPOINT] !== earlier[CHECKPOINT])
    throw new Error("the earlier run is changed");
  const kept = openVocabulary(tokenizerOfRun(out)).file?.sha256;
  if (kept !== plan.tokenizer) throw new Error("the checkpoint's tokenizer is not there");
};

const suite = (earlier: Contents, whole: Contents): void => {
  const now = visible(contents(out));
  for (const name of Object.keys(earlier)) if (!(name in now)) throw new Error(`${name} is gone`);
  for (const [name, bytes] of Object.entries(now)) {
    if (bytes !== earlier[name] && bytes !== whole[name]) throw new Error(`${name} is half`);
  }
  finishReplacing(out); // as the next golden command does
  oneFile(earlier, whole);
};

const report = (earlier: Contents): void => {
  const now = visible(contents(out));
  if (isEqual(now, earlier)) return;
  for (const hex of Object.values(now)) JSON.parse(Buffer.from(hex, "hex").toString());
};

const generate = ["golden", "generate", "--out", out];
const victims: readonly Victim[] = [
  {
    name: "train",
    args: [...training, "--out", out],
    isWhole: trained,
    again: () =>
      existsSync(join(out, CHECKPOINT))
        ? ["train", "--text", at("text"), "--save-every", "1", "--resume", out]
        : [...training, "--out", out],
  },
  {
    name: "train --overwrite --tokenizer",
    prepare: [
      ...training,
      "--seed",
      String(OTHER_SEED),
      "--steps",
      "2",
      "--out",
      out,
      "--tokenizer",
      at("other.model"),
    ],
    args: [...training, "--steps", "2", "--tokenizer", tokenizer, "--overwrite", "--out", out],
    isWhole: trained,
  },
  { name: "golden generate", prepare: [...generate, "--target", "cuda"], args: generate, isWhole: suite },
  { name: "golden generate, a new folder", args: generate, isWhole: suite },
  file(
    "convert --overwrite",
    ["convert", DEFAULT_MODEL, join(out, "model.gguf"), "--overwrite"],
    ["convert", DEFAULT_MODEL, join(out, "model.gguf"), "--dtype", "float16"],
  ),
  file("convert to a folder", ["convert", DEFAULT_MODEL, join(out, "model")]),
  file("tokenizer train", [
    "tokenizer",
    "train",
    "--text",
    at("text"),
    "--vocab-size",
    "310",
    "--out",
    join(out, "t.model"),
  ]),
  file("trace", ["trace", "--replay", at("recording"), "--full", "--out", join(out, "trace.safetensors")]),
  {
    name: "check --json",
    args: [
      "check",
      "--op",
      "add",
      "--seed",
      "1",
      "--runs",
      "40",
      "--kernel",
      at("kernel.mjs"),
      "--json",
      join(out, "check.json"),
    ],
    isWhole: report,
    varies: true,
  },
];

function reset(earlier: string | undefined): void {
  rmSync(out, { recursive: true, force: true });
  if (earlier === undefined) mkdirSync(out);
  else cpSync(earlier, out, { recursive: true });
}

let drawn = 0;
const draw = (): number => bits(seed, streamOf("kills"), drawn++) / 2 ** 32;
const signals = ["SIGKILL", "SIGTERM", "SIGINT"] as const;

/** Runs a command, and after a while sends it a signal, and sometimes a second one. */
async function killed(
  args: readonly string[],
  ms: number,
): Promise<Ended & { readonly sent: string; readonly late: number }> {
  const signal = signals[Math.floor(draw() * signals.length)];
  // Half of them count from the first change in the folder, when files are written.
  const isWriting = draw() < 0.5;
  const after = draw() * ms * (isWriting ? 0.3 : 1);
  const second = draw() < 0.3 ? draw() * 100 : undefined;
  let last = 0;
  const timers: NodeJS.Timeout[] = [];
  const ended = await run(cli, args, {
    temporary,
    meanwhile: (child) => {
      const send = (): void => {
        last = performance.now();
        child.kill(signal);
      };
      const start = (): void => {
        timers.push(setTimeout(send, after));
        if (second !== undefined) timers.push(setTimeout(send, after + second));
      };
      if (!isWriting) return start();
      const before = readdirSync(out).join();
      const watch = setInterval(() => {
        if (readdirSync(out).join() === before) return;
        clearInterval(watch);
        start();
      }, 1);
      timers.push(watch);
    },
  });
  const late = last === 0 || second === undefined ? 0 : performance.now() - last;
  for (const timer of timers) clearTimeout(timer);
  return {
    ...ended,
    sent: `${signal}${second === undefined ? "" : " twice"} after ${after.toFixed(0)} ms${isWriting ? " of writing" : ""}`,
    late,
  };
}

async function finish(args: readonly string[], what: string): Promise<Ended> {
  const ended = await run(cli, args, { temporary });
  if (ended.code !== 0) throw new Error(`${what}: exit status ${ended.code}: ${ended.err}`);
  return ended;
}

let failures = 0;
let done = 0;
let latest = 0;
await finish(
  ["tokenizer", "train", "--text", at("text"), "--vocab-size", "300", "--out", at("other.model")],
  "a tokenizer",
);
for (const [v, victim] of victims.entries()) {
  const { name, args, prepare, isWhole, again = () => args, varies } = victim;
  reset(undefined);
  if (prepare !== undefined) await finish(prepare, `before ${name}`);
  const start = at(`earlier-${v}`);
  cpSync(out, start, { recursive: true });
  const earlier = contents(out);
  let { ms } = await finish(args, name);
  const whole = contents(out);
  const count = Math.ceil(kills / victims.length);
  const statuses = new Map<string, number>();
  let killedOnes = 0;
  // A command that ends before its signal comes does not count.
  for (let n = 0; killedOnes < count && n < 3 * count; n++) {
    reset(start);
    // Some runs are killed more than once.
    for (let times = 0; times < (n % 3 === 2 ? 2 : 1); times++) {
      const ended = await killed(times === 0 ? args : again(), ms);
      if (ended.code === 0) ms = Math.min(ms, ended.ms);
      else killedOnes++;
      latest = Math.max(latest, ended.late);
      const status = `${ended.signal ?? ended.code}`;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      try {
        const isEnded = ended.signal !== null || ended.code === 0 || ended.code === 130;
        if (!isEnded && !refusesTwice(ended, visible(contents(out)), whole)) {
          throw new Error(`exit status ${ended.code}: ${ended.err}`);
        }
        isWhole(earlier, whole);
      } catch (error) {
        failures++;
        process.stdout.write(`FAIL ${name}, ${ended.sent}: ${(error as Error).message}\n`);
      }
      if (ended.code === 0) break;
    }
    try {
      await finishAgain(again(), visible(contents(out)), whole, name);
      const after = contents(out);
      if (!varies && !isEqual(after, whole))
        throw new Error(`the next run ends with ${names(after)}, expected ${names(whole)}`);
      const left = Object.keys(after).filter((path) => !(path in visible(after)));
      left.push(...Object.keys(contents(temporary)).filter((path) => !path.startsWith("touchstone-evidence-")));
      if (left.length > 0) throw new Error(`the next run leaves ${left.join(", ")}`);
    } catch (error) {
      failures++;
      process.stdout.write(`FAIL ${name}, after a kill: ${(error as Error).message}\n`);
    }
  }
  done += killedOnes;
  const shown = [...statuses].map(([status, n]) => `${n} × ${status}`).join(", ");
  process.stdout.write(`${name}: ${killedOnes} kills, ended by ${shown}\n`);
}

/** Whether a command whose work was done already refused to do it again. */
function refusesTwice({ code, err }: Ended, now: Contents, whole: Contents): boolean {
  return code === 2 && isEqual(now, whole) && /is there already|holds a checkpoint|is a folder with/.test(err);
}

/** The next run; one whose work was done already may refuse to do it again. */
async function finishAgain(args: readonly string[], now: Contents, whole: Contents, name: string): Promise<void> {
  const ended = await run(cli, args, { temporary });
  if (ended.code === 0) return;
  if (!refusesTwice(ended, now, whole)) throw new Error(`${name}: exit status ${ended.code}: ${ended.err}`);
}

process.stdout.write(`a second signal ended a command after ${latest.toFixed(0)} ms at most\n`);
process.stdout.write(`${done} kills, seed ${seed}: ${failures} findings\n`);
process.exitCode = failures === 0 ? 0 : 1;
