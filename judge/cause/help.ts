// Under which weaker claims a wrong kernel would pass: what it may have forgotten to declare.
import type { FormatName } from "../../reference/dtype.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { smallest } from "../../reference/lists.ts";
import { sharesOf } from "../power.ts";
import type { Terms } from "../terms.ts";
import { judgeOutputs } from "../verdict.ts";
import type { Portrait } from "./portrait.ts";

const FORMATS = ["tf32", "float16", "bfloat16"] satisfies FormatName[];
/** A kernel that is off by more than this is wrong under any terms. */
const PERCENT = 0.01;
/** Where zeros would pass at more than this share of the elements, a pass says nothing. */
const SHARE = 0.5;
const MOST = 3;

/**
 * Such as "passes with --store P=bfloat16, a weaker claim: …", where that holds at other cases too. None where an error of more than 1 %
 * remains, or where zeros would pass as well; of one intermediate only the narrowest.
 */
export async function helpFor(
  portrait: Portrait,
  others: readonly (() => Promise<Portrait | undefined>)[],
): Promise<string[]> {
  if (!isNearly(portrait)) return [];
  const now = seenUnder(portrait, portrait.terms)?.percent ?? 0;
  const rest: Portrait[] = [];
  for (const other of others) {
    const one = await other();
    if (one !== undefined && !isNearly(one)) return [];
    if (one !== undefined) rest.push(one);
  }
  const passing = weaker(portrait).flatMap(({ words, subject, target }) => {
    const seen = [portrait, ...rest].map((one) => seenUnder(one, { ...one.terms, target }));
    return seen.every((one) => one?.passes === true && one.zero >= SHARE)
      ? [{ words, subject, percent: seen[0]!.percent }]
      : [];
  });
  const best = passing.toSorted((a, b) => b.percent - a.percent);
  return best
    .filter(({ subject }, i) => best.findIndex((one) => one.subject === subject) === i)
    .slice(0, MOST)
    .map(
      ({ words, percent }) =>
        `passes with ${words}, a weaker claim: 1 % is seen at ${inPercent(percent)} of the elements, ${inPercent(now)} without it`,
    );
}

/** Whether each output is off by at most 1 % of its own size, as root mean squares. */
function isNearly({ outputs }: Portrait): boolean {
  return outputs.every(({ got, want }) => {
    let [errors, sizes] = [0, 0];
    for (const [i, w] of want.data.entries()) {
      if (!Number.isFinite(w)) continue;
      errors += (got.data[i] - w) ** 2;
      sizes += w ** 2;
    }
    return errors <= PERCENT ** 2 * sizes;
  });
}

const inPercent = (share: number): string => `${Math.floor(100 * share)} %`;

/** Intermediates; that an input is read low is said, and helped, where it is exactly what is wrong. */
function declarations({ operation }: Portrait): (readonly [name: string, format: FormatName])[] {
  return Object.keys(operation.stores).flatMap((name) => FORMATS.map((format) => [name, format] as const));
}

function weaker(portrait: Portrait): { readonly words: string; readonly subject: string; readonly target: Target }[] {
  const { target } = portrait.terms;
  const declared = declarations(portrait).filter(([name]) => target.stores?.[name] === undefined);
  const stored = declared.map(([name, format]) => ({
    words: `--store ${name}=${format}`,
    subject: name,
    target: { ...target, stores: { ...target.stores, [name]: format } },
  }));
  const others = Object.values(targets).filter((other) => other.name !== target.name && other.arithmetic === undefined);
  const elsewhere = others.map((other) => ({
    words: `--target ${other.name}`,
    subject: "target",
    target: target.stores === undefined ? other : { ...other, stores: target.stores },
  }));
  return [...stored, ...elsewhere];
}

/** Whether the outputs pass under those terms, and what the terms would have seen; undefined where they cannot be judged. */
function seenUnder(
  { operation, problem, outputs }: Portrait,
  terms: Terms,
): { readonly passes: boolean; readonly zero: number; readonly percent: number } | undefined {
  try {
    const given = Object.fromEntries(outputs.map(({ output, got }) => [output, got]));
    const { findings, comparisons } = judgeOutputs(operation, given, problem, terms);
    const shares = comparisons.map(({ power }) => sharesOf(power));
    const least = (of: "zero" | "percent"): number => smallest(shares.map((one) => one[of]));
    return { passes: findings.length === 0, zero: least("zero"), percent: least("percent") };
  } catch {
    return undefined; // not every target has a bound for every op
  }
}
