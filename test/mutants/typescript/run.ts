// npm run mutants, its part of formulas and bounds: the oracle judged by itself.
import { mutantsOf, type Part, type SourceFile, sourceFiles, textOf } from "./files.ts";
import type { Fate } from "./judge.ts";
import { fateTable, words } from "./report.ts";
import { type Explained, explanationOf, fatesOf, readResults, writeResults } from "../results.ts";
import { explainedIn, hashOf, resultsFile } from "./store.ts";
import type { Mutant } from "../sites.ts";
import { inProcesses } from "../pool.ts";
import type { Done, Piece } from "./worker.ts";

interface Source {
  readonly file: SourceFile;
  readonly text: string;
  readonly hash: string;
  readonly mutants: readonly Mutant[];
  readonly explained: readonly Explained[];
  readonly fates: (Fate | ".")[];
}

export interface Asked {
  /** Stems or names of ops; all where there are none. */
  readonly names: readonly string[];
  readonly parts: readonly Part[];
  readonly jobs: number;
  readonly shard: number;
  readonly shards: number;
}

const pool = {
  worker: new URL("worker.ts", import.meta.url),
  /** Milliseconds for a mutant, with the trials that its process makes before the first one of an op. */
  most: 120_000,
  silent: "t",
} as const;

/** Tries all that have no result; whether none survives. */
export async function runSources(asked: Asked): Promise<boolean> {
  const [sources, results] = [sourcesOf(asked), readResults(resultsFile)];
  const open = sources.flatMap((source) =>
    source.mutants.flatMap((_, i) => (source.fates[i] === "." ? [pieceOf(source, i)] : [])),
  );
  // Runs of mutants of one file, whose trials a process makes once.
  const pieces = open.filter((_, i) => Math.floor((i * asked.shards) / open.length) === asked.shard - 1);
  let done = 0;
  await inProcesses<Piece, Done>(pieces, asked.jobs, pool, ({ path, place, fate }) => {
    const source = sources.find(({ file }) => file.path === path)!;
    source.fates[place] = fate;
    results[path] = { hash: source.hash, fates: source.fates.join("") };
    if (++done % 50 === 0 || done === pieces.length) {
      process.stderr.write(`\r${done} of ${pieces.length} mutants, ${path} `);
      writeResults(resultsFile, results);
    }
  });
  if (pieces.length > 0) process.stderr.write("\n");
  print(sources);
  return !sources.some(({ fates }) => fates.some((fate) => "vnbx".includes(fate)));
}

/** Mutants with a result, each with the function that tries it again and says in words where its fate is another one. */
export function knownMutants(asked: Asked): (() => Promise<string | undefined>)[] {
  return sourcesOf(asked).flatMap((source) =>
    source.mutants.flatMap(({ line, what }, i) => {
      const expected = source.fates[i]!;
      if (expected === ".") return [];
      const again = async (): Promise<string | undefined> => {
        let found: Fate = "t";
        await inProcesses<Piece, Done>([pieceOf(source, i)], 1, pool, ({ fate }) => (found = fate));
        return found === expected
          ? undefined
          : `${source.file.path}:${line} ${what}: ${words[found]}, expected ${words[expected]}`;
      };
      return [again];
    }),
  );
}

function sourcesOf({ names, parts }: Asked): Source[] {
  const results = readResults(resultsFile);
  const isMeant = ({ stem, ops, part }: SourceFile): boolean =>
    parts.includes(part) &&
    (names.length === 0 || names.some((name) => name === stem || (ops.includes(name) && name.split(".")[0] === stem)));
  return sourceFiles()
    .filter(isMeant)
    .map((file) => {
      const text = textOf(file.path);
      const [hash, mutants, explained] = [hashOf(file.path), mutantsOf(text), explainedIn(file.path)];
      return { file, text, hash, mutants, explained, fates: fatesOf(results[file.path], hash, mutants.length) };
    });
}

function pieceOf({ file: { path }, text, mutants, explained }: Source, place: number): Piece {
  return { path, place, isExplained: explanationOf(mutants[place]!, text, explained) !== undefined };
}

function print(sources: readonly Source[]): void {
  const tried = sources.filter(({ fates }) => fates.some((fate) => fate !== "."));
  const groups = new Map<string, (Fate | ".")[]>();
  const byOperator = new Map<string, (Fate | ".")[]>();
  const into = (map: Map<string, (Fate | ".")[]>, key: string, fates: readonly (Fate | ".")[]): void =>
    void map.set(key, [...(map.get(key) ?? []), ...fates]);
  for (const { file, fates, mutants } of tried) {
    into(groups, `${file.stem}: ${file.part}`, fates);
    for (const [i, { operator }] of mutants.entries()) into(byOperator, operator, [fates[i]!]);
  }
  for (const part of ["reference", "bounds"]) {
    into(
      groups,
      `all: ${part}`,
      tried.filter(({ file }) => file.part === part).flatMap(({ fates }) => fates),
    );
  }
  console.log(fateTable("formulas and bounds", groups).join("\n"));
  console.log(fateTable("operator", new Map([...byOperator].toSorted())).join("\n"));
  for (const { file, mutants, fates } of tried) {
    for (const [i, { line, operator, what }] of mutants.entries()) {
      const fate = fates[i]!;
      if (fate !== "." && "vnbx".includes(fate))
        console.log(`${file.path}:${line} ${operator}: ${what.replaceAll(/\s+/g, " ")}: ${words[fate]}`);
    }
  }
}
