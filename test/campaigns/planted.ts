// `npm run campaign:planted [-- PLACES [DTYPE [OP…]]]` plants faults at 1,000 random places of large cases of every op, and
// compares the share that the judge misses with the probability that it says. Exit status 1 where these contradict each other.
import Table from "cli-table3";
import type { Case } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { targets } from "../../reference/targets.ts";
import { contradicts, plant } from "../planted.ts";
import { cutDown } from "./planted-cases.ts";

const [places = "1000", dtype = "float32", ...ops] = process.argv.slice(2);
/** The cheapest large cases of an op, of as many faults each. */
const CASES = 4;

const table = new Table({
  head: ["fault", "places", "missed", "observed", "said", ""],
  style: { head: [], border: [], compact: true },
});
const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;
for (const chosen of choose(ops)) {
  const start = performance.now();
  const work = ({ sizes }: Case): number => chosen.spec.large?.work(sizes) ?? 0;
  const cases = largeCases(chosen.spec, 1)
    .toSorted((a, b) => work(a) - work(b))
    .slice(0, CASES)
    .map((c) => cutDown(c, chosen.spec));
  const plan = { cases, places: Math.ceil(Number(places) / cases.length), target: targets.wgsl };
  const planted = plant(chosen, { ...plan, dtype: dtype as "float32" });
  for (const one of planted.filter((p) => p.places > 0 && (p.missed > 0 || p.said > 0.01))) {
    const isWrong = contradicts([one]);
    table.push([
      one.name,
      one.places,
      one.missed,
      percent(one.missed / one.places),
      percent(one.said),
      isWrong ? "CONTRADICTS" : "",
    ]);
    if (isWrong) process.exitCode = 1;
  }
  process.stderr.write(`${chosen.operation.name}: ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
}
process.stdout.write(`${table.toString()}\n`);
