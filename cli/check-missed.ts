// With which probability a fault at one place of a large case would have been missed, as a table.
import type { Checked } from "../judge/check.ts";
import { chanceOf, type FaultExtent, faultExtents, type FaultKind, faultKinds, type Missed } from "../judge/missed.ts";
import { tableOf } from "./table.ts";

const extents: Readonly<Record<FaultExtent, string>> = {
  element: "element",
  row: "row",
  tile: "tile",
  hundredth: "1 % of all",
};
const kinds: Readonly<Record<FaultKind, string>> = { zero: "0", neighbour: "next", percent: "1 % off" };
/** Less than that is as good as never. */
const NEVER = 1e-6;

/** A line for each output and kind of fault, and what a projection sees; none where no large case ran. */
export function missedLines({ report: { op, missed, smallestRow } }: Checked): string[] {
  const outputs = Object.entries(missed);
  if (outputs.length === 0) return [];
  const rows = outputs.flatMap(([output, of]) =>
    faultKinds.map((kind) => {
      const chances = faultExtents.map((extent) => chance(of, extent, kind));
      return [output, kinds[kind]].concat(chances);
    }),
  );
  return [
    `${op}: a fault at one place of a large case is missed with this probability`,
    ...tableOf(
      [["output", "left"], ["as", "left"], ...faultExtents.map((extent) => [extents[extent], "right"] as const)],
      rows,
    ),
    ...Object.entries(smallestRow).map(
      ([output, share]) =>
        `${op}: a row of ${output} that is wrong by ${share.toExponential(0)} of its norm stands out in a random projection, and is noted where its bounds allow that`,
    ),
  ];
}

/** Such as "0.4 %", or "< 0.1 %" where no place of those that were tried was missed. */
function chance(of: Missed, extent: FaultExtent, kind: FaultKind): string {
  const { places, missed } = of[extent][kind];
  if (places === 0) return "";
  const most = chanceOf(of, extent, kind);
  if (most < NEVER) return "< 0.0001 %";
  const isLimit = missed === 0 && extent !== "hundredth";
  return `${isLimit ? "< " : ""}${Number((100 * most).toPrecision(2))} %`;
}
