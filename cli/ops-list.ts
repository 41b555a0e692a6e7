// What `touchstone ops` prints.
import { axesOf, type Operation, type ScalarKind } from "../reference/operation.ts";
import { type Chosen, choose } from "../judge/choose.ts";
import { relationsOf } from "../judge/relations/index.ts";
import { formats } from "../reference/dtype.ts";
import { emptyLines } from "./ops-empty.ts";
import { say, sayJson } from "./output.ts";
import { folded } from "./table.ts";
import { largest } from "../reference/lists.ts";

/** All ops in short, or the named ones in full. */
export function listOperations(names: readonly string[], asJson: boolean): void {
  const rows = choose(names);
  if (asJson) return sayJson(rows.map(plain));
  const chosen = rows.map(({ operation }) => operation);
  if (names.length === 0) {
    const width = largest(chosen.map(({ name }) => name.length));
    say(chosen.flatMap(({ name, summary }) => folded(`${name.padEnd(width)}  `, summary)));
    return say(["", "touchstone ops NAME shows everything about one op."]);
  }
  say(spaced(rows.map(inFull)));
}

/** What the rows of the ops leave empty: the field, and the reason that stands there. */
export function listNone(names: readonly string[], asJson: boolean): void {
  const reasons = choose(names).map(({ operation, spec }) => ({
    name: operation.name,
    none: { ...operation.none, ...spec.none },
  }));
  if (asJson) return sayJson(reasons);
  const width = largest(reasons.flatMap(({ none }) => Object.keys(none).map((field) => field.length)));
  const sections = reasons.map(({ name, none }) =>
    [name].concat(orNone(Object.entries(none).flatMap(([field, why]) => folded(`  ${field.padEnd(width)}  `, why)))),
  );
  say(spaced(sections));
}

/** An empty line between two. */
function spaced(sections: readonly (readonly string[])[]): string[] {
  return sections.flatMap((section, i) => (i === 0 ? section : ["", ...section]));
}

/** All that an op's rows declare, and all that a kernel of it may declare. */
function plain({ operation, spec }: Chosen) {
  const { name, summary, inputs, integers, scalars, outputs, exact, wide, stores, sums, covered } = operation;
  return {
    name,
    summary,
    axes: axisLetters(operation),
    inputs,
    integers,
    scalars,
    outputs,
    exact,
    wide,
    stores,
    sums,
    declarations: {
      stores: storable(operation),
      sums,
      formats: Object.keys(formats),
      nondeterministic: "two runs may differ in bits",
      bitwise: "bits do not depend on a row's position",
    },
    covered,
    uncovered: operation.uncovered ?? {},
    empty: emptyLines({ operation, spec }),
    sizes: Object.keys(spec.sizes),
    profiles: spec.profiles,
    overlooked: spec.overlooked,
    relations: relationsOf(operation, spec).map((relation) => ({ name: relation.name, statement: relation.statement })),
    atScale: spec.atScale !== undefined,
    none: { ...operation.none, ...spec.none },
  };
}

/** The letters of all axes. */
function axisLetters({ inputs, outputs, scalars }: Operation): string[] {
  const ofTensors = Object.values({ ...inputs, ...outputs }).flatMap(axesOf);
  const ofScalars = Object.keys(scalars).filter((name) => scalars[name] === "axis");
  return [...new Set(ofTensors.concat(ofScalars))];
}

/** What a kernel may declare as stored or read low, with its meaning. */
function storable({ stores, inputs, integers }: Operation): Record<string, string> {
  const floats = Object.keys(inputs).filter((tensor) => !integers.includes(tensor));
  return { ...stores, ...Object.fromEntries(floats.map((tensor) => [tensor, "the input, as read"])) };
}

function reasonLines([way, reason]: readonly [string, string]): string[] {
  return [...folded("  ", `${way}:`), ...folded("      ", reason)];
}

function inFull(row: Chosen): string[] {
  const { operation } = row;
  const { name, summary, inputs, integers, scalars, outputs, exact, wide, covered, sums, none } = operation;
  const uncovered = Object.entries(operation.uncovered ?? {});
  const kindOf = (tensor: string) =>
    integers.includes(tensor) ? "int32" : wide.includes(tensor) ? "float32 in every dtype" : "float";
  const width = largest(Object.values({ ...inputs, ...outputs }).map((axes) => axes.length)) + 2;
  const tensors = (list: Readonly<Record<string, string>>) =>
    Object.entries(list).map(
      ([tensor, axes]) => `  ${tensor.padEnd(12)} ${`[${axes}]`.padEnd(width)}  ${kindOf(tensor)}`,
    );
  return [
    name,
    ...folded("  ", summary),
    "inputs",
    ...orNone(tensors(inputs)),
    "scalars",
    ...orNone(Object.entries(scalars).map(([scalar, kind]) => `  ${scalar.padEnd(12)} ${inWords(kind)}`)),
    "outputs",
    ...tensors(outputs),
    "where an axis is 0, or a row has nothing to add up",
    ...orNone(
      emptyLines(row).flatMap((line) => folded("  ", line)),
      "no output has elements",
    ),
    "covered by the bound",
    ...orNone(Object.entries(covered).flatMap(([id, variant]) => folded(`  ${id.padEnd(24)} `, variant))),
    ...(uncovered.length === 0 ? [] : ["not covered, and may be outside it", ...uncovered.flatMap(reasonLines)]),
    "a kernel may declare as stored low (--store NAME=bfloat16)",
    ...orNone(
      Object.entries(storable(operation)).flatMap(([store, meaning]) => folded(`  ${store.padEnd(12)} `, meaning)),
    ),
    "a kernel may declare the order of these sums (--sum NAME=blocked:64)",
    ...orNone(
      Object.entries(sums).flatMap(([sum, { of, over }]) =>
        folded(`  ${sum.padEnd(12)} `, `${of}, over ${over.join(" or ")}`),
      ),
      none["sums"],
    ),
    ...(exact.length === 0 ? [] : [`on integers whose sums stay below 2^24, exact: ${exact.join(", ")}`]),
  ];
}

function inWords(kind: ScalarKind): string {
  if (typeof kind !== "string") return `one of ${kind.map((word) => `"${word}"`).join(", ")}`;
  return {
    real: "a real number, rounded to float32",
    decimal: "a real number as it is written, a double",
    integer: "a whole number",
    axis: "the length of an axis",
  }[kind];
}

function orNone(lines: string[], why?: string): string[] {
  return lines.length === 0 ? [why === undefined ? "  none" : `  none: ${why}`] : lines;
}
