// Where the wrong elements of an output are: a rule for each axis, and a small map.
import { ruleOf } from "./rules.ts";
import type { Portrait, Seen } from "./portrait.ts";
import { placeOf } from "./places.ts";
import { valuesOf } from "./values.ts";

/** A region is said by its axes where at least this share of it is wrong. */
const DENSE = 0.5;
/** The map's most rows and columns. */
const [ROWS, COLUMNS] = [8, 64];

/** Such as "y: 12 of 96 outside, at c = 7 (the last of 8)", "dk: all 128 outside", "dv: right". */
export function whereIs(portrait: Portrait, seen: Seen): string {
  const { output, wrong, judged } = seen;
  if (wrong.length === 0) return `${output}: ${judged === 0 ? "not judged" : "right"}`;
  if (wrong.length === judged) return `${output}: all ${judged} outside`;
  const region = isScattered(seen) ? (valuesOf(portrait, seen) ?? "scattered") : regionOf(seen);
  return `${output}: ${wrong.length} of ${judged} outside, ${region}`;
}

/** Whether there is no box of places of which at least half is wrong. */
export function isScattered({ axes, got: { shape }, wrong }: Seen): boolean {
  const room = axes.reduce((product, _, a) => product * placesAlong(shape, wrong, a).size, 1);
  return wrong.length < DENSE * room;
}

/** The axes along which only some places have wrong elements, each with its rule. */
function regionOf({ axes, got: { shape }, wrong }: Seen): string {
  const limited = axes.flatMap((name, a) => ruleAlong(name, placesAlong(shape, wrong, a), shape[a]) ?? []);
  return limited.length === 0 ? "nearly everywhere" : `at ${limited.join(", ")}`;
}

function placesAlong(shape: readonly number[], wrong: readonly number[], axis: number): Set<number> {
  return new Set(wrong.map((i) => placeOf(i, shape, axis)));
}

/** Undefined where all places have wrong elements, and where no rule fits. */
function ruleAlong(name: string, places: ReadonlySet<number>, length: number): string | undefined {
  if (places.size === length) return undefined;
  const index = name.toLowerCase();
  const right = Array.from({ length }, (_, i) => i).filter((i) => !places.has(i));
  const rule = ruleOf(index, [...places], right);
  const isLast = places.size === 1 && places.has(length - 1);
  return rule && `${rule}${isLast ? ` (the last of ${length})` : ` of ${length}`}`;
}

/** Rows of "·" for right, "#" for wrong, "+" for both, over the last axis and all before it; empty for one row, where all are
 * wrong, and where they are scattered. */
export function mapOf(seen: Seen): string[] {
  const {
    got: { shape },
    wrong,
    judged,
  } = seen;
  const columns = shape.at(-1) ?? 1;
  const rows = columns === 0 ? 0 : shape.slice(0, -1).reduce((product, length) => product * length, 1);
  if (wrong.length === 0 || wrong.length === judged || rows < 2 || columns < 2 || isScattered(seen)) return [];
  const [high, wide] = [Math.ceil(rows / ROWS), Math.ceil(columns / COLUMNS)];
  const counts = Array.from({ length: Math.ceil(rows / high) }, () => new Float64Array(Math.ceil(columns / wide)));
  for (const i of wrong) counts[Math.floor(Math.floor(i / columns) / high)][Math.floor((i % columns) / wide)]++;
  const cell = (count: number, y: number, x: number): string => {
    const area = Math.min(high, rows - y * high) * Math.min(wide, columns - x * wide);
    return count === 0 ? "·" : count === area ? "#" : "+";
  };
  return counts.map((row, y) => [...row].map((count, x) => cell(count, y, x)).join(""));
}
