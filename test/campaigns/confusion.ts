// `npm run campaign:confusion [-- OP…] [--n N] [--seed N] [--target NAME]` names candidates of known precision, and prints how often each class is
// named right, undecidable and wrong. Exit status 1 after a wrong word, or where more than a tenth is undecidable.
import Table from "cli-table3";
import { Argument, Option } from "commander";
import { whole } from "../../cli/numbers.ts";
import type { Scene } from "../../judge/sample.ts";
import { targets } from "../../reference/targets.ts";
import type { Word } from "../confusion/line.ts";
import { lines } from "../confusion/lines.ts";
import { counts, entriesFor, type Entry, told } from "../confusion/matrix.ts";
import { script } from "../script.ts";

const LENGTHS = [16, 64, 256, 1024, 4096, 16_384];
/** The share of lines that may be undecidable. */
const UNDECIDED = 0.1;

const command = script("campaign:confusion", "What candidates of known precision are called.")
  .addArgument(new Argument("[op...]", "all of them without this").choices([...new Set(lines.map(({ op }) => op))]))
  .option("--n <length>", "sums of so many terms; several times for several lengths", lengths, LENGTHS)
  .option("--seed <n>", "of the numbers", whole(0), 1)
  .addOption(new Option("--target <name>", "whose accuracies hold").choices(Object.keys(targets)).default("wgsl"))
  .option("--how <text>", "lines whose class and way of computing hold the text", "")
  .parse();
const ops = command.processedArgs[0] as string[];
const values = command.opts<{
  readonly n: readonly number[];
  readonly seed: number;
  readonly target: keyof typeof targets;
  readonly how: string;
}>();
const target = targets[values.target];

/** The lengths that are given, in place of all. */
function lengths(text: string, before: readonly number[]): number[] {
  return [...(before === LENGTHS ? [] : before), whole(1)(text)];
}

const chosen = lines.filter(
  ({ op, truth, how }) => (ops.length === 0 || ops.includes(op)) && `${truth[0]}: ${how}`.includes(values.how),
);

const entries: Entry[] = [];
for (const n of values.n) {
  const start = performance.now();
  const scenes = new Map<string, Map<string, Scene>>(); // the emulations of one op and dtype
  for (const line of chosen) {
    const key = [line.op, line.dtype].join();
    const kept = scenes.get(key) ?? new Map<string, Scene>();
    scenes.set(key, kept);
    const found = await entriesFor(line, { n, seed: values.seed, target, scenes: kept });
    entries.push(...found);
    for (const one of found) if (one.mark !== "right") process.stdout.write(`${told(one)}\n`);
  }
  process.stderr.write(`n = ${n}: ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
}

const table = new Table({
  head: ["", "named", "right", "undecidable with it", "without it", "wrong"],
  style: { head: [], border: [], compact: true },
});
for (const truth of new Set(entries.map((one) => one.truth))) {
  const own = entries.filter((one) => one.truth === truth);
  const { right, among, unlisted, wrong } = counts(own);
  table.push([truth, namesOf(own), right, among, unlisted, wrong]);
}
const all = counts(entries);
process.stdout.write(`${table.toString()}\n`);
process.stdout.write(
  `${entries.length} named: ${all.right} right, ${all.among} undecidable with the right word, ${all.unlisted} without it, ${all.wrong} wrong\n`,
);
process.exitCode = all.wrong + all.unlisted > 0 || all.among > UNDECIDED * entries.length ? 1 : 0;

/** The words that were used other than the right one, and how often. */
function namesOf(own: readonly Entry[]): string {
  const words = new Map<Word, number>();
  for (const { named, mark } of own) if (mark === "wrong") words.set(named, (words.get(named) ?? 0) + 1);
  return Array.from(words, ([word, count]) => `${word} ${count}`).join("\n");
}
