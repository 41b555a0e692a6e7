// Makes dist/, which is what the package ships: JavaScript with declarations, and the files that are read at run time.
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Kernels, texts, models and clients are read, not imported. */
const readAtRunTime = /\.(wgsl|txt|json|py|h|c|safetensors|model|bin)$/;
const shipped = ["reference", "formats", "zoo", "trace", "judge", "golden", "kernels-gpu", "training", "cli"];

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
for (const folder of shipped) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !readAtRunTime.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    cpSync(path, join("dist", path));
  }
}
embedKernels();

/** Puts the kernels' texts into the module that reads them in a checkout, so that what is published needs no files for them. */
function embedKernels(): void {
  const texts = readdirSync("kernels-gpu")
    .filter((name) => name.endsWith(".wgsl"))
    .toSorted()
    .map((name) => [name.replace(/\.wgsl$/, ""), readFileSync(join("kernels-gpu", name), "utf8")]);
  const module = [
    "// Written by build.ts: the texts of this folder's WGSL files.",
    `const texts = ${JSON.stringify(Object.fromEntries(texts), null, 2)};`,
    "export function wgsl(id) {",
    "  return { id, source: texts[id] };",
    "}",
    "",
  ];
  writeFileSync(join("dist", "kernels-gpu", "texts.js"), module.join("\n"));
}
