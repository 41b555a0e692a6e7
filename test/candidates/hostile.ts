// What the judge says of a hostile candidate, and what is still running afterwards.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startModule } from "../../judge/candidates/module.ts";
import { startProcess } from "../../judge/candidates/process.ts";
import { failureLine } from "../../judge/candidates/result.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { operations } from "../../reference/ops/index.ts";
import { wgslTerms } from "../terms.ts";
import { type HostileModule, moduleText } from "./hostile-modules.ts";
import { type HostileProcess, programText } from "./hostile-processes.ts";

/** Milliseconds for what hangs, and for what must not. */
const [SHORT, LONG] = [3000, 30_000];
const MEMORY = 2 ** 29;

/** The findings on two cases and at the close; "cannot be loaded: " and why for a module that is bad input. */
export async function findingsOnModule(module: HostileModule, folder: string): Promise<string[]> {
  const path = written(folder, "mjs", moduleText(module));
  const timeout = module.hangs === true ? SHORT : LONG;
  const operation = operations.get("swiglu.forward")!;
  let candidate: Candidate;
  try {
    candidate = await startModule({ path, operation, timeout, memory: MEMORY });
  } catch (error) {
    return [`cannot be loaded: ${(error as Error).message}`];
  }
  return findingsOn(candidate, "swiglu.forward", { R: 3, F: 5 });
}

/** The findings on two cases and at the close. */
export async function findingsOnProcess(program: HostileProcess, folder: string, language = "node"): Promise<string[]> {
  const path = written(folder, "cjs", programText(program));
  const timeout = program.hangs === true ? SHORT : LONG;
  const operation = operations.get("add.forward")!;
  const command = `exec ${language} '${path}'`;
  return findingsOn(startProcess({ command, operation, dtype: "float32", timeout }), "add.forward", { N: 5 });
}

async function findingsOn(candidate: Candidate, op: string, sizes: Record<string, number>): Promise<string[]> {
  const operation = operations.get(op)!;
  const problem = judgeRows.get(op)!.build(sizes, "unit", 1);
  const findings: string[] = [];
  for (let i = 0; i < 2; i++) {
    findings.push(...(await judgeProblem(operation, candidate, problem, wgslTerms)).findings);
  }
  try {
    await candidate.close?.();
  } catch (error) {
    findings.push(failureLine(candidate, error));
  }
  return findings;
}

/** Whether that is what must be said of it. */
export function isSaid(says: RegExp | "harmless", findings: readonly string[]): boolean {
  return says === "harmless" ? findings.length === 0 : findings.some((finding) => says.test(finding));
}

/** The command lines of running processes that hold a text. */
export function running(text: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return ""; // it has ended
      }
    })
    .filter((line) => line.includes(text));
}

let count = 0;

function written(folder: string, ending: string, text: string): string {
  const path = join(folder, `hostile-${++count}.${ending}`);
  writeFileSync(path, text);
  return path;
}
