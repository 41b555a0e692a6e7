// How the precision of a kernel's outputs is told.
import { type Precision, ratioOf, type Regime } from "../judge/regimes.ts";
import type { Sizes } from "../judge/case.ts";
import { number } from "./words.ts";

/** A line for each output that is not float32 at all sizes where it was measured. */
export function classLines(precision: readonly Precision[]): string[] {
  return precision.flatMap((p) => {
    const errors = `its errors ${number(ratioOf(p))} × those of float32`;
    if (isDivided(p)) return [`${p.output} is ${places(p.regimes)}, ${errors} there`];
    return p.class === "float32" ? [] : [`${p.output} is ${className(p)}, ${errors}`];
  });
}

/** Whether an output has another class at some sizes than at others: not where it is undecidable at some. */
export function isDivided({ regimes }: Pick<Precision, "regimes">): boolean {
  const words = regimes.map((one) => (one.between.length > 0 ? one.between : [one.class]) as readonly string[]);
  return words.some((list) => words.some((others) => !list.some((word) => others.includes(word))));
}

/** Such as "float32 at R=3 O=20 C=4096, tf32 inputs at R=64 O=64 C=4096 and at R=128 O=128 C=4096", the coarsest last. */
function places(regimes: readonly Regime[]): string {
  const names = new Map<string, string[]>();
  for (const regime of regimes.toSorted((a, b) => ratioOf(a) - ratioOf(b))) {
    const name = className(regime);
    names.set(name, [...(names.get(name) ?? []), `at ${inWords(regime.sizes)}`]);
  }
  return Array.from(names, ([name, at]) => `${name} ${at.join(" and ")}`).join(", ");
}

export function className({ class: name, between }: Pick<Precision, "class" | "between">): string {
  return name === "undecidable" ? `undecidable: ${between.join(" or ")}` : name;
}

function inWords(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
