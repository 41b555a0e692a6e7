// Cheap checks of a whole output, every element of it, where the truth is known at a sample only. Whatever they suspect is judged
// exactly, at truth and bound, so a check may be wrong about an element without accusing a kernel.
import { type DTypeName, dtypes } from "../reference/dtype.ts";
import type { Operation } from "../reference/operation.ts";
import type { Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import type { Exact } from "./exact.ts";
import { suspectElements } from "./projection/closer.ts";
import { Outliers } from "./projection/outliers.ts";
import { type Measured, type Product, Projection } from "./projection/projection.ts";
import type { Terms } from "./terms.ts";

/** An output of which the truth is known at a sample. */
export interface WholeOutput {
  readonly operation: Operation;
  /** Its inputs as the candidate got them. */
  readonly problem: Problem;
  readonly output: string;
  readonly got: Tensor;
  /** All outputs of the candidate, of the right shapes. */
  readonly outputs: Readonly<Record<string, Tensor | undefined>>;
  /** The output as a product of two matrices, where it is one. */
  readonly product: Product | undefined;
  /** What else is known of the output without its truth. */
  readonly check: Checking | undefined;
  /** The dtype is that of the output. */
  readonly terms: Terms;
  /** The sampled elements, which are no suspects any more: a yardstick of what the candidate errs. */
  readonly sample: Exact;
  readonly seed: number;
}

/** What a check of one output goes by. */
export interface Seen extends Pick<WholeOutput, "problem" | "output" | "got" | "outputs" | "seed"> {
  readonly dtype: DTypeName;
  /** How far sampled elements err, as a share of their root mean square. */
  readonly measured: number;
}

/** Undefined where nothing is known of the output. */
export type Checking = (seen: Seen) => Check | undefined;

/** What one check sees of an output. */
export interface Check {
  readonly suspects: readonly number[];
  /** Whether the n-th element of a change would surely be a suspect after it. */
  readonly held: (change: Change) => (n: number) => boolean;
  /** Elements whose bounds are alike, so that the largest of some of them stands for all. */
  readonly alike?: ReadonlySet<number>;
}

/** Elements that a fault makes wrong, ascending. */
export interface Change {
  readonly at: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Whether the values stand elsewhere in the output as well. */
  readonly areRepeated: boolean;
}

/** What the checks see of an output. */
export interface Whole {
  /** Flat indices of elements that some check suspects, ascending. */
  readonly suspects: readonly number[];
  /** With which probability the n-th element of a change would be a suspect after it. */
  readonly held: (change: Change) => (n: number) => number;
  /** Elements whose bounds are alike. */
  readonly alike: ReadonlySet<number>;
  /** Which share of its norm a row must be wrong by to be a suspect with a probability of 95 %; only of a product. */
  readonly smallestRow: number | undefined;
  /** What stands out, in words, for a report of an output without a finding. */
  readonly note: string | undefined;
}

/** The most NaN and infinities that are suspects. */
const MOST_SUSPECTS = 64;
/** Sampled elements by which a candidate's precision is measured. */
const MEASURED = 1024;

/** Looks at every element of an output. */
export function lookAt(whole: WholeOutput): Whole {
  const { got, product, seed } = whole;
  const outliers = new Outliers(got, seed);
  const projection = product === undefined ? undefined : project(product, whole);
  const closer = projection === undefined ? [] : suspectElements(projection, product!, got);
  const check = whole.check?.({ ...whole, dtype: whole.terms.dtype, measured: relativeError(whole) });
  const more = check?.suspects ?? [];
  return {
    suspects: [...new Set([...notFinite(got), ...outliers.suspects, ...closer, ...more])].toSorted((a, b) => a - b),
    held: (change) => {
      const { at, before, after, areRepeated } = change;
      const odd = outliers.after(at, after, areRepeated);
      const by = at.map((_, n) => after[n] - before[n]);
      const stands = projection?.after(at, by) ?? (() => false);
      const isHeld = check?.held(change) ?? (() => false);
      return (n) => (stands(n) || isHeld(n) ? 1 : odd(n));
    },
    alike: check?.alike ?? new Set(),
    smallestRow: projection?.smallest,
    note: projection === undefined || projection.isQuiet ? undefined : noteOf(projection, closer.length),
  };
}

function project(product: Product, { got, terms, sample, seed }: WholeOutput): Projection {
  const step = Math.max(1, Math.floor(sample.at.length / MEASURED));
  const measured: Measured[] = [];
  for (let n = 0; n < sample.at.length; n += step) {
    const at = sample.at[n];
    measured.push({ at, error: Math.abs(got.data[at] - sample.want[n]) });
  }
  return new Projection(product, got, { measured, u: dtypes[terms.dtype].u }, seed);
}

/** √(Σ(got − want)² ÷ Σ want²) of the sampled elements that are finite. */
function relativeError({ got, sample }: WholeOutput): number {
  let [errors, values] = [0, 0];
  for (const [n, i] of sample.at.entries()) {
    const error = got.data[i] - sample.want[n];
    if (!Number.isFinite(error)) continue;
    errors += error * error;
    values += sample.want[n] ** 2;
  }
  return errors === 0 ? 0 : Math.sqrt(errors / values);
}

function noteOf({ rows, columns }: Projection, judged: number): string {
  const lines = [
    [rows.suspects.length, "row"],
    [columns.suspects.length, "column"],
  ] as const;
  const parts = lines.filter(([n]) => n > 0).map(([n, name]) => `${n} ${name}${n === 1 ? "" : "s"}`);
  const most = Math.max(rows.most, columns.most);
  return (
    `the errors of ${parts.join(" and ")} are up to ${Number(most.toPrecision(2))} times those measured elsewhere; ` +
    `all their elements were compared in float64, and the ${judged} most wrong ones are within their bounds`
  );
}

/** NaN and infinities: the first of each run of them, until there are enough. */
function notFinite({ data }: Tensor): number[] {
  const found: number[] = [];
  let before = true;
  for (let i = 0; i < data.length && found.length < MOST_SUSPECTS; i++) {
    const isFinite = Number.isFinite(data[i]);
    if (!isFinite && before) found.push(i);
    before = isFinite;
  }
  return found;
}
