// What `touchstone golden` does.
import { existsSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { namesIn } from "../formats/folder.ts";
import { readFixture } from "../golden/fixtures/fixture.ts";
import { generateSuite } from "../golden/fixtures/generate.ts";
import { differences, hasSources, readManifest } from "../golden/fixtures/manifest.ts";
import { generateAtScale } from "../golden/fixtures/scale.ts";
import { fixtureNames, type Verified, verifyFile } from "../golden/fixtures/verify.ts";
import { UserError } from "./errors.ts";
import type { Target } from "../reference/targets.ts";
import { note, say } from "./output.ts";
import { catchSignals } from "./signals.ts";
import { statuses, statusOf } from "./statuses.ts";
import { tableOf } from "./table.ts";
import { chooseTarget } from "./terms.ts";
import { counted } from "./words.ts";

export interface GenerateOptions {
  readonly out?: string;
  readonly shipped?: boolean;
  readonly target?: string;
  readonly scale?: "7B" | "65B";
  readonly op?: string[];
  readonly seed: number;
}

const committed = fileURLToPath(new URL("../golden/fixtures/suite", import.meta.url));

/** Makes the suite, or fixtures at scale; returns the exit status. */
export async function generate({ out, shipped = false, target, scale, op, seed }: GenerateOptions): Promise<number> {
  if (scale === undefined && op !== undefined) {
    throw new UserError("--op needs --scale: the suite always holds every op");
  }
  if (shipped) {
    checkCheckout();
    return makeSuite(committed, chooseTarget(undefined));
  }
  if (out === undefined) {
    const orShipped = scale === undefined ? ", or --shipped for the suite that ships with these sources" : "";
    throw new UserError(`--out is missing, expected --out FOLDER${orShipped}`);
  }
  checkNotShipped(out);
  if (scale === undefined) return makeSuite(out, chooseTarget(target));
  const made = generateAtScale(out, scale, seed, chooseTarget(target), op, (name, bytes, seconds) =>
    note(`${name}: ${bytes} bytes, ${seconds.toFixed(1)} s`),
  );
  say(`${out}: ${counted(made, "fixture")} at the shapes of ${scale}`);
  return statuses.good;
}

/** The suite is made from sources; without them it can only be spoilt. */
function checkCheckout(): void {
  if (hasSources && !committed.split(sep).includes("node_modules")) return;
  throw new UserError(`--shipped: ${committed} belongs to an installed package, expected a checkout of the sources`);
}

function checkNotShipped(out: string): void {
  if (!existsSync(out) || realpathSync(out) !== realpathSync(committed)) return;
  throw new UserError(`--out ${out}: is the suite that ships with these sources, expected --shipped to replace it`);
}

async function makeSuite(folder: string, target: Target): Promise<number> {
  const signals = catchSignals();
  try {
    const count = await generateSuite(folder, target, signals.signal);
    say(`${folder}: ${counted(count, "fixture")} and manifest.json`);
    return statuses.good;
  } catch (error) {
    if (!signals.stopped()) throw error;
    note(`interrupted: ${folder} is as it was`);
    return statuses.interrupted;
  } finally {
    signals.release();
  }
}

/** Compares files and sources with the manifest; returns the exit status. */
export function checkFolder(folder = committed): number {
  const manifest = readManifest(folder);
  const lines = differences(folder, manifest);
  say(lines);
  const count = Object.keys(manifest.files).length;
  if (lines.length === 0)
    say(
      `${counted(count, "fixture")} and ${counted(Object.keys(manifest.sources).length, "source")} as in the manifest`,
    );
  else {
    const where = folder === committed ? "--shipped" : `--out ${folder}`;
    say(`if the change is intended, run \`touchstone golden generate ${where}\` and commit the result`);
  }
  return statusOf(lines.length > 0);
}

/** Judges a folder of outputs; returns the exit status. */
export function verify(fixtures: string, outputs: string): number {
  namesIn(outputs, "a folder of outputs");
  const results = fixtureNames(fixtures).map((name) => verifyFile(fixtures, outputs, name));
  say(verifyTable(results));
  const findings = results.flatMap((result) => result.findings);
  say(findings.map((finding) => `FAIL ${finding}`));
  const failed = results.filter((result) => result.findings.length > 0).length;
  say(
    failed === 0
      ? `${counted(results.length, "fixture")}, all outputs within bounds`
      : `${failed} of ${counted(results.length, "fixture")} failed`,
  );
  return statusOf(failed > 0);
}

function verifyTable(results: readonly Verified[]): string[] {
  const rows = [...new Set(results.map((result) => result.op))].map((op) => {
    const own = results.filter((result) => result.op === op);
    const all = own.flatMap(({ comparisons }) => comparisons);
    const sum = (pick: (c: (typeof all)[number]) => number) => all.reduce((n, c) => n + pick(c), 0);
    const worst = all.reduce((n, c) => Math.max(n, c.worst), 0);
    const passed = own.every(({ findings }) => findings.length === 0);
    return [
      op,
      own.length,
      sum((c) => c.elements),
      sum((c) => c.unjudged + c.nonFinite),
      worst.toPrecision(2),
      passed ? "pass" : "FAIL",
    ];
  });
  return tableOf(
    [
      ["op", "left"],
      ["fixtures", "right"],
      ["elements", "right"],
      ["unjudged", "right"],
      ["worst ÷ bound", "right"],
      ["", "left"],
    ],
    rows,
  );
}

/** A line for each fixture. */
export function list(folder = committed): void {
  for (const name of fixtureNames(folder)) {
    const { case: line, dtype, target } = readFixture(join(folder, name));
    say(`${name}  ${dtype}, ${target}, ${line}`);
  }
}
