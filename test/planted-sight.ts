// Planted faults that are surely seen, or surely not, without a verdict on the whole output: the rest are judged for real.
import { boundOf, type Expected } from "../judge/compare.ts";
import { Scales } from "../judge/suspects.ts";
import type { Terms } from "../judge/terms.ts";
import { dtypes } from "../reference/dtype.ts";
import type { Tensor } from "../reference/tensor.ts";

/** How many elements each scale makes suspects. */
const SUSPECTS = 64;
/** A bound that is computed in a small problem differs from that of the whole by less than this share. */
const MARGIN = 1e-6;

/** Whether a fault in right outputs is outside the bound where it is surely looked at. */
export class Sight {
  private readonly expected: Expected;
  private readonly terms: Terms;
  private readonly scales: Scales | undefined;
  /** On each scale, the rank that the worst of a fault's elements has to exceed. */
  private readonly least: readonly number[];

  /** `isSpotted`: only suspects are looked at, those whose error ranks among the 64 largest on one of the scales. */
  constructor(right: Tensor, expected: Expected, terms: Terms, isSpotted: boolean) {
    this.expected = expected;
    this.terms = terms;
    this.scales = isSpotted ? new Scales(expected.want, dtypes[terms.dtype]) : undefined;
    this.least = Scales.names.map((name) => (isSpotted ? this.rankOf(right, name) : 0));
  }

  /** `at` are flat indices, and `wrong` the values there; all others are right. Undefined where it depends on more. */
  isSeen(at: readonly number[], wrong: readonly number[]): boolean | undefined {
    const errors = at.map((i, k) => Math.abs(wrong[k] - this.expected.want.data[i]));
    const shares = errors.map((error, k) => error / boundOf(this.expected, at[k], this.terms));
    if (this.terms.dtype === "float32" && shares.every((share) => share < 1 - MARGIN)) return false;
    const isOutside = (k: number): boolean => shares[k] > 1 + MARGIN;
    const isSure = this.scales === undefined ? at.some((_, k) => isOutside(k)) : this.isSuspect(at, errors, isOutside);
    return isSure ? true : undefined;
  }

  /** Whether the worst of the elements on one of the scales is a suspect, and outside. */
  private isSuspect(at: readonly number[], errors: readonly number[], isOutside: (k: number) => boolean): boolean {
    return Scales.names.some((name) => {
      let [worst, rank] = [-1, this.least[name]];
      for (const [k, i] of at.entries()) {
        const own = errors[k] / this.scales!.at(i)[name];
        if (own > rank) [worst, rank] = [k, own];
      }
      return worst >= 0 && isOutside(worst);
    });
  }

  /** The 64th largest error of the right outputs, on one scale. */
  private rankOf(right: Tensor, name: number): number {
    const { data } = this.expected.want;
    const ranks = Float64Array.from(data, (w, i) => {
      const error = Math.abs(right.data[i] - w);
      return error < Infinity ? error / this.scales!.at(i)[name] : 0;
    });
    return ranks.toSorted().at(-SUSPECTS) ?? 0;
  }
}
