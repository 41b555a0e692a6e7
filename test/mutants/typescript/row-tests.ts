// The tests of an op's row, run in this process on a mutant: the files of test/ops are evaluated anew with a `test` that collects, and the
// first test that fails is a kill. The row's bound by the zoo is left out, since the
// trials ask the same.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { expect } from "vitest";
import { Loader } from "./load.ts";

type Body = (...row: never[]) => unknown;
type Test = () => unknown;

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** Milliseconds for one test. */
const LIMIT = 20_000;
const KEY = "__touchstoneTest";

/** Whole checks of an op, which take seconds. */
const WHOLE = new Set(["a correction that is left out while it still counts is rejected"]);

/** The test files of a source file: that of its ops, and one of its own name, such as attention-tiled.test.ts. */
export function testFilesOf(path: string, stem: string): string[] {
  const own = path.split("/").at(-1)!.split(".")[0]!;
  const all = new Set(readdirSync(`${root}test/ops`));
  return [...new Set([`${own}.test.ts`, `${stem}.test.ts`])]
    .filter((name) => all.has(name))
    .map((name) => `test/ops/${name}`);
}

export class RowTests {
  readonly #files: readonly string[];
  readonly #loader: Loader;
  readonly #collected: Test[];

  private constructor(files: readonly string[], loader: Loader, collected: Test[]) {
    this.#files = files;
    this.#loader = loader;
    this.#collected = collected;
  }

  static async of(path: string, files: readonly string[]): Promise<RowTests> {
    const collected: Test[] = [];
    const instead = new Map<string, object>([
      ["vitest", { expect, ...collecting(collected) }],
      ["test/rows.ts", { testBound: () => {} }],
    ]) as Map<string, Readonly<Record<string, unknown>>>;
    return new RowTests(files, await Loader.of(path, files, instead), collected);
  }

  /** Whether a test fails: "t" where one does not end. */
  async fateOf(text: string): Promise<"h" | "t" | undefined> {
    for (const file of this.#files) {
      this.#collected.length = 0;
      const loaded = await within(() => this.#loader.load(file, text));
      if (loaded !== undefined) return loaded;
      for (const test of this.#collected) {
        const found = await within(test);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

async function within(run: Test): Promise<"h" | "t" | undefined> {
  Object.assign(globalThis, { [KEY]: { run } });
  try {
    await (runInThisContext(`${KEY}.run()`, { timeout: LIMIT }) as unknown);
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT" ? "t" : "h";
  }
}

/** `describe` and `test` as the files use them: groups run at once, tests are kept. */
function collecting(into: Test[]): Readonly<Record<string, unknown>> {
  const test = (name: string, body: Body): void => {
    if (!WHOLE.has(name)) into.push(() => body());
  };
  const describe = (_: string, body: Body): void => void body();
  const each =
    (of: (name: string, body: Body) => void) =>
    (rows: readonly unknown[]) =>
    (name: string, body: Body): void => {
      for (const row of rows) of(name, () => body(...((Array.isArray(row) ? row : [row]) as never[])));
    };
  return {
    test: Object.assign(test, { each: each(test) }),
    describe: Object.assign(describe, { each: each(describe) }),
  };
}
