// What a budget, a signal, sizes or the target left out of a check, in words.
import type { Checked } from "../judge/check.ts";
import type { Chosen } from "../judge/choose.ts";
import { isOfSizes, type UntriedPart } from "../judge/untried.ts";
import { counted } from "./words.ts";

/** Parts that are counted; of the others an op has one. */
const countable: ReadonlySet<UntriedPart> = new Set<UntriedPart>(["example", "large case", "relation"]);

/** A line for each op of which something is left: "budget: not tried: 3 large cases, precision, 5 relations of attention.backward". */
export function untriedLines(results: readonly Checked[], cause: "budget" | "interrupted"): string[] {
  return results
    .map(({ report, untried }) => ({ report, untried: untried.filter((one) => one.cause === undefined) }))
    .filter(({ untried }) => untried.length > 0)
    .map(({ report, untried }) => {
      const what = report.cases === 0 ? "anything" : inWords(untried.map(({ part }) => part));
      return `${cause}: not tried: ${what} of ${report.op}`;
    });
}

/** "target: wgsl promises nothing of −∞: 2 examples of softmax.forward left out", where something was. */
export function unpromisedLines(results: readonly Checked[], target: string): string[] {
  const left = results.flatMap(({ report, untried }) => {
    const count = untried.filter(({ cause }) => cause === "target").length;
    return count === 0 ? [] : [`${counted(count, "example")} of ${report.op}`];
  });
  return left.length === 0 ? [] : [`target: ${target} promises nothing of −∞: left out ${left.join(", ")}`];
}

/** The most ops of which each moved part is printed; of more the JSON has them. */
const FEW = 2;

/** What each op keeps to, and what that left out: "sizes: linear.forward keeps to C%8=0: 7 examples left out; 2 parts moved". */
export function excludedLines(results: readonly Checked[]): string[] {
  return results.flatMap(({ report, excluded, untried }) => {
    if (excluded === undefined) return [];
    const { sizes, examples, moved } = excluded;
    const left = untried.filter(({ cause }) => cause === "sizes").map(({ part }) => part);
    const what = [
      ...(examples.length === 0 ? [] : [`${counted(examples.length, "example")} and recorded inputs left out`]),
      ...(moved.length === 0 ? [] : [`${counted(moved.length, "part")} moved`]),
      ...(left.length === 0 ? [] : [`not tried: ${inWords(left)}`]),
    ];
    const line = [`sizes: ${report.op} keeps to ${sizes}`, ...(what.length === 0 ? [] : [what.join("; ")])].join(": ");
    return [line, ...(results.length > FEW ? [] : moved.map((part) => `  ${part}`))];
  });
}

/** What the cases of a model's shapes will take, and what was made smaller for them, before they run. */
export function modelLines(chosen: readonly Chosen[]): string[] {
  return chosen.flatMap(({ operation, model = [] }) =>
    model.map(({ sizes, reduced, work, bytes, after }) => {
      const line = Object.entries(sizes).map(([name, value]) => `${name}=${value}`);
      const takes = `about ${work.toExponential(1)} multiplications and ${(bytes / 2 ** 30).toPrecision(2)} GiB`;
      const condition = after === undefined ? [] : ["tried if the candidate is fast enough in smaller cases"];
      return [`${operation.name} ${line.join(" ")}: ${takes}`, ...reduced, ...condition].join("; ");
    }),
  );
}

/** Cases of a model's shapes that were not tried, and cases of which the candidate cannot hold a tensor. */
export function beyondLines(results: readonly Checked[]): string[] {
  const reasons = {
    slow: "it would take more than half of --timeout",
    candidate: "a tensor is larger than the candidate's device binds",
  };
  return results.flatMap(({ untried, model = [] }) =>
    untried.flatMap((one) => {
      const { cause, line } = one;
      if (cause === "slow" || cause === "candidate") return [`sizes: not tried, since ${reasons[cause]}: ${line}`];
      const isAsked = cause === undefined && model.some(({ sizes }) => isOfSizes(one, sizes));
      return isAsked ? [`sizes: not tried, since no time was left: ${line}`] : [];
    }),
  );
}

function inWords(parts: readonly UntriedPart[]): string {
  return [...new Set(parts)]
    .map((part) => {
      const count = parts.filter((one) => one === part).length;
      return countable.has(part) ? counted(count, part) : part;
    })
    .join(", ");
}
