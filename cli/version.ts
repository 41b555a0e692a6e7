// The version of this program.
import { fileURLToPath } from "node:url";
import { readJson } from "../formats/input.ts";

/** As package.json has it, which lies next to this folder in a checkout, and one further up when built. */
export function version(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      const own = fileURLToPath(new URL(path, import.meta.url));
      return (readJson(own, "the package's description", 2 ** 20) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return "unknown";
}
