// The room for a kernel: as little work as a software adapter takes, or the sizes that were asked for.
import type { Chosen } from "../choose.ts";
import { isAbout, parseSizes } from "../sizes/language.ts";
import { type ModelName, models, shapesOf } from "../sizes/model.ts";
import { SizeRule } from "../sizes/rule.ts";
import { Grounds, type Room } from "./room.ts";

/** What a run takes by default: a tenth of a second on a software adapter. */
const MOST_WORK = 8e6;
/** What sizes may ask for: 25 GFLOP. */
const CAP = 1.25e10;
const [LONGEST, LONGEST_ASKED] = [1025, 2049];

/** As little work as a software adapter takes. */
export const anywhere: Room = {
  most: MOST_WORK,
  cap: MOST_WORK,
  longest: LONGEST,
  many: 257,
  short: 16,
  near: (sizes) => sizes,
  admits: () => true,
};

/** The room of each op. Throws RangeError, in one line, for words that are no term, and for terms that leave nothing. */
export function roomsOf(chosen: readonly Chosen[], text: string | undefined): Room[] {
  if (text === undefined) return chosen.map(() => anywhere);
  const words = text.trim().split(/\s+/);
  const named = words.filter((word): word is ModelName => Object.hasOwn(models, word));
  if (named.length > 1) throw new RangeError(`sizes: ${named.join(" and ")}, expected one model`);
  const rest = words.filter((word) => !Object.hasOwn(models, word)).join(" ");
  const known = [...new Set(chosen.flatMap(({ spec }) => Object.keys(spec.sizes)))];
  const terms = rest === "" && named.length > 0 ? [] : parseSizes(rest, known);
  for (const term of terms) {
    if (chosen.some(({ spec }) => isAbout(term, Object.keys(spec.sizes)))) continue;
    throw new RangeError(`sizes: ${term.text}, expected two sizes of one op`);
  }
  return chosen.map((one) => {
    const rule = new SizeRule(one.operation, one.spec, terms);
    const room = {
      ...anywhere,
      cap: CAP,
      longest: LONGEST_ASKED,
      near: rule.nearest.bind(rule),
      admits: rule.obeys.bind(rule),
      least: rule.least.bind(rule),
    };
    new Grounds(one.operation, one.spec, room).ordinary(); // refuses sizes that are too large for a run
    return named.length === 0 ? room : { ...room, shapes: shapesOf(one, models[named[0]]) };
  });
}
