// `npm run campaign:planted [-- PLACES [DTYPE [OP…]]]` plants faults at 1,000 random places of large cases of every op, and
// compares the share that the judge misses with the probability that it says. Exit status 1 where these contradict each other.
import Table from "cli-table3";
import type { Case } from "../../judge/case.ts";
import { choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { targets } from "../../reference/targets.ts";
import { contradicts, plant } from "../planted.ts";
import { cutDown } from "./planted-cases.ts";
import { whole } from "../../cli/numbers.ts";
import { opNames, script } from "../script.ts";
import { Argument } from "commander";

const [places, dtype, ops] = script(
  "campaign:planted",
  "Faults at random places of large cases: the share that is missed, and that the report says.",
)
  .argument("[places]", "how many", whole(1), 1000)
  .addArgument(new Argument("[dtype]", "of the tensors").choices(["float32", "bfloat16", "float16"]).default("float32"))
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as [number, "float32" | "bfloat16" | "float16", string[]];
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
  const plan = { cases, places: Math.ceil(places / cases.length), target: targets.wgsl };
  const planted = plant(chosen, { ...plan, dtype });
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
