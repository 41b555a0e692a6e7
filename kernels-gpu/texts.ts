// The kernels' texts. In a checkout they are read from their files, so none can be stale. The build replaces this
// module with one that contains the texts (embed.ts), so the published package reads no file and runs in a browser.
import { readFileSync } from "node:fs";

/** A WGSL file of this folder, as defineKernel takes it: its name without ".wgsl", and its text. */
export function wgsl(id: string): { id: string; source: string } {
  return { id, source: readFileSync(new URL(`${id}.wgsl`, import.meta.url), "utf8") };
}
