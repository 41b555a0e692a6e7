// npm run mutants [-- OP…] [--jobs N] [--shard I/N] [--draw N]: what becomes of the kernels' mutants, which a machine has made.
//
// Results are kept in results.json under the hash of what they depend on, so a run does what has changed, and one that was
// broken off goes on. --draw tries N mutants again that are drawn at random, and fails where one has another fate than the file says.
import { parseArgs } from "node:util";
import { fateTable, words } from "./report.ts";
import { choose } from "../../judge/choose.ts";
import { wgsl } from "../../kernels-gpu/texts.ts";
import type { OpName } from "../../reference/ops/index.ts";
import type { Fate } from "./bench.ts";
import { inProcesses } from "./pool.ts";
import { type Mutant, mutantsOf } from "./sites.ts";
import { explainedOf, explanationOf, fatesOf, hashOf, readResults, writeResults } from "./store.ts";
import type { Piece } from "./worker.ts";

interface Kernel {
  readonly op: string;
  readonly source: string;
  readonly hash: string;
  readonly mutants: readonly Mutant[];
  readonly fates: (Fate | ".")[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: "string" }, shard: { type: "string" }, draw: { type: "string" } },
});
const [shard = 1, shards = 1] = (values.shard ?? "1/1").split("/").map(Number);
const results = readResults();
const kernels = choose(positionals).map(({ operation }): Kernel => {
  const op = operation.name;
  const { source } = wgsl(op as OpName);
  const [hash, mutants] = [hashOf(op), mutantsOf(source)];
  return { op, source, hash, mutants, fates: fatesOf(results[op], hash, mutants.length) };
});
process.exitCode = values.draw === undefined ? await runAll() : await runDrawn(Number(values.draw));

async function runAll(): Promise<number> {
  const open = kernels.flatMap((kernel) =>
    kernel.mutants.flatMap((_, i) => (kernel.fates[i] === "." ? [pieceOf(kernel, i)] : [])),
  );
  const pieces = open.filter((_, i) => i % shards === shard - 1);
  let done = 0;
  await inProcesses(pieces, Number(values.jobs ?? 1), ({ op, place, fate }) => {
    const kernel = kernels.find((one) => one.op === op)!;
    kernel.fates[place] = fate;
    results[op] = { hash: kernel.hash, fates: kernel.fates.join("") };
    if (++done % 20 === 0 || done === pieces.length) {
      process.stderr.write(`\r${done} of ${pieces.length} mutants, ${op} `);
      writeResults(results);
    }
  });
  if (pieces.length > 0) process.stderr.write("\n");
  print();
  return kernels.some(({ fates }) => fates.includes("v") || fates.includes("x")) ? 1 : 0;
}

async function runDrawn(count: number): Promise<number> {
  const known = kernels.flatMap((kernel) =>
    kernel.mutants.flatMap((_, i) => (kernel.fates[i] === "." ? [] : [[kernel, i] as const])),
  );
  const drawn = Array.from(
    { length: Math.min(count, known.length) },
    () => known[Math.floor(Math.random() * known.length)]!,
  );
  let wrong = 0;
  await inProcesses(
    drawn.map(([kernel, i]) => pieceOf(kernel, i)),
    Number(values.jobs ?? 1),
    ({ op, place, fate }) => {
      const { fates, mutants } = kernels.find((one) => one.op === op)!;
      const { line, what } = mutants[place]!;
      if (fate === fates[place]) return;
      wrong++;
      console.log(`${op}.wgsl:${line} ${what}: ${words[fate]}, expected ${words[fates[place] as Fate]}`);
    },
  );
  if (drawn.length < count) {
    console.log(
      `drawn ${drawn.length} of ${count}: results.json has no more that are current; npm run mutants makes them`,
    );
  }
  // What was not tried did not pass.
  console.log(`${drawn.length - wrong} passed, ${wrong} failed, ${count - drawn.length} skipped`);
  return wrong === 0 ? 0 : 1;
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
  console.log(fateTable("kernel", [...tried.map(({ op, fates }) => ({ name: op, fates })), total]).join("\n"));
  console.log(fateTable("operator", byOperator).join("\n"));
  for (const { op, mutants, fates } of tried) {
    for (const [i, { line, operator, what }] of mutants.entries()) {
      const fate = fates[i]!;
      if (fate === "v" || fate === "x") console.log(`${op}.wgsl:${line} ${operator}: ${what}: ${words[fate]}`);
    }
  }
}
