// `touchstone generate` on the processor: the figure that the command itself prints, from whole processes, so that it includes
// the time in which the engine compiles.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The least speed that stories260K should reach, in tokens a second. */
const LEAST = 1000;
const RUNS = 7;

const root = fileURLToPath(new URL("..", import.meta.url));
const stories = fileURLToPath(new URL("../../shared/data/stories260K/", import.meta.url));
const [bin, gguf, tokenizer] = ["stories260K.bin", "stories260K.gguf", "tok512.bin"].map((name) => stories + name);
const greedy = ["--temperature", "0", "--tokens", "400"];

const texts: Record<string, string[]> = {
  "stories260K.bin, greedy": [bin, "--tokenizer", tokenizer, ...greedy],
  "stories260K.gguf, greedy": [gguf, "--prompt", "Tom had a red ball.", ...greedy],
  "stories260K.gguf, sampled": [gguf, "--prompt", "Once upon a time", "--tokens", "400"],
};

/** Prints tokens a second of each text: the median of several runs, in turns, the slowest and the fastest. */
export function benchGenerate(): void {
  console.log(`generate on the processor, ${RUNS} runs: tokens/s, median (least … most)`);
  if (!existsSync(stories)) {
    console.log("  stories260K: skipped, ../shared/data is absent");
    return;
  }
  const figures = new Map(Object.keys(texts).map((name): [string, number[]] => [name, []]));
  for (let run = 0; run < RUNS; run++) {
    for (const [name, args] of Object.entries(texts)) figures.get(name)!.push(speedOf(args));
  }
  for (const [name, list] of figures) {
    const sorted = list.toSorted((a, b) => a - b);
    console.log(`  ${name.padEnd(26)} ${sorted[RUNS >> 1]} (${sorted[0]} … ${sorted.at(-1)})`);
  }
  console.log(`  expected at least ${LEAST}`);
}

function speedOf(args: readonly string[]): number {
  const command = ["--import", "tsx", "cli/index.ts", "generate", ...args];
  const { stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: "utf8" });
  const printed = /(\d+) tokens\/s/.exec(stderr);
  if (printed === null) throw new Error(`generate printed no speed:\n${stderr}`);
  return Number(printed[1]);
}
