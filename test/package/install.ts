// The package as a stranger gets it: packed, installed into an empty folder, run with npx. Run by `npm run test:package`;
// it installs from the registry, so it is no part of `npm test`.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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
  if (!/kernels? within (its bound|their bounds),/.test(table))
    throw new Error("the installed package does not check its kernels");

  // A kernel of one's own, declared with what the package exports.
  cpSync(join(root, "kernels-gpu", "add.forward.wgsl"), join(folder, "mine.wgsl"));
  writeFileSync(
    join(folder, "mine.mjs"),
    [
      'import { defineKernel, spread } from "touchstone-llama/kernels";',
      "export default defineKernel({",
      '  file: new URL("mine.wgsl", import.meta.url),',
      '  inputs: { a: "N", b: "N" }, outputs: { y: "N" }, overrides: { WG: 32 },',
      "  workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),",
      "});",
    ].join("\n"),
  );
  const own = run(
    "npx",
    ["touchstone", "check", "--op", "add", "--kernel", "./mine.mjs", "--runs", "5", "--seed", "1"],
    folder,
  );
  if (!/kernels? within (its bound|their bounds),/.test(own))
    throw new Error("the installed package does not judge a kernel of one's own");
  run("npx", ["touchstone", "golden", "check"], folder);
  process.stdout.write("3 passed, 0 failed\n");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
