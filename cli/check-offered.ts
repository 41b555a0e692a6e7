// What a verdict says nothing of: outputs that a kernel does not give, cases that it refuses; and whose accuracies it allows.
import type { Checked } from "../judge/check.ts";
import { refusalsInWords } from "../judge/refusals.ts";
import type { CheckOptions } from "./check-options.ts";
import { notOfferedIn } from "./words.ts";

/** Whose accuracies a verdict allows that nobody chose: the loosest. A module that declares a kernel runs as WGSL does. */
export function targetLines(
  { target, exec, kernel }: Pick<CheckOptions, "target" | "exec" | "kernel">,
  where: string,
): string[] {
  const isWgsl = exec === undefined && where !== kernel;
  if (target !== undefined || isWgsl) return [];
  const python = "--target ieee is what a kernel in Python or C means, --target cuda one in CUDA or Triton";
  return [`no --target: the figures of wgsl were allowed, the loosest (sine and cosine may err by 2⁻¹¹); ${python}`];
}

/** What each candidate refused, and why. */
export function refusalLines(results: readonly Checked[]): string[] {
  return results.flatMap(({ report: { op }, refusals }) => {
    const words = refusals && refusalsInWords(refusals);
    return words === undefined ? [] : [`${op}: ${words}`];
  });
}

/** Outputs of which the verdict says nothing, since the candidate does not offer them: "attention.forward: lse not offered, and not judged". */
export function notOfferedLines(results: readonly Checked[]): string[] {
  return results.flatMap(({ report: { op }, notOffered }) =>
    notOffered === undefined ? [] : [`${op}: ${notOfferedIn(notOffered)}`],
  );
}
