// Candidates of every hostile kind, in modules and in processes: none hangs the judge, each is what its list says, and nothing stays
// running.  npm run campaign:hostile
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findingsOnModule, findingsOnProcess, isSaid, running } from "../candidates/hostile.ts";
import { badModules, hostileModules } from "../candidates/hostile-modules.ts";
import { hostileProcesses } from "../candidates/hostile-processes.ts";
import { script } from "../script.ts";

script("campaign:hostile", "Modules and processes of every hostile kind: none hangs the judge, each is named.").parse();

/** Milliseconds that any of them may take, its own time limits included. */
const HANGS = 60_000;

const folder = mkdtempSync(join(tmpdir(), "touchstone-hostile-"));
const tried: Record<string, { readonly says: RegExp | "harmless"; readonly run: () => Promise<string[]> }> = {};
for (const [name, module] of Object.entries({ ...hostileModules, ...badModules })) {
  tried[`a module that ${name}`] = { says: module.says, run: () => findingsOnModule(module, folder) };
}
for (const [name, program] of Object.entries(hostileProcesses)) {
  tried[`a process that ${name}`] = { says: program.says, run: () => findingsOnProcess(program, folder) };
}

const counts = { right: 0, wrong: 0, hung: 0, left: 0 };
for (const [name, { says, run }] of Object.entries(tried)) {
  const start = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), HANGS)));
  const findings = await Promise.race([run(), late]);
  clearTimeout(timer);
  const left = [...running("sleep 100100"), ...running(folder)];
  const isRight = findings !== undefined && isSaid(says, findings) && left.length === 0;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${isRight ? "ok" : "WRONG"}  ${name}, ${seconds} s${isRight ? "" : `: ${JSON.stringify({ findings, left })}`}`,
  );
  counts[isRight ? "right" : "wrong"]++;
  if (findings === undefined) counts.hung++;
  if (left.length > 0) counts.left++;
}
rmSync(folder, { recursive: true, force: true });
const { right, wrong, hung, left } = counts;
console.log(
  `${right + wrong} hostile candidates: ${right} as listed, ${wrong} not, ${hung} hung, ${left} left something running`,
);
process.exit(wrong === 0 ? 0 : 1);
