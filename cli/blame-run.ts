// What `touchstone blame` does.
import { describeFinding } from "../judge/compare.ts";
import { type Blame, concludeBlame, type Fault, type Found, type Judged } from "../judge/blame.ts";
import { type Blaming, blaming } from "../judge/blame-recording.ts";
import { operations } from "../reference/ops/index.ts";
import { withSums } from "../judge/sums.ts";
import type { Target } from "../reference/targets.ts";
import { reasonLines, verdictIn } from "./reasons.ts";
import { say } from "./output.ts";
import { untilSignal } from "./signals.ts";
import { statusOfVerdict } from "./statuses.ts";
import { chooseTarget, declare, declareOrders, suiting } from "./terms.ts";
import { counted } from "./words.ts";

export interface BlameOptions {
  readonly dtype?: "float32" | "bfloat16" | "float16";
  readonly target?: string;
  readonly store?: string;
  readonly sum?: string;
  readonly all?: boolean;
  readonly allowUnjudged?: number;
}

/** Judges the recording; returns the exit status. */
export async function blameFile(path: string, options: BlameOptions): Promise<number> {
  const all = [...operations.values()];
  const targetOf = (isOurs: boolean): Target => {
    const target = suiting(chooseTarget(options.target, isOurs ? "wgsl" : "ieee"), all);
    return declareOrders(declare(target, options.store, all), options.sum, withSums(all));
  };
  let last: Blaming | undefined;
  const isInterrupted = await untilSignal(blaming(path, options.dtype, targetOf), (state) => (last = state));
  const { found, target } = last!;
  const { verdict, reasons } = concludeBlame(found, options.allowUnjudged, isInterrupted);
  const under = options.sum === undefined ? "" : `, sums in the declared order ${options.sum}`;
  print(path, `${target.name}${under}`, found, options.all === true);
  say(reasonLines(reasons));
  if (found.judged.length === 0 && !isInterrupted)
    say("nothing could be judged: the recording holds no op's inputs together with its outputs");
  if (verdict !== "pass") say(verdictIn(verdict, isInterrupted));
  return statusOfVerdict(verdict, isInterrupted);
}

function print(path: string, target: string, { faults, judged, left }: Found, all: boolean): void {
  if (all) for (const one of judged) say(judgedInWords(one));
  const offered = judged.reduce((n, one) => n + one.elements, 0);
  const unjudged = judged.reduce((n, one) => n + one.unjudged, 0);
  const rest = unjudged > 0 ? `, ${unjudged} unjudged` : "";
  say(
    `${path}: ${counted(judged.length, "tensor")} judged for ${target}, ${counted(offered - unjudged, "element")}${rest}, ${counted(faults.length, "tensor")} outside`,
  );
  const [first, ...others] = faults;
  if (first !== undefined) say(`blame: ${inWords(first)}`);
  if (others.length > 0) {
    say("also outside, on their own recorded inputs:");
    for (const fault of others) say(`  ${inWords(fault)}`);
  }
  const worst = judged
    .filter(({ elements, unjudged: open, worst: w }) => w < 1 && open < elements)
    .toSorted((a, b) => b.worst - a.worst)[0];
  if (worst !== undefined)
    say(`nearest inside: ${worst.tensor} at ${worst.worst.toPrecision(2)} of its bound (${worst.segment})`);
  say(leftInWords(left));
}

function judgedInWords({ tensor, segment, worst, elements, unjudged }: Judged): string {
  const size = unjudged < elements ? `${worst.toPrecision(2)} of its bound` : "nothing judged";
  return `${tensor}: ${segment}, ${size}${unjudged > 0 ? `, ${unjudged} unjudged` : ""}`;
}

/** What was not offered to the judge: later steps without recordings in one line, anything else by its reason. */
function leftInWords(left: Blame["left"]): string[] {
  if (left.length === 0) return [];
  const steps = new Set<number>();
  const reasons = new Map<string, string[]>();
  for (const { op, where, step, reason } of left) {
    if (step > 0) steps.add(step);
    else reasons.set(reason, [...(reasons.get(reason) ?? []), `${op} at ${where}`]);
  }
  return [
    `not offered: ${counted(left.length, "op")}`,
    ...(steps.size > 0 ? [`  steps ${[...steps].join(", ")}: their gradients and moments are not recorded`] : []),
    ...[...reasons].map(([reason, ops]) => `  ${reason}: ${ops.join("; ")}`),
  ];
}

function inWords({ op, segment, finding, outside, elements }: Fault): string {
  return `${op} at ${segment}: ${describeFinding(finding)}, ${outside} of ${counted(elements, "element")} outside`;
}
