// What the fuzzer does to an input: to its bytes, and to the structure of a JSON text.
import fc from "fast-check";

/** Numbers at which lengths and offsets go wrong. */
const extremes = [0n, 1n, -1n, 0x7fn, 0xffffn, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, -2n];

export interface ByteChange {
  readonly kind: "flip" | "set" | "cut" | "copy" | "insert" | "number" | "repeat";
  /** Where, as a share of the bytes. */
  readonly at: number;
  readonly value: number;
  readonly wide: 1 | 2 | 4 | 8;
}

/** A change, most often near the beginning, where headers are. */
const byteChange: fc.Arbitrary<ByteChange> = fc.record({
  kind: fc.constantFrom("flip", "set", "cut", "copy", "insert", "number", "number", "repeat"),
  at: fc.oneof(
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.double({ min: 0, max: 0.05, noNaN: true }),
    fc.double({ min: 0.9, max: 0.999, noNaN: true }),
  ),
  value: fc.nat(0xffff),
  wide: fc.constantFrom(1, 2, 4, 8),
});
export const byteChanges = fc.array(byteChange, { minLength: 1, maxLength: 4 });

/** The bytes after all changes. */
export function changedBytes(bytes: Uint8Array, changes: readonly ByteChange[]): Uint8Array {
  return changes.reduce(changedOnce, bytes);
}

function changedOnce(bytes: Uint8Array, { kind, at, value, wide }: ByteChange): Uint8Array {
  const place = Math.floor(at * bytes.length);
  const copy = Uint8Array.from(bytes);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  switch (kind) {
    case "flip":
      if (place < copy.length) copy[place] ^= 1 << (value % 8);
      return copy;
    case "set":
      return copy.fill(value, place, place + wide);
    case "cut":
      return before;
    case "copy":
      copy.copyWithin(place, value % (bytes.length + 1), (value % (bytes.length + 1)) + 8 * wide);
      return copy;
    case "insert":
      return Buffer.concat([before, Buffer.alloc(wide, value), after]);
    case "repeat":
      return Buffer.concat([before, after.subarray(0, 64 * wide), after]);
    case "number": {
      const number = Buffer.alloc(8);
      number.writeBigInt64LE(BigInt.asIntN(64, extremes[value % extremes.length]));
      copy.set(number.subarray(0, Math.min(wide, copy.length - place)), place);
      return copy;
    }
  }
}

export interface JsonChange {
  readonly kind: "replace" | "remove" | "twice" | "nest" | "rename";
  /** Which node, counted from the root. */
  readonly node: number;
  readonly value: number;
}

const jsonChange: fc.Arbitrary<JsonChange> = fc.record({
  kind: fc.constantFrom("replace", "replace", "replace", "remove", "twice", "nest", "rename"),
  node: fc.nat(0xffff),
  value: fc.nat(0xffff),
});
export const jsonChanges = fc.array(jsonChange, { minLength: 1, maxLength: 3 });

/** Texts of JSON, put in place of a node as they are. */
const numbers = ["0", "-0", "-1", "0.5", "1e400", "-1e400", "1e-400", "2147483648", "9007199254740993"];
const texts = ['""', '"a"', '"5"', '"constructor"', '"__proto__"', '"2^-24"', '"0x10"', '"\\u0000"', '"\\ud800"'];
const objects = ['{"toString":1}', '{"valueOf":null}', '{"__proto__":{"x":1}}', '{"length":3}', "{}", "[]", "[[]]"];
export const values: readonly string[] = [
  ...numbers,
  ...texts,
  ...objects,
  "null",
  "true",
  "false",
  JSON.stringify("long ".repeat(400)),
  "[".repeat(100_000) + "]".repeat(100_000),
  `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`,
];
const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "length", "", "a\nb", "x".repeat(300)];

/** A tree of JSON whose leaves are texts. */
type Tree = { readonly text: string } | { readonly open: "{" | "["; items: { name?: string; tree: Tree }[] };

/** The text of a value after all changes. */
export function changedJson(value: unknown, changes: readonly JsonChange[]): string {
  const root = { tree: treeOf(value) };
  for (const change of changes) apply(root, change);
  return textOf(root.tree);
}

function apply(root: { tree: Tree }, { kind, node, value }: JsonChange): void {
  const places = placesIn(root);
  const { items, item } = places[node % places.length];
  if (kind === "replace" || items === undefined) item.tree = { text: values[value % values.length] };
  else if (kind === "remove") items.splice(items.indexOf(item), 1);
  else if (kind === "twice") items.push({ ...item });
  else if (kind === "nest") item.tree = { open: "[", items: [{ tree: item.tree }] };
  else if (item.name !== undefined) item.name = names[value % names.length];
}

interface Item {
  name?: string;
  tree: Tree;
}

function placesIn(root: Item): { items?: Item[]; item: Item }[] {
  const places: { items?: Item[]; item: Item }[] = [{ item: root }];
  for (const { item } of places) {
    if (!("open" in item.tree)) continue;
    const { items } = item.tree;
    for (const inner of items) places.push({ items, item: inner });
  }
  return places;
}

function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { open: "[", items: value.map((one) => ({ tree: treeOf(one) })) };
  if (typeof value !== "object" || value === null) return { text: JSON.stringify(value) };
  return { open: "{", items: Object.entries(value).map(([name, one]) => ({ name, tree: treeOf(one) })) };
}

function textOf(tree: Tree): string {
  if ("text" in tree) return tree.text;
  const inner = tree.items.map(({ name, tree: one }) =>
    name === undefined ? textOf(one) : `${JSON.stringify(name)}:${textOf(one)}`,
  );
  return tree.open === "{" ? `{${inner.join(",")}}` : `[${inner.join(",")}]`;
}
