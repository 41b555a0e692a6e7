// A mutant is a kernel with one line changed into a mistake: the judge must reject it.

/** Where the mistake is. `numerical` ones compute the right formula with too little precision or range. */
export type MutantKind = "index" | "mask" | "tail" | "numerical" | "formula" | "synchronisation" | "memory";

export interface Mutant {
  readonly op: string;
  readonly file: string;
  readonly kind: MutantKind;
  /** The mistake in words. */
  readonly what: string;
  /** Text that occurs once in the file, and its replacement. */
  readonly from: string;
  readonly to: string;
  /** Where this mistake has shipped: a tracker's entry. */
  readonly source?: string;
}

/** The file's text with the mistake in it. Throws RangeError unless the text to replace occurs exactly once. */
export function mutate(mutant: Mutant, text: string): string {
  const parts = text.split(mutant.from);
  if (parts.length !== 2) {
    throw new RangeError(`${mutant.file}: "${mutant.from}" occurs ${parts.length - 1} times, expected once`);
  }
  return parts.join(mutant.to);
}
