// With which probability a fault at one place of a large case would have been missed, as a table.
import type { Checked } from "../judge/check.ts";
import {
  chanceIn,
  eitherOf,
  type FaultExtent,
  faultExtents,
  type FaultKind,
  faultKinds,
  type Misses,
} from "../judge/missed.ts";
import { tableOf } from "./table.ts";

const extents: Readonly<Record<FaultExtent, string>> = {
  element: "element",
  row: "row",
  tile: "tile",
  hundredth: "1 % of all",
};
const kinds: Readonly<Record<FaultKind, string>> = { zero: "0", neighbour: "next", percent: "1 % off" };
const NOR = "nor improbable";
/** Less than that is as good as never. */
const NEVER = 1e-6;

/** A line for each output and kind of fault, and what a projection sees; none where no large case ran. */
export function missedLines({ report: { op, missed, smallestRow } }: Checked): string[] {
  const outputs = Object.entries(missed);
  if (outputs.length === 0) return [];
  const rows = outputs.flatMap(([output, of]) =>
    faultKinds.flatMap((kind) => {
      const chances = faultExtents.map((extent) => chance(of[extent][kind], extent));
      const byEither = faultExtents.map((extent) => chance(eitherOf(of[extent][kind]), extent));
      const isMore = byEither.some((one, n) => one !== chances[n]);
      const own = [output, kinds[kind], ...chances];
      return isMore ? [own, ["", NOR, ...byEither]] : [own];
    }),
  );
  return [
    `${op}: a fault at one place of a large case is missed with this probability`,
    ...tableOf(
      [["output", "left"], ["as", "left"], ...faultExtents.map((extent) => [extents[extent], "right"] as const)],
      rows,
    ),
    ...(rows.some(([, as]) => as === NOR) ? [`${NOR}: missed by the bounds, and not improbable either`] : []),
    ...Object.entries(smallestRow).map(
      ([output, share]) =>
        `${op}: a row of ${output} that is wrong by ${share.toExponential(0)} of its norm stands out in a random projection, and is noted where its bounds allow that`,
    ),
  ];
}

/** Such as "0.4 %", or "< 0.1 %" where no place of those that were tried was missed. */
function chance(misses: Misses, extent: FaultExtent): string {
  const { places, missed } = misses;
  if (places === 0) return "";
  const most = chanceIn(misses, extent);
  if (most < NEVER) return "< 0.0001 %";
  const isLimit = missed === 0 && extent !== "hundredth";
  return `${isLimit ? "< " : ""}${Number((100 * most).toPrecision(2))} %`;
}
