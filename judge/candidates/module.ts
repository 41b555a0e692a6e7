// A candidate in a module: `touchstone check --op attention.forward --kernel ./mine.ts`.
import { statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";

/** A module's default export: an async function, or a declaration of a kernel, which the caller can launch. */
export type Exported = ((inputs: Inputs, scalars: Scalars) => Promise<Outputs> | Outputs) | object;

/** The default export of a module. Throws RangeError in one line where there is none. */
export async function loadModule(path: string): Promise<Exported> {
  const file = resolve(path);
  const found = path === "" ? undefined : statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new RangeError(`--kernel ${path}: does not exist, expected a module`);
  if (!found.isFile()) throw new RangeError(`--kernel ${path}: is not a regular file, expected a module`);
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(file).href)) as typeof module;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const hint =
      code === "ERR_UNKNOWN_FILE_EXTENSION" && extname(file) === ".ts"
        ? "this Node does not read TypeScript: run it under tsx, or give the compiled .js"
        : message.split("\n")[0];
    throw new RangeError(`--kernel ${path}: cannot be loaded (${hint}), expected a module`, { cause: error });
  }
  const exported = module.default;
  if (typeof exported !== "function" && (typeof exported !== "object" || exported === null)) {
    throw new RangeError(`--kernel ${path}: has no default export, expected a function or a kernel's declaration`);
  }
  return exported;
}
