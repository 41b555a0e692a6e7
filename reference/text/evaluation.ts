// How a language model is judged (Touvron et al. 2023, section 3 and appendix A): the formulas, without files.
import { exp, log } from "../elementary.ts";
import type { Tensor } from "../tensor.ts";

/**
 * ln p of each target under its row:  z[r, target] − log Σ over v of e^z[r, v].  logits: [R, V] → R numbers. Throws RangeError for
 * logits that are not numbers, and a target outside [0, V).
 */
export function logLikelihoods({ data, shape }: Tensor, targets: ArrayLike<number>): number[] {
  const [R, V] = shape;
  return Array.from({ length: R }, (_, r) => {
    const target = targets[r];
    if (!(target >= 0 && target < V)) throw new RangeError(`targets[${r}] is ${target}, expected an id in [0, ${V})`);
    let max = -Infinity;
    for (let v = 0; v < V; v++) max = data[r * V + v] > max ? data[r * V + v] : max;
    let sum = 0;
    for (let v = 0; v < V; v++) sum += exp(data[r * V + v] - max);
    const found = data[r * V + target] - max - log(sum);
    if (Number.isNaN(found)) throw new RangeError(`the logits after position ${r} are not numbers`);
    return found;
  });
}

/**
 * What the likelihood of a completion is normalised by: the number of its characters (Gao et al. 2021); its likelihood after
 * "Answer:" (Brown et al. 2020), which the paper uses for OpenBookQA and BoolQ; or nothing.
 */
export const normalizations = ["characters", "answer", "none"] as const;
export type Normalization = (typeof normalizations)[number];

/** The context for the likelihood of a completion that must not depend on its own context. */
export const ANSWER_CONTEXT = "Answer:";

/**
 * score = ln p(completion | context) ÷ characters,   or   ln p(completion | context) − ln p(completion | "Answer:")
 *
 * Characters are code points; `unconditional` is the second likelihood, needed for "answer" alone.
 */
export function scoreOf(rule: Normalization, likelihood: number, completion: string, unconditional = 0): number {
  if (rule === "characters") return likelihood / [...completion].length;
  return rule === "answer" ? likelihood - unconditional : likelihood;
}

/** The index of the largest; the first of equals. */
export function best(scores: readonly number[]): number {
  let found = 0;
  for (const [i, score] of scores.entries()) if (score > scores[found]) found = i;
  return found;
}

/** The answer in a generated text: up to the first line break or comma, without a dot at the end (appendix A). */
export function extractAnswer(generated: string): string {
  return generated.split(/[\n,]/)[0].trim().replace(/\.$/, "");
}

/** Lower case, without punctuation, articles and repeated spaces (appendix A). */
export function normalizeAnswer(answer: string): string {
  return answer
    .toLowerCase()
    .replaceAll(/[\p{P}$+<=>^`|~]/gu, "")
    .replaceAll(/\b(a|an|the)\b/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "")
    .join(" ");
}

/** Whether a generated text is one of the answers after normalisation, or only in lower case if normalisation leaves nothing. */
export function isExactMatch(generated: string, answers: readonly string[]): boolean {
  const found = extractAnswer(generated);
  const form = (text: string): string => normalizeAnswer(text) || text.trim().toLowerCase();
  return found !== "" && answers.some((answer) => form(answer) === form(found));
}

/**
 * The chance that one of k samples is correct, unbiased from n samples of which c are (Chen et al. 2021, equation 1):
 *
 *   pass@k = 1 − C(n − c, k) / C(n, k) = 1 − Π for i = n − c + 1 … n of (1 − k / i)
 *
 * Throws RangeError unless 0 ≤ c ≤ n and 1 ≤ k ≤ n.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (!([n, c, k].every((x) => Number.isSafeInteger(x)) && c >= 0 && c <= n && k >= 1 && k <= n)) {
    throw new RangeError(
      `pass@${k} of ${n} samples, ${c} of them correct, expected 0 ≤ correct ≤ samples and 1 ≤ k ≤ samples`,
    );
  }
  let none = 1;
  for (let i = n - c + 1; i <= n; i++) none *= Math.max(0, 1 - k / i);
  return 1 - none;
}
