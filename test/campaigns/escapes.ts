// `npm run campaign:escapes [-- FILE [NAME…]]` tries each faulty numpy kernel of ../shared/escapes, or those named, on the cases of a
// default check, and where none of these fails runs the whole check; the ones that once passed come first. FILE keeps a line for
// each, and a kernel that it holds is not run again. TOUCHSTONE_PYTHON names a Python with numpy, SEED the seed of the checks.
// Exit status 1 where a kernel is let through.
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Table from "cli-table3";
import { chooseTarget, declare } from "../../cli/terms.ts";
import { buildCase, comparing } from "../../judge/campaign.ts";
import { startProcess } from "../../judge/candidates/process.ts";
import { exampleCases } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import { sharedData } from "../needs.ts";
import { root, scratch } from "./command.ts";
import { script } from "../script.ts";

/** Those that lie within a form that the bound covers: "reduced-by-one-constant", and "complement-of-rounded", which is ggml's 1 − beta. */
const covered = ["rt08_poor_reduction", "aw06_one_minus_beta2"];
/** And the one that is legal by WGSL's figures, and named by its coarse grid. */
const expected: Readonly<Record<string, Outcome>> = {
  rt01_float16: "named",
  ...Object.fromEntries(covered.map((name) => [name, "passes"] as const)),
};
/** Checked for another target as well, which promises more. */
const alsoFor: Readonly<Record<string, string>> = { rt01_float16: "--target ieee" };

type Outcome = "rejected" | "named" | "passes" | "inconclusive";

interface Escape {
  readonly name: string;
  /** The op, and options of the check. */
  readonly args: string;
  readonly hadPassed: boolean;
}

interface Result {
  readonly name: string;
  readonly args: string;
  readonly outcome: Outcome;
  /** Cases up to the first that failed. */
  readonly cases: number;
  readonly classes: string;
  readonly finding: string;
  readonly seconds: number;
}

const python = process.env["TOUCHSTONE_PYTHON"] ?? "python3";
const seed = Number(process.env["SEED"] ?? "5");
/** Where a check leaves its files. */
const kept = scratch("escapes");

/** The rows of the table in the folder's README. */
function escapesIn(folder: string): Escape[] {
  const rows = readFileSync(join(folder, "README.md"), "utf8").matchAll(
    /^\| (\S+) \| (\S+\.\S+[^|]*) \|[^|]*\| (.*) \|$/gm,
  );
  const listed = [...rows].map(([, name, args, today]) => ({
    name: name!,
    args: args!,
    hadPassed: today!.includes("passes"),
  }));
  const again = listed.flatMap(({ name, args, hadPassed }) =>
    name in alsoFor ? [{ name, args: `${args} ${alsoFor[name]}`, hadPassed }] : [],
  );
  return [...listed, ...again].toSorted((a, b) => Number(b.hadPassed) - Number(a.hadPassed));
}

/** The part of a check's JSON that is read here. */
interface Checked {
  readonly kernels: readonly [
    {
      readonly cases: number;
      readonly failures: readonly { readonly message: string }[];
      readonly examination: null | {
        readonly findings: readonly string[];
        readonly precision: {
          readonly summary: { readonly class: string; readonly between: readonly string[] } | null;
        };
      };
    },
  ];
}

/** What the cases of a check find, up to the first that fails; undefined where none does. */
async function searched({ name, args }: Escape, folder: string): Promise<Result | undefined> {
  const start = performance.now();
  const [op, ...options] = args.split(" ");
  const given = Object.fromEntries(options.flatMap((one, i) => (i % 2 === 0 ? [[one, options[i + 1]]] : [])));
  const [{ operation, spec }] = choose([op]);
  const target = declare(chooseTarget(given["--target"]), given["--store"], [operation]);
  const terms = { target, dtype: (given["--dtype"] ?? "float32") as DTypeName };
  const command = `${python} ${join(folder, "kernels", name)}.py`;
  const candidate = startProcess({ command, operation, dtype: terms.dtype, timeout: 30_000, evidence: kept });
  const cases = [...exampleCases(spec, seed, target), ...largeCases(spec, seed)];
  try {
    for (const [n, c] of cases.entries()) {
      const problem = buildCase(spec, c, terms.dtype);
      const { findings } = await judgeProblem(operation, candidate, problem, terms, comparing(spec, c));
      if (findings.length === 0) continue;
      const finding = findings[0].slice(0, 120);
      return { name, args, outcome: "rejected", cases: n + 1, classes: "", finding, seconds: secondsSince(start) };
    }
  } finally {
    await candidate.close?.();
  }
  return undefined;
}

const secondsSince = (start: number): number => Math.round((performance.now() - start) / 1000);

/** A whole check. */
function checked({ name, args }: Escape, folder: string): Result {
  const start = performance.now();
  const json = join(kept, "check.json");
  const files = ["--json", json, "--overwrite", "--evidence", kept];
  const cli = [join(root, "node_modules/tsx/dist/cli.mjs"), join(root, "cli/index.ts"), "check", "--op"];
  const terms = [...args.split(" "), "--seed", String(seed), "--exec", `${python} kernels/${name}.py`];
  const { status, stderr } = spawnSync(process.execPath, [...cli, ...terms, ...files], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0 && status !== 1 && status !== 4) throw new Error(`${name}: exit status ${status}: ${stderr}`);
  const [kernel] = (JSON.parse(readFileSync(json, "utf8")) as Checked).kernels;
  const summary = kernel.examination?.precision.summary ?? { class: "float32", between: [] };
  const passed = [summary.class, ...summary.between].includes("float32") ? "passes" : "named";
  return {
    name,
    args,
    outcome: status === 1 ? "rejected" : status === 4 ? "inconclusive" : passed,
    cases: kernel.cases,
    classes: summary.between.length > 0 ? summary.between.join(" or ") : summary.class,
    finding: (kernel.failures[0]?.message ?? kernel.examination?.findings[0] ?? "").slice(0, 120),
    seconds: secondsSince(start),
  };
}

const [file, names] = script("campaign:escapes", "A default check of each faulty kernel of ../shared/escapes.")
  .argument("[file]", "keeps a line of JSON for each, so that a run goes on where it ended")
  .argument("[name...]", "kernels; all of them without this")
  .parse().processedArgs as [string | undefined, string[]];
const { path, absent, note } = sharedData("escapes");
const lacksNumpy = spawnSync(python, ["-c", "import numpy"]).status !== 0;
if (absent || lacksNumpy) {
  console.log(`no kernel was tried${absent ? note : `: ${python} has no numpy (TOUCHSTONE_PYTHON names another)`}`);
  process.exit(0);
}

const lines = file !== undefined && existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
const results = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Result);
for (const escape of escapesIn(path)) {
  const { name, args } = escape;
  if (names.length > 0 && !names.includes(name)) continue;
  if (results.some((one) => one.name === name && one.args === args)) continue;
  const result = (await searched(escape, path)) ?? checked(escape, path);
  results.push(result);
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(result)}\n`);
  process.stderr.write(`${name} ${args}: ${result.outcome}, ${result.seconds} s\n`);
}

const table = new Table({
  head: ["kernel", "op, arguments", "", "cases", "precision", "first finding"],
  style: { head: [], border: [], compact: true },
  colWidths: [32, 40, 12, 7, 22, 60],
  wordWrap: true,
});
const isExpected = ({ name, args, outcome }: Result): boolean =>
  outcome === "rejected" || (outcome === expected[name] && !args.endsWith(alsoFor[name] ?? " "));
for (const { name, args, outcome, cases, classes, finding } of results)
  table.push([name, args, outcome, cases, classes, finding]);
console.log(table.toString());
const wrong = results.filter((one) => !isExpected(one));
const rejected = results.filter(({ outcome }) => outcome === "rejected").length;
const other = results
  .filter((one) => one.outcome !== "rejected" && isExpected(one))
  .map(({ name, outcome }) => `${name} ${outcome}`);
const missed = wrong.map(({ name, outcome }) => `${name} ${outcome}`);
console.log(
  `${rejected} of ${results.length} rejected; as expected ${other.join(", ") || "none"}; not as expected ${missed.join(", ") || "none"}`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
