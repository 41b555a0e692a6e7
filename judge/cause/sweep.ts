// At which lengths of each axis a kernel fails, the others as in the failing case.
import { largest, smallest } from "../../reference/lists.ts";
import type { Case, Sizes } from "../case.ts";
import { MOST_WORK } from "./portrait.ts";
import type { JudgeRow } from "../row.ts";
import { ruleOf } from "./rules.ts";

/** Every length up to here, and those around powers of two beyond. */
const DENSE = 130;
const EDGES = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536].flatMap((n) => [n - 1, n, n + 1]);

/** Whether the kernel fails at sizes; undefined where that cannot be said. */
export type FailsAt = (c: Case) => Promise<boolean | undefined>;

/** A rule for each axis along which some lengths fail and others do not. */
export async function sweep(spec: JudgeRow, failing: Case, failsAt: FailsAt, goesOn: () => boolean): Promise<string[]> {
  const rules: string[] = [];
  for (const [name, length] of Object.entries(failing.sizes)) {
    if (typeof length !== "number" || !goesOn()) continue;
    const rule = await alongAxis(spec, failing, name, failsAt, goesOn);
    if (rule !== undefined) rules.push(rule);
  }
  return rules;
}

async function alongAxis(
  spec: JudgeRow,
  failing: Case,
  name: string,
  failsAt: FailsAt,
  goesOn: () => boolean,
): Promise<string | undefined> {
  const [wrong, right]: [number[], number[]] = [[], []];
  const attempt = async (length: number): Promise<void> => {
    const fails = await failsAt({ ...failing, sizes: { ...failing.sizes, [name]: length } });
    if (fails !== undefined) (fails ? wrong : right).push(length);
  };
  for (const length of lengthsFor(failing.sizes[name] as number)) {
    if (!goesOn()) break;
    if (isPossible(spec, { ...failing.sizes, [name]: length })) await attempt(length);
  }
  // A gate may lie between the lengths that were tried.
  while (goesOn() && right.length > 0 && wrong.length > 0 && largest(right) + 1 < smallest(wrong)) {
    const [before, count] = [largest(right), right.length + wrong.length];
    await attempt(Math.floor((before + smallest(wrong)) / 2));
    if (right.length + wrong.length === count) break;
  }
  return right.length === 0 || wrong.length === 0 ? undefined : ruleOf(name, wrong, right);
}

/** Whether the sizes go together, as far as the rows of the op say. */
export function isPossible({ fits, large }: JudgeRow, sizes: Sizes): boolean {
  return fits(sizes) || (large !== undefined && large.work(sizes) <= MOST_WORK && large.admits?.(sizes) !== false);
}

/** The length that fails, and then from few to many: time may end it, and then some of each kind have been tried. */
function lengthsFor(failing: number): number[] {
  const all = Array.from({ length: DENSE }, (_, i) => i + 1);
  const telling = all.filter((n) => n <= 20 || [-1, 0, 1].some((d) => (n + d) % 16 === 0));
  const edges = EDGES.filter((n) => n <= 2 * failing || n < 2048);
  return [...new Set([failing, ...telling, ...edges, ...all])];
}
