// `npm run zoo [-- --op OP… --fault TEXT --target T --seed N …]` puts every fault of the zoo to a default check, and every correct evaluation
// to the bounds, next to the tolerances of other suites. One table says which part of the verdict finds each fault, one what each judge is
// worth. `--help` lists the options. Exit status 1 where a fault passes that is no convention and not known to, or a correct
// evaluation is accused.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Option } from "commander";
import { whole } from "../../cli/numbers.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { inProcesses } from "./pool.ts";
import { record } from "./record.ts";
import { boundTable, faultTable, KEY, partTable, type Results, worthTable } from "./report.ts";
import { type Subject, subjects } from "./subject.ts";
import type { FalseAlarms } from "./correct.ts";
import type { Trial } from "./trial.ts";
import type { Sound, TargetName, Work } from "./work.ts";
import { script } from "../script.ts";

interface Options {
  readonly op: readonly string[];
  readonly fault: string;
  readonly target: TargetName;
  readonly only: "faults" | "correct" | undefined;
  readonly seed: number;
  readonly runs: number;
  readonly elements: number;
  readonly jobs: number;
  readonly all: boolean;
  readonly json: string | undefined;
  readonly record: boolean;
}

const command = script("zoo", "What the verdict is worth: every fault of the zoo, and every correct evaluation.")
  .option("--op <names...>", "ops and directions, such as rmsnorm or rmsnorm.forward", [])
  .option("--fault <text>", "faults whose name, class, source or mistake holds the text", "")
  .addOption(new Option("--only <part>", "faults, or correct evaluations").choices(["faults", "correct"]))
  .addOption(
    new Option("--target <name>", "whose accuracies correct evaluations may use up")
      .choices(Object.keys(targets))
      .default("wgsl"),
  )
  .option("--seed <n>", "of all cases", whole(0), 5)
  .option("--runs <n>", "drawn cases of each check", whole(0), 100)
  .option("--elements <n>", "compared elements of correct evaluations of each op", whole(0), 20_000)
  .option("--jobs <n>", "processes", whole(1), Math.max(1, availableParallelism() - 1))
  .option("--all", "tries the parts that come after the first finding, too", false)
  .option("--json <file>", "writes all results, too")
  .option("--record", "writes what the README shows (test/zoo/results.json)", false)
  .parse();
const options = command.opts<Options>();

const { seed, runs, elements, target } = options;
const isChosen = (op: string): boolean =>
  options.op.length === 0 || options.op.some((name) => op === name || op.split(".")[0] === name);
const holds = ({ id, class: kind, source = "", what }: Subject): boolean =>
  [id, kind, source, what].some((text) => text.includes(options.fault));
const chosen = subjects.filter((one) => isChosen(one.op) && holds(one));
const ops = [...judgeRows.keys()].filter(isChosen);
const all: Work[] = [
  ...(options.only === "correct"
    ? []
    : chosen.map(({ id }): Work => ({ kind: "fault", id, plan: { seed, runs, isWhole: options.all } }))),
  ...(options.only === "faults" || options.fault !== ""
    ? []
    : ops.flatMap((op): Work[] => [
        { kind: "rules", op, seed },
        { kind: "bounds", op, seed, target, elements },
      ])),
];
if (all.length === 0) command.error("no fault and no op is chosen");

const faults: Trial[] = [];
const rules: FalseAlarms[] = [];
const bounds: Sound[] = [];
let done = 0;
await inProcesses(all, options.jobs, (one) => {
  if (one.kind === "fault") faults.push(one.trial);
  else if (one.kind === "rules") rules.push(one.alarms);
  else bounds.push(one.sound);
  const what = one.kind === "fault" ? `${one.trial.id} ${one.trial.outcome}` : one.kind;
  process.stderr.write(`${++done} of ${all.length}: ${what}\n`);
});

const order = new Map(subjects.map(({ id }, i) => [id, i]));
faults.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
const byOp = (a: { readonly op: string }, b: { readonly op: string }): number => ops.indexOf(a.op) - ops.indexOf(b.op);
const results: Results = { seed, runs, faults, rules: rules.toSorted(byOp), bounds: bounds.toSorted(byOp) };
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 1)}\n`);
if (options.record) record(results);
if (faults.length > 0) console.log(`${faultTable(faults)}\n${KEY}\n\n${partTable(faults)}\n`);
if (rules.length > 0) console.log(`${worthTable(results)}\n`);
if (bounds.length > 0) console.log(boundTable(bounds));
for (const { op, alarms } of bounds)
  for (const { variant, replay, finding } of alarms.slice(0, 3))
    console.log(`ALARM ${op}, ${variant}: ${replay}: ${finding}`);
const passing = faults.filter(({ outcome }) => outcome !== "rejected");
const isConvention = ({ id }: Trial): boolean => subjects[order.get(id)!].isConvention;
const listed = (list: readonly Trial[]): string =>
  list.map(({ id, outcome }) => `${id} (${outcome})`).join(", ") || "none";
const isKnown = ({ id }: Trial): boolean => subjects[order.get(id)!].isMissed;
const missed = passing.filter((one) => !isConvention(one) && !isKnown(one));
console.log(
  `${faults.length} faults, ${faults.length - passing.length} rejected; not rejected: ${listed(missed)}; ` +
    `not rejected, as is known: ${listed(passing.filter(isKnown))}; and conventions: ${listed(passing.filter(isConvention))}`,
);
process.exitCode = missed.length + bounds.reduce((n, { alarms }) => n + alarms.length, 0) === 0 ? 0 : 1;
