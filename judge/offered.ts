// A kernel that gives some of an op's outputs is judged on these: an attention without its lse, an RMSNorm without rstd.
//
// The op and its row are narrowed, so that whatever tries a candidate (cases, probes, relations) asks for these outputs and compares them
// alone. What an op computes, and its bound, stay: a backward gets its forward's outputs from the oracle whatever a kernel offers.
import { quote } from "../formats/error.ts";
import { nearestTo } from "../reference/nearest.ts";
import type { Operation } from "../reference/operation.ts";
import { partsOf } from "./fused.ts";
import type { Chosen } from "./choose.ts";
import type { Probe } from "./probes.ts";
import type { JudgeRow } from "./row.ts";

/**
 * Ops of which a candidate offers these outputs. Throws RangeError, in one line, for an empty list, a name that no chosen op has, with the
 * nearest that one has, and an op of which nothing would be judged.
 */
export function offering(chosen: readonly Chosen[], names: readonly string[]): Chosen[] {
  const known = [...new Set(chosen.flatMap(({ operation }) => Object.keys(operation.outputs)))];
  const expected = `expected ${known.length === 1 ? known[0] : `one or more of ${known.join(", ")}`}`;
  if (names.length === 0) throw new RangeError(`names no output, ${expected}`);
  for (const [i, name] of names.entries()) {
    if (!known.includes(name))
      throw new RangeError(`no output is named ${quote(name)}, ${nearestTo(name, known)}${expected}`);
    if (names.indexOf(name) < i) throw new RangeError(`${name} occurs twice, expected once`);
  }
  return chosen.map((one) => narrowed(one, new Set(names)));
}

function narrowed(chosen: Chosen, names: ReadonlySet<string>): Chosen {
  const { operation, spec } = chosen;
  const all = Object.keys(operation.outputs);
  if (!all.some((name) => names.has(name))) {
    throw new RangeError(
      `none is an output of ${operation.name}, which has ${all.join(", ")}: nothing of it would be judged`,
    );
  }
  if (all.every((name) => names.has(name))) return chosen;
  const isOffered = (name: string): boolean => names.has(name);
  return { ...chosen, operation: ofOutputs(operation, isOffered), spec: rowOf(spec, isOffered) };
}

function ofOutputs(operation: Operation, isOffered: (name: string) => boolean): Operation {
  const outputs = Object.fromEntries(Object.entries(operation.outputs).filter(([name]) => isOffered(name)));
  const notOffered = Object.keys(operation.outputs).filter((name) => !isOffered(name));
  const parts = partsOf(operation);
  return {
    ...operation,
    ...(parts !== undefined && { parts: { ...parts, b: ofOutputs(parts.b, isOffered) } }),
    outputs,
    notOffered,
    exact: operation.exact.filter(isOffered),
  };
}

/** Probes and relations of other outputs are left out. */
function rowOf(spec: JudgeRow, isOffered: (name: string) => boolean): JudgeRow {
  const some = <T extends { readonly outputs: readonly string[] }>(list: readonly T[]): readonly T[] =>
    list.map((one) => ({ ...one, outputs: one.outputs.filter(isOffered) })).filter(({ outputs }) => outputs.length > 0);
  const probes =
    (of: JudgeRow["probes"]): JudgeRow["probes"] =>
    (n) =>
      some<Probe>(of(n));
  return {
    ...spec,
    probes: probes(spec.probes),
    lowProbes: probes(spec.lowProbes),
    cancelling: probes(spec.cancelling),
    independence: some(spec.independence),
    padding: some(spec.padding),
  };
}
