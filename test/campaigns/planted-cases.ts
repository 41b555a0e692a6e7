// Large cases that are cheap enough to be judged some thousand times.
import type { Case } from "../../judge/case.ts";
import type { JudgeRow } from "../../judge/row.ts";

const MOST_WORK = 5e6;

/** The case with its longest axes halved until it is cheap. */
export function cutDown(c: Case, { large }: JudgeRow): Case {
  const axes = Object.keys(large?.axes ?? {});
  let sizes = c.sizes;
  while (axes.length > 0 && large!.work(sizes) > MOST_WORK) {
    const longest = axes.toSorted((a, b) => Number(sizes[b]) - Number(sizes[a]))[0];
    const halved = Object.entries(sizes).map(([axis, n]) => [axis, axis === longest ? Math.ceil(Number(n) / 2) : n]);
    sizes = Object.fromEntries(halved) as Case["sizes"];
    sizes = large!.mend?.(sizes) ?? sizes;
  }
  return { ...c, sizes };
}
