// `npm run campaign:planted-sampled [-- PLACES [DTYPE [OP…]]]` does what campaign:planted does where the truth is known at a few
// elements only: a thousand places of a small case of each op that is sampled, and a tenth of them at R = O = 2,048.
import Table from "cli-table3";
import type { Case } from "../../judge/case.ts";
import { choose, type Chosen } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { targets } from "../../reference/targets.ts";
import { few } from "../few.ts";
import { contradicts, plant, type Planted } from "../planted.ts";
import { cutDown } from "./planted-cases.ts";
import { whole } from "../../cli/numbers.ts";
import { opNames, script } from "../script.ts";
import { Argument } from "commander";

const [places, dtype, ops] = script(
  "campaign:planted-sampled",
  "The same as campaign:planted, where the truth is known at a few elements.",
)
  .argument("[places]", "how many", whole(1), 1000)
  .addArgument(new Argument("[dtype]", "of the tensors").choices(["float32", "bfloat16", "float16"]).default("float32"))
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as [number, "float32" | "bfloat16" | "float16", string[]];
/** Elements whose truth is known. */
const KNOWN = 1000;
const CASES = 2;
/** A case of linear at the size at which kernels run; with 256 terms a sum's own bound is far below 1 %. */
const FULL: Case = { op: "linear.forward", sizes: { R: 2048, O: 2048, C: 256 }, profile: "unit", seed: 5 };

const table = new Table({
  head: ["fault", "places", "missed", "observed", "said", ""],
  style: { head: [], border: [], compact: true },
});
const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

function run(chosen: Chosen, cases: readonly Case[], count: number): void {
  const start = performance.now();
  const sampling = few(chosen.spec.sampling!, KNOWN);
  const plan = { cases, places: Math.ceil(count / cases.length), target: targets.wgsl, sampling };
  const planted = plant(chosen, { ...plan, dtype });
  for (const one of planted.filter((p) => p.places > 0)) add(one);
  process.stderr.write(`${chosen.operation.name}: ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
}

function add(one: Planted): void {
  const isWrong = contradicts([one]);
  const shares = [percent(one.missed / one.places), percent(one.said)];
  table.push([one.name, one.places, one.missed, ...shares, isWrong ? "CONTRADICTS" : ""]);
  if (isWrong) process.exitCode = 1;
}

for (const chosen of choose(ops)) {
  if (chosen.spec.sampling === undefined) continue;
  const wide = largeCases(chosen.spec, 1).filter(({ sizes }) => chosen.spec.large!.work(sizes) > 0);
  run(
    chosen,
    wide.slice(-CASES).map((c) => cutDown(c, chosen.spec)),
    places,
  );
  if (chosen.operation.name === FULL.op) run(chosen, [FULL], places / 10);
}
process.stdout.write(`${table.toString()}\n`);
