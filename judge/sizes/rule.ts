// What the terms leave of an op's sizes: how any sizes become such as obey, and which are drawn.
import * as fc from "fast-check";
import { largest, smallest } from "../../reference/lists.ts";
import { axesOf, type Operation } from "../../reference/operation.ts";
import type { CaseSpec, Sizes } from "../case.ts";
import { type Domain, domainOf, lengthIn, spreadIn } from "./domain.ts";
import { tiledSizes } from "../tiling.ts";
import { isAbout, obeys, type SizeTerm } from "./language.ts";

/** Draws enough to see every choice of a size. */
const SAMPLES = 200;
/** A size with more values is a range. */
const MOST_CHOICES = 8;

/** The terms about one op. */
export class SizeRule {
  readonly terms: readonly SizeTerm[];
  private readonly spec: CaseSpec;
  private readonly axes: ReadonlySet<string>;
  /** The allowed choices of sizes that are no lengths; the first is taken where another has to go. */
  private readonly choices = new Map<string, readonly (number | string)[]>();
  private readonly domains = new Map<string, Domain>();
  /** Sizes that are equal, each list once. */
  private readonly equal: string[][] = [];

  /** Throws RangeError, in one line, where nothing is left. */
  constructor(operation: Operation, spec: CaseSpec, terms: readonly SizeTerm[]) {
    const names = Object.keys(spec.sizes);
    this.spec = spec;
    this.axes = new Set(names.filter((name) => (operation.scalars[name] ?? "axis") === "axis"));
    this.terms = terms.filter((term) => isAbout(term, names));
    for (const name of names) this.limit(name, operation);
  }

  obeys(sizes: Sizes): boolean {
    return this.terms.every((term) => obeys(term, sizes));
  }

  /** The nearest sizes that obey: lengths are lowered where they can be; equal ones are as long as the longest. */
  nearest(sizes: Sizes): Sizes {
    return this.moved(sizes, lengthIn);
  }

  /** The same, with lengths halved until `fits` holds, or until none can be lowered. */
  within(sizes: Sizes, fits: (sizes: Sizes) => boolean): Sizes {
    let fitting = this.nearest(sizes);
    while (!fits(fitting)) {
      const lower = this.lowered(fitting);
      if (lower === undefined) break;
      fitting = lower;
    }
    return fitting;
  }

  /** Lengths that cannot be lowered any more. */
  least(sizes: Sizes): Sizes {
    return this.within(sizes, () => false);
  }

  /** One arbitrary for each size, and all together that fit if any do; none is drawn in vain. */
  arbitraries(fits: (sizes: Sizes) => boolean): Pick<CaseSpec, "sizes"> & { readonly drawn: fc.Arbitrary<Sizes> } {
    const sizes = Object.fromEntries(
      Object.entries(this.spec.sizes).map(([name, arbitrary]) => {
        const choices = this.choices.get(name);
        return [name, choices === undefined ? arbitrary : fc.nat(choices.length - 1).map((i) => choices[i])];
      }),
    );
    const drawn = fc.record(sizes).map((drawing) => this.within(this.moved(drawing, spreadIn), fits));
    const { tiling } = this.spec;
    if (tiling === undefined) return { sizes, drawn };
    return { sizes, drawn: tiledSizes(drawn, tiling, (moved) => this.obeys(moved) && fits(moved)) };
  }

  private moved(sizes: Sizes, to: (domain: Domain, length: number) => number): Sizes {
    const moved: Record<string, number | string> = { ...sizes };
    for (const [name, choices] of this.choices) {
      if (name in moved && !choices.some((one) => one === moved[name])) moved[name] = choices[0];
    }
    for (const names of this.equal) {
      const longest = largest(names.map((name) => Number(moved[name])));
      for (const name of names) moved[name] = longest;
    }
    for (const [name, domain] of this.domains) if (name in moved) moved[name] = to(domain, Number(moved[name]));
    return moved;
  }

  /** The sizes with the longest axis that can be lowered at half its length; undefined where there is none. */
  private lowered(sizes: Sizes): Sizes | undefined {
    const longestFirst = [...this.axes]
      .filter((name) => Number(sizes[name]) > 1)
      .toSorted((a, b) => Number(sizes[b]) - Number(sizes[a]));
    for (const name of longestFirst) {
      const half = Math.ceil(Number(sizes[name]) / 2);
      const names = this.equal.find((list) => list.includes(name)) ?? [name];
      const given = { ...sizes, ...Object.fromEntries(names.map((one) => [one, half])) };
      const lower = this.nearest(given);
      if (Number(lower[name]) < Number(sizes[name])) return lower;
    }
    return undefined;
  }

  private limit(name: string, operation: Operation): void {
    const names = this.equalTo(name);
    const terms = this.terms.filter((term) => names.includes(term.name) && term.kind !== "equals");
    if (names.length > 1 && !this.equal.some((list) => list.includes(name))) this.equal.push(names);
    if (terms.length === 0 && names.length === 1) return;
    const known = this.axes.has(name) ? [] : choicesOf(this.spec.sizes[name]);
    if (known.length > 0) {
      this.choices.set(name, allowedOf(name, known, terms));
      return;
    }
    const evenly = names.some((one) => isHalved(operation, one)) ? 2 : 1;
    const from = this.axes.has(name) ? 1 : smallest(drawings(this.spec.sizes[name]).map(Number));
    this.domains.set(name, domainOf(names.join(" = "), terms, from, evenly));
  }

  /** The size itself and all that equal it. */
  private equalTo(name: string): string[] {
    const found = new Set([name]);
    for (const one of found) {
      for (const term of this.terms) {
        if (term.kind !== "equals") continue;
        if (term.name === one) found.add(term.other);
        if (term.other === one) found.add(term.name);
      }
    }
    return Object.keys(this.spec.sizes).filter((one) => found.has(one));
  }
}

/** The values of a size that is a choice; none of a size that is a range. */
function choicesOf(arbitrary: fc.Arbitrary<number | string>): (number | string)[] {
  const values = [...new Set(drawings(arbitrary))];
  return values.length <= MOST_CHOICES ? values : [];
}

function drawings(arbitrary: fc.Arbitrary<number | string>): (number | string)[] {
  return fc.sample(arbitrary, { seed: 1, numRuns: SAMPLES });
}

/** The known choices that obey, or else the numbers in the terms that do. Throws RangeError where there is none. */
function allowedOf(
  name: string,
  known: readonly (number | string)[],
  terms: readonly SizeTerm[],
): readonly (number | string)[] {
  const isAllowed = (value: number | string): boolean => terms.every((term) => obeys(term, { [name]: value }));
  const allowed = known.filter(isAllowed);
  if (allowed.length > 0) return allowed;
  const areNumbers = known.every((value) => Number.isFinite(Number(value)));
  const written = terms.flatMap((term) =>
    term.kind === "among" ? term.values : "limit" in term ? [String(term.limit)] : [],
  );
  const numbers = areNumbers ? written.filter((value) => Number.isFinite(Number(value))).filter(isAllowed) : [];
  const asKnown = numbers.map((value) => (typeof known[0] === "number" ? Number(value) : value));
  if (asKnown.length > 0) return asKnown;
  throw new RangeError(
    `sizes: no ${name} is left: ${terms.map(({ text }) => text).join(" ")}, expected such as ${known.join(", ")}`,
  );
}

/** Whether an op has an axis of half the length. */
function isHalved({ inputs, outputs }: Operation, name: string): boolean {
  return Object.values({ ...inputs, ...outputs }).some((spec) => axesOf(spec).includes(`${name}/2`));
}
