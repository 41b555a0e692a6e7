// Query heads: NH = NKV · groups is no size of attention's cases, and is what people state: "NH=32 NKV=8".
import { commonDivisor } from "./domain.ts";
import type { SizeTerm } from "./language.ts";

const HEADS = "NH";

/** The names that terms about an op may have: its sizes, and NH where NKV and groups decide it. */
export function namesOf(sizes: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(sizes);
  return isDerived(names) ? [...names, HEADS] : names;
}

/**
 * The terms with those about NH as terms about groups, or about NKV, of which another term gives the other. Throws RangeError
 * where none does, or where no number of heads is left.
 */
export function withoutHeads(terms: readonly SizeTerm[], names: readonly string[]): readonly SizeTerm[] {
  if (!isDerived(names)) return terms;
  return terms.map((term): SizeTerm => {
    const { text, name } = term;
    if (term.kind === "equals") {
      if (name !== HEADS && term.other !== HEADS) return term;
      if (name === "NKV" || term.other === "NKV") return { text, name: "groups", kind: "among", values: ["1"] };
      throw new RangeError(`sizes: ${text}, expected NH=NKV or a number of heads`);
    }
    if (name !== HEADS) return term;
    const [NKV, groups] = [onlyOf("NKV", terms), onlyOf("groups", terms)];
    if (NKV !== undefined) return divided(term, "groups", NKV, "NKV");
    if (groups !== undefined) return divided(term, "NKV", groups, "groups");
    throw new RangeError(`sizes: ${text}, expected NKV or groups as one number next to it, such as NH=32 NKV=8`);
  });
}

function isDerived(names: readonly string[]): boolean {
  return !names.includes(HEADS) && names.includes("NKV") && names.includes("groups");
}

/** The only value that the terms leave to a size, where they list one. */
function onlyOf(name: string, terms: readonly SizeTerm[]): number | undefined {
  const found = terms.find((term) => term.name === name && term.kind === "among");
  const values = found?.kind === "among" ? found.values.map(Number) : [];
  return values.length === 1 && values[0] > 0 ? values[0] : undefined;
}

/** NH = by · name. */
function divided(term: Exclude<SizeTerm, { kind: "equals" }>, name: string, by: number, other: string): SizeTerm {
  const { text } = term;
  if (term.kind === "multiple") return { text, name, kind: "multiple", of: term.of / commonDivisor(term.of, by) };
  if (term.kind !== "among") return { text, name, kind: term.kind, limit: term.limit / by };
  const values = term.values.map((value) => {
    if (Number(value) % by === 0) return String(Number(value) / by);
    throw new RangeError(`sizes: ${text} ${other}=${by}, expected a multiple of ${other}`);
  });
  return { text, name, kind: "among", values };
}
