// The package as a stranger gets it: packed, installed into an empty folder, run with npx. Run by `npm run test:package`;
// it installs from the registry, so it is no part of `npm test`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "touchstone-package-"));
const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

try {
  run("npm", ["pack", "--silent", "--pack-destination", folder], root);
  const [archive] = readdirSync(folder);
  if (archive === undefined) throw new Error("npm pack made no archive");
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  run("npm", ["install", "--silent", "--no-fund", "--no-audit", join(folder, archive)], folder);
  const table = run("npx", ["touchstone", "check", "--runs", "5", "--seed", "1"], folder);
  process.stdout.write(table);
  if (!/kernels within their bounds/.test(table)) throw new Error("the installed package does not check its kernels");
  process.stdout.write("1 passed, 0 failed\n");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
