// Makes dist/, or the folder that is given: what the package ships, JavaScript with declarations and the files that are read
// at run time. Tests start their commands from such a folder.
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { embeddedTexts } from "./kernels-gpu/embed.ts";

/** Kernels, texts, models and clients are read, not imported. */
const readAtRunTime = /\.(wgsl|txt|json|py|h|c|safetensors|model|bin|gz)$/;
const shipped = ["reference", "formats", "zoo", "trace", "judge", "golden", "kernels-gpu", "training", "cli"];

const [out] = new Command("npm run build --")
  .description("JavaScript with declarations, and the files that are read at run time.")
  .argument("[folder]", "where to", "dist")
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse().processedArgs as [string];

rmSync(out, { recursive: true, force: true });
const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", out];
execFileSync(process.execPath, tsc, { stdio: "inherit" });
for (const folder of shipped) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !readAtRunTime.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    cpSync(path, join(out, path));
  }
}
writeFileSync(join(out, "kernels-gpu", "texts.js"), embeddedTexts());

// The compiler rewrites "./x.ts" in JavaScript alone; older compilers and other tools look for what stands in declarations.
for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".d.ts")) continue;
  const path = join(entry.parentPath, entry.name);
  const relative = /((?:from |import\()")(\.{1,2}\/[^"]+)\.ts"/g;
  writeFileSync(path, readFileSync(path, "utf8").replaceAll(relative, '$1$2.js"'));
}
