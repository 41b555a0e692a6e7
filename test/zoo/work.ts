// Pieces of the zoo's work, done one by one in processes of their own.
import { choose } from "../../judge/choose.ts";
import { type Soundness, soundness } from "../../judge/soundness.ts";
import { targets } from "../../reference/targets.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { type FalseAlarms, falseAlarms } from "./correct.ts";
import { subjects } from "./subject.ts";
import { type Plan, type Trial, tryFault } from "./trial.ts";

export type TargetName = keyof typeof targets;

export type Work =
  | { readonly kind: "fault"; readonly id: string; readonly plan: Plan }
  | { readonly kind: "rules"; readonly op: string; readonly seed: number }
  | {
      readonly kind: "bounds";
      readonly op: string;
      readonly seed: number;
      readonly target: TargetName;
      readonly elements: number;
    };

/** Correct evaluations of one op, held to its bound. */
export type Sound = Soundness & { readonly op: string; readonly target: TargetName; readonly seconds: number };

export type Done =
  | { readonly kind: "fault"; readonly trial: Trial }
  | { readonly kind: "rules"; readonly alarms: FalseAlarms }
  | { readonly kind: "bounds"; readonly sound: Sound };

/** Does one piece. */
export async function work(one: Work): Promise<Done> {
  if (one.kind === "fault") {
    const subject = subjects.find(({ id }) => id === one.id)!;
    return { kind: "fault", trial: await tryFault(subject, one.plan) };
  }
  const { kind, op, seed } = one;
  if (kind === "rules") return { kind, alarms: falseAlarms(op, seed) };
  const { elements, target } = one;
  const start = performance.now();
  const [chosen] = choose([op]);
  const found = soundness(chosen, evaluationsOf(op), targets[target], { elements, seed });
  return { kind, sound: { ...found, op, target, seconds: Math.round((performance.now() - start) / 1000) } };
}
