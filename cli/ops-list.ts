// What `touchstone ops` prints.
import type { Operation, ScalarKind } from "../reference/operation.ts";
import { choose } from "../judge/choose.ts";
import { say, sayJson } from "./output.ts";
import { folded } from "./table.ts";
import { largest } from "../reference/lists.ts";

/** All ops in short, or the named ones in full. */
export function listOperations(names: readonly string[], asJson: boolean): void {
  const chosen = choose(names).map(({ operation }) => operation);
  if (asJson) return sayJson(chosen.map(plain));
  if (names.length === 0) {
    const width = largest(chosen.map(({ name }) => name.length));
    say(chosen.flatMap(({ name, summary }) => folded(`${name.padEnd(width)}  `, summary)));
    return say(["", "touchstone ops NAME shows everything about one op."]);
  }
  say(spaced(chosen.map(inFull)));
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

function plain({ name, summary, inputs, integers, scalars, outputs, exact, wide, stores, covered }: Operation) {
  return { name, summary, inputs, integers, scalars, outputs, exact, wide, stores, covered };
}

function inFull(operation: Operation): string[] {
  const { name, summary, inputs, integers, scalars, outputs, exact, wide, stores, covered } = operation;
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
    "covered by the bound",
    ...orNone(Object.entries(covered).flatMap(([id, variant]) => folded(`  ${id.padEnd(24)} `, variant))),
    "a kernel may declare as stored low (--store NAME=bfloat16)",
    ...orNone(
      [
        ...Object.entries(stores),
        ...Object.keys(inputs)
          .filter((tensor) => !integers.includes(tensor))
          .map((tensor) => [tensor, "the input, as read"]),
      ].flatMap(([store, meaning]) => folded(`  ${store.padEnd(12)} `, meaning)),
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

function orNone(lines: string[]): string[] {
  return lines.length === 0 ? ["  none"] : lines;
}
