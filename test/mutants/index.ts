// npm run mutants [-- OP…] [--only kernels|reference|bounds] [--jobs N] [--shard I/N] [--draw N]: what becomes of mutants, which a machine has made, of the
// kernels, of the formulas in float64, and of the bounds.
//
// Results are kept in results.json under the hash of what they depend on, so a run does what has changed, and one that was
// broken off goes on. --draw tries N mutants again that are drawn at random, and fails where one has another fate than the file says.
import { InvalidArgumentError, Option } from "commander";
import { whole } from "../../cli/numbers.ts";
import { fateTable, goalLine, words } from "./report.ts";
import { choose } from "../../judge/choose.ts";
import { wgsl } from "../../kernels-gpu/texts.ts";
import type { OpName } from "../../reference/ops/index.ts";
import type { Fate } from "./bench.ts";
import { inProcesses } from "./pool.ts";
import { type Mutant, mutantsOf } from "./sites.ts";
import { explanationOf, fatesOf, readResults, writeResults } from "./results.ts";
import { explainedOf, hashOf, resultsFile } from "./store.ts";
import { knownMutants, runSources } from "./typescript/run.ts";
import type { Done, Piece } from "./worker.ts";
import { opNames, script } from "../script.ts";

interface Kernel {
  readonly op: string;
  readonly source: string;
  readonly hash: string;
  readonly mutants: readonly Mutant[];
  readonly fates: (Fate | ".")[];
}

const parts = ["kernels", "reference", "bounds"] as const;
const command = script(
  "mutants",
  "What becomes of mutants of the kernels, of the formulas in float64, and of the bounds.",
)
  .argument("[op...]", "all of them without this", opNames, [])
  .addOption(new Option("--only <part>", "mutants of one kind").choices(parts))
  .option("--jobs <n>", "processes", whole(1), 1)
  .option("--shard <i/n>", "the i-th of n shares", shardOf, [1, 1])
  .option("--draw <n>", "tries so many again, drawn at random, against results.json", whole(1))
  .parse();
const names = command.processedArgs[0] as string[];
const {
  jobs,
  only,
  draw,
  shard: [shard, shards],
} = command.opts<{
  readonly jobs: number;
  readonly only?: (typeof parts)[number];
  readonly draw?: number;
  readonly shard: readonly [number, number];
}>();
const isMeant = (part: (typeof parts)[number]): boolean => only === undefined || only === part;
const results = readResults(resultsFile);
const sources = {
  names: choose(names).map(({ operation }) => operation.name),
  parts: (["reference", "bounds"] as const).filter(isMeant),
  jobs,
  shard,
  shards,
};
const pool = {
  worker: new URL("worker.ts", import.meta.url),
  most: 300_000, // with what its process does before the first mutant
  silent: "h",
  last: "h",
} as const;
const kernels = (isMeant("kernels") ? choose(names) : []).map(({ operation }): Kernel => {
  const op = operation.name;
  const { source } = wgsl(op as OpName);
  const mutants = mutantsOf(source);
  const hash = hashOf(op, mutants);
  return { op, source, hash, mutants, fates: fatesOf(results[op], hash, mutants.length) };
});
process.exitCode = draw === undefined ? await runAll() : await runDrawn(draw);

function shardOf(text: string): readonly [number, number] {
  const [place, count] = (/^\d+\/\d+$/.exec(text)?.[0] ?? "").split("/").map(Number);
  if (place >= 1 && place <= count) return [place, count];
  throw new InvalidArgumentError("expected I/N with I from 1 to N");
}

async function runAll(): Promise<number> {
  const open = kernels.flatMap((kernel) =>
    kernel.mutants.flatMap((_, i) => (kernel.fates[i] === "." ? [pieceOf(kernel, i)] : [])),
  );
  const pieces = open.filter((_, i) => i % shards === shard - 1);
  let done = 0;
  await inProcesses<Piece, Done>(pieces, jobs, pool, ({ op, place, fate }) => {
    const kernel = kernels.find((one) => one.op === op)!;
    kernel.fates[place] = fate;
    results[op] = { hash: kernel.hash, fates: kernel.fates.join("") };
    if (++done % 20 === 0 || done === pieces.length) {
      process.stderr.write(`\r${done} of ${pieces.length} mutants, ${op} `);
      writeResults(resultsFile, results);
    }
  });
  if (pieces.length > 0) process.stderr.write("\n");
  if (kernels.length > 0) print();
  const isWhole = sources.parts.length === 0 || (await runSources(sources));
  return isWhole && !kernels.some(({ fates }) => fates.includes("v") || fates.includes("x")) ? 0 : 1;
}

async function runDrawn(count: number): Promise<number> {
  const known = kernels.flatMap((kernel) =>
    kernel.mutants.flatMap((_, i) => (kernel.fates[i] === "." ? [] : [[kernel, i] as const])),
  );
  const tries = [
    ...known.map(
      ([kernel, i]) =>
        () =>
          again(kernel, i),
    ),
    ...knownMutants(sources),
  ];
  const drawn = Array.from(
    { length: Math.min(count, tries.length) },
    () => tries[Math.floor(Math.random() * tries.length)]!,
  );
  let wrong = 0;
  for (const attempt of drawn) {
    const line = await attempt();
    if (line === undefined) continue;
    wrong++;
    console.log(line);
  }
  if (drawn.length < count) {
    console.log(
      `drawn ${drawn.length} of ${count}: results.json has no more that are current; npm run mutants makes them`,
    );
  }
  // What was not tried did not pass.
  console.log(`${drawn.length - wrong} passed, ${wrong} failed, ${count - drawn.length} skipped`);
  return wrong === 0 ? 0 : 1;
}

/** A line that says so where the fate is another one than the file says. */
async function again(kernel: Kernel, place: number): Promise<string | undefined> {
  const { op, fates, mutants } = kernel;
  let found: Fate = "h";
  await inProcesses<Piece, Done>([pieceOf(kernel, place)], 1, pool, ({ fate }) => (found = fate));
  const [expected, { line, what }] = [fates[place] as Fate, mutants[place]!];
  return found === expected ? undefined : `${op}.wgsl:${line} ${what}: ${words[found]}, expected ${words[expected]}`;
}

function pieceOf({ op, source, mutants }: Kernel, place: number): Piece {
  const explained = explanationOf(mutants[place]!, source, explainedOf(op));
  return explained === undefined ? { op, place } : { op, place, explained: { reorders: explained.reorders === true } };
}

function print(): void {
  const tried = kernels.filter(({ fates }) => fates.some((fate) => fate !== "."));
  const all = tried.flatMap(({ fates, mutants }) => fates.map((fate, i) => ({ fate, operator: mutants[i]!.operator })));
  const operators = [...new Set(all.map(({ operator }) => operator))].toSorted();
  const byOperator = operators.map((name) => ({
    name,
    fates: all.filter(({ operator }) => operator === name).map(({ fate }) => fate),
  }));
  const total = { name: "all", fates: all.map(({ fate }) => fate) };
  const byKernel = tried.map(({ op, fates }) => ({ name: op, fates }));
  console.log(fateTable("kernel", [...byKernel, total]).join("\n"));
  console.log(goalLine(byKernel));
  console.log(fateTable("operator", byOperator).join("\n"));
  for (const { op, mutants, fates } of tried) {
    for (const [i, { line, operator, what }] of mutants.entries()) {
      const fate = fates[i]!;
      if (fate === "v" || fate === "x") console.log(`${op}.wgsl:${line} ${operator}: ${what}: ${words[fate]}`);
    }
  }
}
