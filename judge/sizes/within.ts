// An op's row kept to the sizes that a kernel supports: every case, whatever part of a check tries it, has such sizes.
import { powerOfTwo } from "../../reference/elementary.ts";
import type { Sizes } from "../case.ts";
import { bytesOfCase, MEMORY, numbersOfCase } from "../case-memory.ts";
import type { Chosen } from "../choose.ts";
import { LONG, type Probe, precisionProbes } from "../probes.ts";
import type { DTypeName } from "../../reference/dtype.ts";
import type { JudgeRow } from "../row.ts";
import type { Scaling } from "../relations/scaling.ts";
import type { Excluded } from "./excluded.ts";
import { MOST_WORK } from "../large.ts";
import { namesOf, withoutHeads } from "./heads.ts";
import { modelCases, type ModelName, models } from "./model.ts";
import { isAbout, parseSizes, type SizeTerm } from "./language.ts";
import { SizeRule } from "./rule.ts";

/** A part may cost this many times what it costs at its own sizes. */
const DEARER = 8;
/** Where even the smallest case costs more than a large one usually does, a case may cost this many times as much. */
const LEAST_TIMES = 1.5;
/** And at most this. */
const MOST_LEAST = 6 * MOST_WORK;

/**
 * The ops with every case kept to the terms of `text`, and with cases of the shapes of the model that it names, if it does. Throws RangeError, in one line, for a word that is no term, a name that no op has, terms
 * that leave nothing, and sizes of which the smallest case is too large.
 */
export function chosenWithin(chosen: readonly Chosen[], text: string): Chosen[] {
  const words = text.trim().split(/\s+/);
  const named = words.filter((word): word is ModelName => Object.hasOwn(models, word));
  const rest = words.filter((word) => !Object.hasOwn(models, word)).join(" ");
  if (named.length > 1) throw new RangeError(`sizes: ${named.join(" and ")}, expected one model`);
  const kept = rest === "" && named.length > 0 ? [...chosen] : keptToAll(chosen, rest);
  return named.length === 0 ? kept : kept.map((one) => withModel(one, named[0]));
}

/** The same with cases of a model's shapes. Throws RangeError where none obeys. */
function withModel(kept: Chosen, model: ModelName): Chosen {
  const { operation, spec } = kept;
  if (spec.large === undefined)
    throw new RangeError(`sizes: ${model} has no shapes of ${operation.name}, expected a single op`);
  const cases = modelCases(kept, model).filter(({ sizes }) => kept.excluded === undefined || spec.fits(sizes));
  if (cases.length === 0) throw new RangeError(`sizes: no shape of ${model} obeys the terms about ${operation.name}`);
  return { ...kept, spec: { ...spec, always: cases.map(({ sizes }) => sizes) }, model: cases };
}

function keptToAll(chosen: readonly Chosen[], text: string): Chosen[] {
  const known = [...new Set(chosen.flatMap(({ spec }) => namesOf(spec.sizes)))];
  const terms = parseSizes(text, known);
  for (const term of terms) {
    if (chosen.some(({ spec }) => isAbout(term, namesOf(spec.sizes)))) continue;
    throw new RangeError(`sizes: ${term.text}, expected two sizes of one op`);
  }
  return chosen.map((one) => keptTo(one, terms));
}

function keptTo(chosen: Chosen, terms: readonly SizeTerm[]): Chosen {
  const { operation, spec } = chosen;
  const rule = new SizeRule(operation, spec, withoutHeads(terms, Object.keys(spec.sizes)));
  if (rule.terms.length === 0) return chosen;
  const work = (sizes: Sizes): number => spec.large?.work(sizes) ?? numbersOfCase(operation, sizes);
  checkLeast(chosen, rule, work);
  const keeper = new Keeper(spec, rule, work);
  const probes = (of: JudgeRow["probes"]) => (n: number) => of(n).flatMap((probe) => keeper.probe(probe) ?? []);
  // Sizes that go together are brought together once they obey: queries that a kernel needs many of need as many keys.
  const mend = (sizes: Sizes): Sizes => rule.nearest(spec.large?.mend?.(rule.nearest(sizes)) ?? sizes);
  const most = Math.max(MOST_WORK, Math.min(LEAST_TIMES * work(mend(rule.least(spec.ordinary))), MOST_LEAST));
  const kept: JudgeRow = {
    ...spec,
    ...rule.arbitraries(smallOf(spec, rule, work)),
    fits: (sizes) => rule.obeys(sizes),
    examples: spec.examples.filter(({ sizes }) => rule.obeys(sizes)),
    large: spec.large && {
      ...spec.large,
      mend,
      admits: (sizes) => rule.obeys(sizes) && (spec.large?.admits?.(sizes) ?? true) && work(sizes) <= most,
    },
    ordinary: keeper.near(spec.ordinary),
    probes: probes(spec.probes),
    lowProbes: probes(spec.lowProbes),
    cancelling: probes(spec.cancelling),
    scaling: spec.scaling.filter((one) => keeper.admits(one)),
  };
  return { ...chosen, spec: kept, excluded: (dtype) => keeper.excluded(dtype) };
}

/** Which sizes are small: as usual, or not much above the least that obey. */
function smallOf(spec: JudgeRow, rule: SizeRule, work: (sizes: Sizes) => number): (sizes: Sizes) => boolean {
  const least = rule.least(spec.ordinary);
  if (spec.fits(least)) return spec.fits;
  const most = Math.min(DEARER * work(least), MOST_WORK);
  return (sizes) => work(sizes) <= most;
}

/** Moves the parts of one row to sizes that obey, and says what it left out. */
class Keeper {
  private readonly spec: JudgeRow;
  private readonly rule: SizeRule;
  private readonly work: (sizes: Sizes) => number;

  constructor(spec: JudgeRow, rule: SizeRule, work: (sizes: Sizes) => number) {
    this.spec = spec;
    this.rule = rule;
    this.work = work;
  }

  /** The nearest sizes that obey, and that cost little more if there are such. */
  near(sizes: Sizes): Sizes {
    const most = DEARER * this.work(sizes);
    return this.rule.obeys(sizes) ? sizes : this.rule.within(sizes, (moved) => this.work(moved) <= most);
  }

  /** Undefined where what the probe shows depends on its own sizes, and where it would cost too much. */
  probe(probe: Probe): Probe | undefined {
    const { sizes, profile, change } = probe;
    if (this.rule.obeys(sizes)) return probe;
    const moved = this.near(sizes);
    const isOther = Object.keys(sizes).some((name) => typeof sizes[name] === "string" && moved[name] !== sizes[name]);
    const isBound = profile === "lattice" || (change !== undefined && isOther);
    return isBound || this.work(moved) > DEARER * this.work(sizes) ? undefined : { ...probe, sizes: moved };
  }

  /** Whether scalars that are sizes still obey when they are scaled. */
  admits({ by }: Scaling): boolean {
    const { ordinary } = this.spec;
    const grown = Object.entries(by).filter(([name, exponent]) => name in ordinary && exponent !== undefined);
    const near = this.near(ordinary);
    const scaled = grown.map(([name, exponent]) => [name, Number(near[name]) * powerOfTwo(exponent ?? 0)] as const);
    return this.rule.obeys({ ...near, ...Object.fromEntries(scaled) });
  }

  excluded(dtype: DTypeName): Excluded {
    const { op, examples, ordinary, scaling } = this.spec;
    const probes = precisionProbes(this.spec, LONG, dtype);
    const moved = [
      ["ordinary", ordinary, this.near(ordinary)] as const,
      ...probes.map(
        ({ sizes, ...probe }) => ["probe", sizes, this.probe({ sizes, ...probe })?.sizes ?? sizes] as const,
      ),
    ];
    const left = probes.filter((probe) => this.probe(probe) === undefined);
    return {
      sizes: this.rule.terms.map(({ text }) => text).join(" "),
      examples: examples.map(({ sizes }) => sizes).flatMap((sizes) => (this.rule.obeys(sizes) ? [] : [inWords(sizes)])),
      moved: moved.flatMap(([part, from, to]) =>
        from === to ? [] : [`${part}: ${inWords(from)} became ${inWords(to)}`],
      ),
      untried: [
        ...left.map(({ sizes }) => ({ part: "precision", line: `${op} ${inWords(sizes)}`, cause: "sizes" }) as const),
        ...scaling.flatMap((one) =>
          this.admits(one) ? [] : [{ part: "relation", line: `${op}, ${one.name}`, cause: "sizes" } as const],
        ),
      ],
    };
  }
}

function inWords(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** Throws RangeError where even the smallest case is too large for a check, with what would fit. */
function checkLeast({ operation, spec }: Chosen, rule: SizeRule, work: (sizes: Sizes) => number): void {
  const least = rule.least(spec.ordinary);
  const bytes = (sizes: Sizes): number =>
    bytesOfCase(spec, { sizes, profile: "unit" }, numbersOfCase(operation, sizes));
  const fits = (sizes: Sizes): boolean => work(sizes) <= MOST_WORK && bytes(sizes) <= MEMORY;
  if (fits(least)) return;
  const longest = Object.keys(spec.large?.axes ?? {}).toSorted((a, b) => Number(least[b]) - Number(least[a]));
  const would = longest.flatMap((name) => {
    let length = Number(least[name]);
    while (length > 1 && !fits({ ...least, [name]: length })) length = Math.floor(length / 2);
    return fits({ ...least, [name]: length }) ? [`${name}=${length}`] : [];
  });
  throw new RangeError(
    `sizes: the smallest case of ${spec.op} is ${inWords(least)}, ${work(least).toExponential(1)} multiplications and ` +
      `${(bytes(least) / 2 ** 30).toPrecision(2)} GiB, expected at most ${MOST_WORK.toExponential(1)} and ${MEMORY / 2 ** 30} GiB` +
      (would.length === 0 ? "" : `; ${would[0]} would fit`),
  );
}
