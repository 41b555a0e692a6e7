// What `touchstone check --replay` does: one case, or one relation at a case, in full.
import { type Case, formatCase } from "../judge/case.ts";
import { realInputs } from "../judge/real.ts";
import { buildCase, failureOf } from "../judge/campaign.ts";
import { unlessInterrupted } from "../judge/check.ts";
import { describe } from "../judge/compare.ts";
import { isFinding } from "../judge/examination.ts";
import { relationsOf } from "../judge/relations/index.ts";
import { parseRelation, type Relation, type Trial } from "../judge/relations/relation.ts";
import { isJudges, judge } from "../judge/verdict.ts";
import type { Operation } from "../reference/operation.ts";
import type { CheckOptions } from "./check.ts";
import { openCandidates } from "./check-candidates.ts";
import { interruption } from "./check-run.ts";
import { type Chosen, choose } from "../judge/choose.ts";
import { UserError } from "./errors.ts";
import { INTERRUPTED } from "./signals.ts";
import { chooseTarget, declare } from "./terms.ts";

/** Runs one case, or one relation at a case, and tells everything of it. */
export async function replay(line: string, options: CheckOptions): Promise<number> {
  const { of: c, name } = parseRelation(line);
  const chosen = choose([c.op]);
  const [{ operation, spec }] = chosen;
  if (operation.name !== c.op)
    throw new UserError(`replay: "${c.op}" is not an op and direction, such as swiglu.forward`);
  checkSizes(chosen[0], c.sizes, c.profile === "real");
  const relation = name === undefined ? undefined : relationOf(operation, c, name);
  const problem = buildCase(spec, c, realInputs);
  const target = declare(chooseTarget(options.target), options.store, [operation]);
  const candidates = await openCandidates(options, chosen, interruption());
  const candidate = candidates.of(operation);
  if (relation !== undefined) {
    const { sizes, seed } = c;
    const deterministic = options.nondeterministic !== true;
    const trial: Trial = { operation, spec, candidate, target, dtype: options.dtype, sizes, seed, deterministic };
    process.stdout.write(`${line}\n${candidates.where}, ${options.dtype}, target ${target.name}\n`);
    return replayRelation(relation, trial, options.bitwise === true);
  }
  const verdict = await unlessInterrupted(judge(operation, candidate, problem, { target, dtype: options.dtype }));
  if (verdict === undefined) return INTERRUPTED;
  process.stdout.write(`${formatCase(c)}\n${candidates.where}, ${options.dtype}, target ${target.name}\n`);
  for (const { output, elements, unjudged, outside, worst, at } of verdict.comparisons) {
    const counts = `${elements} elements, ${unjudged} unjudged, ${outside} outside`;
    process.stdout.write(`${output}: ${counts}, worst ${worst.toPrecision(3)} of its bound\n`);
    if (at !== undefined && outside === 0) process.stdout.write(`  ${describe(at)}\n`);
  }
  for (const finding of verdict.findings) process.stdout.write(`${finding}\n`);
  if (verdict.findings.length > 0) {
    const { evidence } = failureOf(c, verdict, candidate.keep?.());
    if (evidence !== undefined) process.stdout.write(`files kept in ${evidence}\n`);
  }
  await candidate.close?.();
  process.stdout.write(verdict.findings.length === 0 ? "pass\n" : "FAIL\n");
  return verdict.findings.length === 0 ? 0 : 1;
}

function relationOf(operation: Operation, { profile }: Case, name: string): Relation {
  const relations = relationsOf(operation);
  const found = relations.find((relation) => relation.name === name);
  if (found === undefined) {
    const known = relations.map((relation) => `"${relation.name}"`).join(", ");
    throw new UserError(`replay: ${operation.name} has no relation "${name}", expected one of ${known}`);
  }
  if (profile !== "unit") throw new UserError(`replay: profile is ${profile}, relations are tried on unit`);
  return found;
}

async function replayRelation(relation: Relation, trial: Trial, bitwise: boolean): Promise<number> {
  const { candidate } = trial;
  process.stdout.write(`${relation.statement}\n`);
  let passed = false;
  try {
    const outcome = await unlessInterrupted(relation.run(trial));
    if (outcome === undefined) return INTERRUPTED;
    passed = !isFinding(outcome, bitwise);
    process.stdout.write(outcome.message === undefined ? "it holds\n" : `${outcome.state}: ${outcome.message}\n`);
  } catch (error) {
    if (isJudges(error)) throw error;
    process.stdout.write(`${candidate.name} failed: ${(error as Error).message}\n`);
    const evidence = candidate.keep?.();
    if (evidence !== undefined) process.stdout.write(`files kept in ${evidence}\n`);
  }
  await candidate.close?.();
  process.stdout.write(passed ? "pass\n" : "FAIL\n");
  return passed ? 0 : 1;
}

/** A replayed line may come from anywhere: its sizes must be those of the op, and as small as cases are. */
function checkSizes({ spec }: Chosen, sizes: Readonly<Record<string, number | string>>, isReal: boolean): void {
  const wanted = isReal ? [] : Object.keys(spec.sizes);
  const given = Object.keys(sizes);
  if (wanted.toSorted().join() !== given.toSorted().join()) {
    throw new UserError(
      `replay: ${spec.op} has the sizes ${wanted.join(", ") || "none"}, got ${given.join(", ") || "none"}`,
    );
  }
  for (const [name, value] of Object.entries(sizes)) {
    if (typeof value === "number" && !(Math.abs(value) <= 1 << 20)) {
      throw new UserError(`replay: ${name} is ${value}, expected at most ${1 << 20}`);
    }
  }
  // Lengths may be fine one by one and too large together: nothing is allocated before their product is known.
  const product = Object.values(sizes).reduce<number>(
    (n, value) => n * (typeof value === "number" && value > 0 ? value : 1),
    1,
  );
  if (!(product <= 1 << 28)) throw new UserError(`replay: sizes of ${product} together, expected at most ${1 << 28}`);
}
