// Makes dist/, which is what the package ships: JavaScript with declarations, and the files that are read at run time.
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { embeddedTexts } from "./kernels-gpu/embed.ts";

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
writeFileSync(join("dist", "kernels-gpu", "texts.js"), embeddedTexts());
