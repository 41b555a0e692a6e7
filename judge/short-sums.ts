// Tells classes apart whose errors average out in a long sum: in a short one each rounding shows.
import { isNoClass } from "./classify.ts";
import { evidenceOf } from "./evidence.ts";
import { Draws, isOpen } from "./probe-draws.ts";
import { precisionProbes } from "./probes.ts";
import type { CloserLook } from "./sample.ts";

/** Terms of a short sum. */
const SHORT = 64;

/**
 * Of several classes those that short sums have too. These say nothing where they are in float32, since few roundings show less than
 * many do and kernels may go another way there, and where they have other classes. Throws what the candidate throws.
 */
export const withShortSums: CloserLook = async (named, output, candidate, probe, setup) => {
  if (!isOpen(named, Infinity, setup)) return named;
  const isTiled = probe.tiles !== undefined;
  const short = precisionProbes(setup.spec, SHORT, setup.dtype).find(
    ({ outputs, tiles, change }) =>
      outputs.includes(output) && (tiles !== undefined) === isTiled && change?.name === probe.change?.name,
  );
  if (short === undefined || JSON.stringify(short.sizes) === JSON.stringify(probe.sizes)) return named;
  const draws = new Draws(candidate, { ...short, outputs: [output] }, setup, []);
  if (!(await draws.all()) || !draws.samples.some((sample) => sample.hasBound(output))) return named;
  const { class: name, between } = evidenceOf(output, draws.samples, setup).named;
  const names = between.length > 0 ? between : [name];
  if (isNoClass(name) || names.includes("float32")) return named;
  const left = named.between.filter((one) => names.includes(one));
  if (left.length === 0) return named;
  return left.length === 1 ? { ...named, class: left[0], between: [] } : { ...named, between: left };
};
