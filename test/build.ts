// Before the tests: the commands that they start are built once, to JavaScript, since loading the sources through tsx takes
// longer than most commands run. A build is kept for the next run of the same sources.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** cli/index.js of the build. */
    readonly cli: string;
  }
}

const root = fileURLToPath(new URL("..", import.meta.url));
const builds = join(root, ".build");
const notBuilt = new Set(["node_modules", "dist", "test", "bench", "runs", "coverage"]);
/** Milliseconds after which no run uses a build any more. */
const OLD = 3_600_000;

export default function setup(project: TestProject): void {
  project.provide("cli", join(built(), "cli/index.js"));
  project.onTestsRerun(() => project.provide("cli", join(built(), "cli/index.js")));
}

/** The folder of the sources' build, made unless it is there. */
function built(): string {
  const folder = join(builds, sourcesHash());
  if (existsSync(folder)) return folder;
  mkdirSync(builds, { recursive: true });
  for (const name of readdirSync(builds)) {
    const old = join(builds, name);
    if (Date.now() - statSync(old).mtimeMs > OLD) rmSync(old, { recursive: true, force: true });
  }
  const made = `${folder}.${process.pid}`;
  execFileSync(process.execPath, ["--import", "tsx", "build.ts", made], { cwd: root, stdio: "inherit" });
  copyFileSync(join(root, "package.json"), join(made, "package.json"));
  try {
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // else another run has built the same
  }
  return folder;
}

function sourcesHash(): string {
  const hash = createHash("sha256");
  for (const top of readdirSync(root, { withFileTypes: true })) {
    if (top.name.startsWith(".") || notBuilt.has(top.name)) continue;
    const paths = top.isDirectory()
      ? readdirSync(join(root, top.name), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
      : [join(root, top.name)];
    for (const path of paths.toSorted()) hash.update(path.slice(root.length)).update("\0").update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
}
