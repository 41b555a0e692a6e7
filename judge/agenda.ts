// The order of a check. Without a budget: all cases, then all parts of the examination. Cases without elements come last, since they tell the
// least, and a kernel that crashes on them would hide everything else.
//
// With a budget the time may end at any point, so what tells most for its time comes first. The examples begin, and drawn cases go on
// until the time is up. After every few cases comes one other thing: each relation, repeatability, NaN and infinity, exactness, and then
// in turn the probes of precision and the large cases, which cost the judge itself the most.
import { type Case, exampleCases, formatCase, infiniteExamples } from "./case.ts";
import { type Deadline, isStop } from "./deadline.ts";
import type { Examiner } from "./examiner.ts";
import { emptyAxes, largeCases } from "./large.ts";
import type { JudgeRow } from "./row.ts";
import type { Search } from "./search.ts";
import type { Terms } from "./terms.ts";
import type { Untried } from "./untried.ts";

/** Cases between two other things of a check with a budget. */
const CASES_BETWEEN = 3;
/** More cases than any budget has time for. */
const ENDLESS = 1e9;

interface Item extends Untried {
  readonly run: () => Promise<void>;
  /** Milliseconds that it takes in one stretch. */
  readonly estimate?: () => number;
}

/** What a check is about. */
interface Plan extends Pick<Terms, "target"> {
  readonly spec: JudgeRow;
  readonly seed: number;
  readonly runs: number;
  /** What keeps the candidate from a case; undefined where nothing does. */
  readonly tooLarge: (c: Case) => string | undefined;
  /** Called after the cases, before the examination gives the candidate NaN and other numbers that it may keep. */
  readonly onSearched?: () => Promise<void>;
}

/** Tries all of it as far as time and signal allow. Returns what they left out. Throws what the judge itself throws. */
export async function runAgenda(
  search: Search,
  examiner: Examiner,
  deadline: Deadline,
  { spec, seed, runs, target, tooLarge, onSearched }: Plan,
): Promise<readonly Untried[]> {
  const all = exampleCases(spec, seed, target);
  const wanted = largeCases(spec, seed, deadline.isLimited ? undefined : runs);
  const large = wanted.filter((c) => tooLarge(c) === undefined);
  const beyond = wanted.filter((c) => tooLarge(c) !== undefined);
  const isEmpty = ({ sizes }: Case): boolean => emptyAxes(spec, sizes).length > 0;
  const examples = all.filter((c) => !isEmpty(c));
  const empties = all.filter(isEmpty).map((c) => itemOf(search, c, "example"));
  const untried: Untried[] = [];
  const attempt = async ({ run, estimate, ...item }: Item): Promise<void> => {
    try {
      if ((estimate?.() ?? 0) > deadline.left) untried.push(item);
      else await run();
    } catch (error) {
      if (!isStop(error)) throw error;
      untried.push(item);
    }
  };
  const queue: Item[] = deadline.isLimited
    ? byTelling(
        examiner,
        large.map((c) => itemOf(search, c, "large case")),
        empties,
      )
    : [...examiner.parts];
  let cases = 0;
  const between = (): (() => Promise<void>) | undefined => {
    const item = ++cases % CASES_BETWEEN === 0 ? queue.shift() : undefined;
    return item && (() => attempt(item));
  };
  await search.try(
    deadline.isLimited ? { examples, runs: ENDLESS, between } : { examples: [...examples, ...large], runs },
  );
  await onSearched?.();
  if (search.hasNumbers) {
    for (const item of queue) await attempt(item);
    for (const item of examiner.secondLooks(search.low)) await attempt(item);
  }
  if (!deadline.isLimited) for (const item of empties) await attempt(item);
  const unpromised = target.promisesNonFinite ? [] : infiniteExamples(spec, seed);
  const left = unpromised.map((c): Untried => ({ part: "example", line: formatCase(c), cause: "target" }));
  const unheld = beyond.map((c): Untried => ({ part: "large case", line: formatCase(c), cause: "candidate" }));
  return [...search.untried, ...untried, ...left, ...unheld];
}

/** A case by itself, unless a failure has ended the search. */
function itemOf(search: Search, c: Case, part: "example" | "large case"): Item {
  return {
    part,
    line: formatCase(c),
    estimate: () => (search.hasFailed ? 0 : search.estimate(c)),
    run: async () => {
      if (!search.hasFailed) await search.try({ examples: [c], runs: 0 });
    },
  };
}

/** Cheap parts, then the probes and the large cases in turn, and last the cases without elements. */
function byTelling({ parts }: Examiner, large: readonly Item[], empties: readonly Item[]): Item[] {
  const are = (...names: readonly Untried["part"][]): Item[] => parts.filter(({ part }) => names.includes(part));
  const probes = are("precision");
  const dear = Array.from({ length: Math.max(probes.length, large.length) }, (_, i) => [probes[i], large[i]]).flat();
  return [
    ...are("relation"),
    ...are("races"),
    ...are("repeatability", "NaN and infinity"),
    ...are("exactness"),
    ...dear.filter((item) => item !== undefined),
    ...empties,
  ];
}
