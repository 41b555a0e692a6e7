// The modules that a changed file is part of, evaluated anew with its changed text; all others are the process's own, and stay warm.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileFunction } from "node:vm";
import { transformSync } from "esbuild";
import { importsOf } from "../../imports.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

type Exports = Readonly<Record<string, unknown>>;

/** Loads an entry of the tree again and again, each time with another text of one of its files. Paths are from the root. */
export class Loader {
  readonly #changed: string;
  readonly #instead: ReadonlyMap<string, Exports>;
  /** File → whether it is the changed one, or imports one that is evaluated anew. */
  readonly #isAnew = new Map<string, boolean>();
  readonly #own = new Map<string, Exports>();
  readonly #compiled = new Map<string, string>();

  /** `instead`: what packages and files are replaced by. */
  private constructor(changed: string, instead: ReadonlyMap<string, Exports>) {
    this.#changed = changed;
    this.#instead = instead;
  }

  static async of(changed: string, entries: readonly string[], instead = new Map<string, Exports>()): Promise<Loader> {
    const loader = new Loader(changed, instead);
    for (const entry of entries) await loader.#reach(entry);
    return loader;
  }

  /** Evaluates an entry, `text` in place of the changed file's. */
  load(entry: string, text: string): Exports {
    const evaluated = new Map<string, { exports: Exports }>();
    const evaluate = (file: string): Exports => {
      const known = evaluated.get(file);
      if (known !== undefined) return known.exports;
      const module = { exports: {} as Exports };
      evaluated.set(file, module);
      const code = file === this.#changed ? compiled(file, text) : this.#codeOf(file);
      const run = compileFunction(code, ["module", "exports", "require"], { filename: join(root, file) });
      run(module, module.exports, (name: string) => {
        const to = name.startsWith(".") ? join(dirname(file), name) : name;
        return this.#isAnew.get(to) === true ? evaluate(to) : this.#own.get(to)!;
      });
      return module.exports;
    };
    return evaluate(entry);
  }

  #codeOf(file: string): string {
    let code = this.#compiled.get(file);
    if (code === undefined) this.#compiled.set(file, (code = compiled(file, readFileSync(join(root, file), "utf8"))));
    return code;
  }

  /** Finds out which files are evaluated anew, and imports what these import of the others. */
  async #reach(file: string): Promise<void> {
    const dependents = dependentsOf(this.#changed, file, this.#instead);
    for (const one of dependents) {
      this.#isAnew.set(one, true);
      for (const { to, typesOnly } of importsOf(one)) {
        if (typesOnly || dependents.has(to) || this.#own.has(to)) continue;
        const instead = this.#instead.get(to);
        const path = to.endsWith(".ts") ? pathToFileURL(join(root, to)).href : to;
        this.#own.set(to, instead ?? ((await import(path)) as Exports));
      }
    }
  }
}

/** The entry, and of the files that it reaches without those that are replaced those that reach the changed one. */
function dependentsOf(changed: string, entry: string, instead: ReadonlyMap<string, unknown>): Set<string> {
  const from = new Map<string, Set<string>>();
  const seen = new Set<string>();
  const files = [entry];
  for (const file of files) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const { to, typesOnly } of importsOf(file)) {
      if (typesOnly || !to.endsWith(".ts") || instead.has(to)) continue;
      from.set(to, (from.get(to) ?? new Set()).add(file));
      files.push(to);
    }
  }
  const found = new Set([changed]);
  for (const file of found) for (const importer of from.get(file) ?? []) found.add(importer);
  return found.add(entry);
}

/** Whether a text is TypeScript at all: types are not looked at. */
export function compiles(text: string): boolean {
  try {
    transformSync(text, { loader: "ts", format: "cjs" });
    return true;
  } catch {
    return false;
  }
}

function compiled(file: string, text: string): string {
  const url = JSON.stringify(pathToFileURL(join(root, file)).href);
  const define = { "import.meta.url": url };
  return transformSync(text, { loader: "ts", format: "cjs", target: "node20", define }).code;
}
