// What `touchstone blame` does.
import { describeFinding } from "../judge/compare.ts";
import type { Blame, Fault } from "../judge/blame.ts";
import { blameRecording } from "../judge/blame-recording.ts";
import { operations } from "../reference/ops/index.ts";
import { UserError } from "./errors.ts";
import { say } from "./output.ts";
import { statusOf } from "./statuses.ts";
import { chooseTarget, declare } from "./terms.ts";
import { counted } from "./words.ts";

export interface BlameOptions {
  readonly dtype?: "float32" | "bfloat16" | "float16";
  readonly target?: string;
  readonly store?: string;
  readonly all?: boolean;
}

/** Judges the recording; returns the exit status. */
export function blameFile(path: string, options: BlameOptions): number {
  const { blame, target } = blameRecording(path, options.dtype, (isOurs) =>
    declare(chooseTarget(options.target, isOurs ? "wgsl" : "ieee"), options.store, [...operations.values()]),
  );
  if (blame.judged.length === 0) {
    throw new UserError(
      `${path}: nothing could be judged: the recording holds no op's inputs together with its outputs`,
    );
  }
  print(path, target.name, blame, options.all === true);
  return statusOf(blame.faults.length > 0);
}

function print(path: string, target: string, { faults, judged, left }: Blame, all: boolean): void {
  if (all)
    for (const { tensor, segment, worst, unjudged } of judged)
      say(`${tensor}: ${segment}, ${worst.toPrecision(2)} of its bound${unjudged > 0 ? `, ${unjudged} unjudged` : ""}`);
  const elements = judged.reduce((n, one) => n + one.elements - one.unjudged, 0);
  say(
    `${path}: ${counted(judged.length, "tensor")} judged for ${target}, ${counted(elements, "element")}, ${counted(faults.length, "tensor")} outside`,
  );
  const [first, ...others] = faults;
  if (first !== undefined) say(`blame: ${inWords(first)}`);
  if (others.length > 0) {
    say("also outside, on their own recorded inputs:");
    for (const fault of others) say(`  ${inWords(fault)}`);
  }
  const worst = judged.filter(({ worst: w }) => w < 1).toSorted((a, b) => b.worst - a.worst)[0];
  if (worst !== undefined)
    say(`nearest inside: ${worst.tensor} at ${worst.worst.toPrecision(2)} of its bound (${worst.segment})`);
  say(leftInWords(left));
}

/** What could not be judged: later steps without recordings in one line, anything else by its reason. */
function leftInWords(left: Blame["left"]): string[] {
  if (left.length === 0) return [];
  const steps = new Set<number>();
  const reasons = new Map<string, string[]>();
  for (const { op, where, step, reason } of left) {
    if (step > 0) steps.add(step);
    else reasons.set(reason, [...(reasons.get(reason) ?? []), `${op} at ${where}`]);
  }
  return [
    `not judged: ${counted(left.length, "op")}`,
    ...(steps.size > 0 ? [`  steps ${[...steps].join(", ")}: their gradients and moments are not recorded`] : []),
    ...[...reasons].map(([reason, ops]) => `  ${reason}: ${ops.join("; ")}`),
  ];
}

function inWords({ op, segment, finding, outside, elements }: Fault): string {
  return `${op} at ${segment}: ${describeFinding(finding)}, ${outside} of ${elements} elements outside`;
}
