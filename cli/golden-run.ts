// What `touchstone golden` does.
import { existsSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { namesIn } from "../formats/folder.ts";
import { generateSuite } from "../golden/fixtures/generate.ts";
import { checkManifest, hasSources, holdToManifest, readManifest } from "../golden/fixtures/manifest.ts";
import { readFixture } from "../golden/fixtures/read.ts";
import { generateAtScale, lengthsOf } from "../golden/fixtures/scale.ts";
import { concludeVerified, fixtureNames, type Verified, verifyFile } from "../golden/fixtures/verify.ts";
import { choose } from "../judge/choose.ts";
import { concludeAll } from "../judge/conclusion.ts";
import { UserError } from "./errors.ts";
import type { Target } from "../reference/targets.ts";
import { note, say } from "./output.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { catchSignals, untilSignal } from "./signals.ts";
import { statuses, statusOfVerdict } from "./statuses.ts";
import { tableOf } from "./table.ts";
import { operations } from "../reference/ops/index.ts";
import { chooseTarget, offeredIn, suiting } from "./terms.ts";
import { counted, notOfferedIn } from "./words.ts";

export interface GenerateOptions {
  readonly out?: string;
  readonly shipped?: boolean;
  readonly target?: string;
  readonly scale?: "7B" | "65B";
  readonly op?: string[];
  readonly seed: number;
}

export interface VerifyOptions {
  readonly allowUnjudged?: number;
  readonly outputs?: string;
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
  if (scale === undefined) return makeSuite(out, suiting(chooseTarget(target), operations.values()));
  const model = { name: scale, lengths: lengthsOf(scale) };
  let refused = 0;
  const made = generateAtScale(out, model, seed, suiting(chooseTarget(target), operations.values()), op, {
    onFile: (name, bytes, seconds) => note(`${name}: ${bytes} bytes, ${seconds.toFixed(1)} s`),
    onRefusal(reason) {
      refused++;
      note(reason);
    },
  });
  say(`${out}: ${counted(made, "fixture")} at the shapes of ${scale}${refused === 0 ? "" : `, ${refused} not made`}`);
  return refused === 0 ? statuses.good : statuses.inconclusive;
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
  const { lines, files, sources } = checkManifest(folder, manifest);
  say(lines);
  if (lines.length > 0) {
    const where = folder === committed ? "--shipped" : `--out ${folder}`;
    say(`if the change is intended, run \`touchstone golden generate ${where}\` and commit the result`);
    return statuses.finding;
  }
  if (files === 0) {
    say("inconclusive: the manifest names no fixture, so nothing was compared");
    return statuses.inconclusive;
  }
  const compared = sources === 0 ? "" : ` and ${counted(sources, "source")}`;
  say(`${counted(files, "fixture")}${compared} as in the manifest`);
  if (sources === 0) say("sources were not compared: this is an installed package, which has none");
  return statuses.good;
}

/** Judges a folder of outputs; returns the exit status. */
export async function verify(
  fixtures: string,
  outputs: string,
  { allowUnjudged, outputs: offered }: VerifyOptions,
): Promise<number> {
  const given = namesIn(outputs, "a folder of outputs");
  const names = fixtureNames(fixtures);
  const asked = offered === undefined ? undefined : offeredOf(fixtures, names, offered);
  const isHeld = holdToManifest(fixtures);
  const results: Verified[] = [];
  const isInterrupted = await untilSignal(
    names,
    (name) => void results.push(verifyFile(fixtures, outputs, name, asked?.names)),
  );
  if (!isHeld) note(`${fixtures} has no manifest.json: its fixtures are taken as they are`);
  say(verifyTable(results, allowUnjudged));
  say(results.flatMap(({ findings }) => findings.map((finding) => `FAIL ${finding}`)));
  const odd = results.flatMap(({ improbable }) => improbable);
  say(odd.map((line) => `improbable ${line}: no proof; fixtures of another --seed try it again`));
  const { verdict, reasons } = concludeAll([concludeVerified(results, allowUnjudged)], isInterrupted);
  say(asked?.lines ?? []);
  say(reasonLines(reasons));
  const strangers = given.filter((name) => !names.includes(name)).map((name) => `${name} belongs to no fixture`);
  note(firstOf([...strangers, ...results.flatMap(({ notes }) => notes)]));
  const failed = results.filter(({ findings }) => findings.length > 0).length;
  const fixturesJudged = counted(results.length, "fixture");
  if (verdict === "FAIL") say(`${failed} of ${fixturesJudged} failed`);
  else if (verdict === "improbable")
    say(
      `improbable: ${fixturesJudged}, no output outside its bounds, ${counted(odd.length, "output")} with improbable errors`,
    );
  else if (isInterrupted) say(`${fixturesJudged} of ${names.length}, no output outside its bounds`);
  else if (verdict === "inconclusive")
    say(`inconclusive: ${fixturesJudged}, no output outside its bounds, too little judged`);
  else say(`${fixturesJudged}, all outputs within bounds`);
  if (isInterrupted) say(verdictIn(verdict, true));
  return statusOfVerdict(verdict, isInterrupted);
}

/** The outputs that a list names, and a line for each op of which it leaves some out. Throws UserError where the list does not suit an op. */
function offeredOf(
  fixtures: string,
  names: readonly string[],
  asked: string,
): { readonly names: readonly string[]; readonly lines: readonly string[] } {
  const ops = new Set(names.map((name) => readFixture(join(fixtures, name)).op));
  const operationsOf = offeredIn(asked, choose([...ops])).map(({ operation }) => operation);
  return {
    names: [...new Set(operationsOf.flatMap((operation) => Object.keys(operation.outputs)))],
    lines: operationsOf.flatMap(({ name, notOffered }) =>
      notOffered === undefined ? [] : [`${name}: ${notOfferedIn(notOffered)}`],
    ),
  };
}

const MOST_NOTES = 10;

/** The first few lines, and how many more there are. */
function firstOf(lines: readonly string[]): string[] {
  const rest = lines.length - MOST_NOTES;
  return rest > 0 ? [...lines.slice(0, MOST_NOTES), `and ${rest} more`] : [...lines];
}

function verifyTable(results: readonly Verified[], allowUnjudged: number | undefined): string[] {
  const rows = [...new Set(results.map((result) => result.op))].map((op) => {
    const own = results.filter((result) => result.op === op);
    const all = own.flatMap(({ comparisons }) => comparisons);
    const sum = (pick: (c: (typeof all)[number]) => number) => all.reduce((n, c) => n + pick(c), 0);
    const worst = all.reduce((n, c) => Math.max(n, c.worst), 0);
    return [
      op,
      own.length,
      sum((c) => c.elements),
      sum((c) => c.unjudged + c.nonFinite),
      worst.toPrecision(2),
      concludeVerified(own, allowUnjudged).verdict,
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
