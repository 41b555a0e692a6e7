// What becomes of the mutants of one file: the trials of its ops, then the tests of its row.
import { operations } from "../../../reference/ops/index.ts";
import type { Operation } from "../../../reference/operation.ts";
import { Bench, type Found } from "./bench.ts";
import { rowOf, type SourceFile, textOf } from "./files.ts";
import { compiles, Loader } from "./load.ts";
import { RowTests, testFilesOf } from "./row-tests.ts";

/**
 * k: a correct evaluation is accused, or nothing comes out. w: bounds are wider than the table of tightness says. h: a test of the row fails. b: only
 * what is recorded shows it. t: it does not end. c: it does not compile. e: explained; x: explained, and refuted. v: numbers change, and
 * nothing notices; n: none changes.
 */
export type Fate = Found | "h" | "c" | "e" | "x";

/** From what says least to what says most: of several ops, the one that says most counts. */
const RANK = "nvbwkt";

const benches = new Map<string, Bench>();
function benchOf(op: string): Bench {
  let bench = benches.get(op);
  if (bench !== undefined) return bench;
  bench = new Bench(op);
  if (bench.unstated.length > 0)
    throw new Error(`${op}: tightness.json has other figures of ${bench.unstated.join(", ")}`);
  benches.set(op, bench);
  return bench;
}

export class FileJudge {
  readonly #file: SourceFile;
  readonly #loaders: ReadonlyMap<string, Loader>;
  readonly #tests: RowTests;

  private constructor(file: SourceFile, loaders: ReadonlyMap<string, Loader>, tests: RowTests) {
    this.#file = file;
    this.#loaders = loaders;
    this.#tests = tests;
  }

  static async of(file: SourceFile): Promise<FileJudge> {
    const loaders = new Map<string, Loader>();
    for (const op of file.ops) loaders.set(op, await Loader.of(file.path, [rowOf(op)]));
    const tests = await RowTests.of(file.path, testFilesOf(file.path, file.stem));
    const own = await tests.fateOf(textOf(file.path));
    if (own !== undefined) throw new Error(`${file.path}: a test of its row fails without a mutant`);
    return new FileJudge(file, loaders, tests);
  }

  async fateOf(text: string, isExplained: boolean): Promise<Fate> {
    if (!compiles(text)) return "c";
    let found: Found = "n";
    for (const op of this.#file.ops) {
      const one = benchOf(op).fateOf(() => this.#opIn(op, text));
      if (RANK.indexOf(one) > RANK.indexOf(found)) found = one;
      if ("kwt".includes(found)) return isExplained ? "x" : found;
    }
    const failed = await this.#tests.fateOf(text);
    if (isExplained) {
      const isRefuted = (op: string): boolean => benchOf(op).refutes(() => this.#opIn(op, text));
      return failed === undefined && found === "n" && !this.#file.ops.some(isRefuted) ? "e" : "x";
    }
    return failed ?? found;
  }

  #opIn(op: string, text: string): Operation {
    const rows = Object.values(this.#loaders.get(op)!.load(rowOf(op), text));
    return rows.find(
      (row): row is Operation => (row as Partial<Operation> | undefined)?.name === operations.get(op)!.name,
    )!;
  }
}
