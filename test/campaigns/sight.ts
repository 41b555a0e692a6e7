// `npm run campaign:sight [-- MODEL [OP…]]` prints at which share of the sampled elements of fixtures at a model's shapes (65B) an error of 1 % is
// seen, by the proof or by the second verdict, for each target. Exit status 1 where a correct evaluation is called improbable.
import Table from "cli-table3";
import { lengthsOf } from "../../golden/fixtures/scale.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { sightOf, type TargetName } from "../sight.ts";

const [model = "65B", ...only] = process.argv.slice(2);
const names: readonly TargetName[] = ["ieee", "cuda", "wgsl", "metal", "matrix-units"];
const table = new Table({
  head: ["output", ...names.flatMap((name) => [name, "either"]), "second verdict by", "worst ÷ limit"],
  style: { head: [], border: [], compact: true },
});
let alarms = 0;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
for (const [op, { atScale }] of judgeRows) {
  if (atScale === undefined || (only.length > 0 && !only.includes(op))) continue;
  const start = performance.now();
  const found = sightOf(op, lengthsOf(model as "65B"), 1, names);
  for (const output of new Set(found.map((one) => one.output))) {
    const of = found.filter((one) => one.output === output);
    const worst = of.reduce((most, one) => Math.max(most, one.worst), 0);
    if (!(worst <= 1)) alarms++;
    const words = [...new Set(of.map(({ by }) => by).filter((by) => by !== ""))].join(", ");
    const shares = of.flatMap(({ proof, either, by }) => [percent(proof), by === "" ? "" : percent(either)]);
    table.push([`${op} ${output}`, ...shares, words, words === "" ? "" : worst.toPrecision(2)]);
    process.stdout.write(
      `| ${op} ${output} | ${shares.join(" | ")} | ${words} | ${words === "" ? "" : worst.toPrecision(2)} |\n`,
    );
  }
  process.stderr.write(`${op}: ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
}
process.stdout.write(`${table.toString()}\n${alarms} alarms\n`);
process.exitCode = alarms === 0 ? 0 : 1;
