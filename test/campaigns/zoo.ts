// `npm run campaign:zoo [-- ELEMENTS [TARGET [OP…]]]` judges correct evaluations of every op, in all orders, roundings and
// variants, until that many elements (10⁶) have been compared. Exit status 1 after an alarm.
import Table from "cli-table3";
import { judgeRows } from "../../judge/ops/index.ts";
import { soundness } from "../../judge/soundness.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";

const [elements = "1000000", targetName = "wgsl", ...only] = process.argv.slice(2);
const target = targets[targetName as keyof typeof targets];
const table = new Table({
  head: ["op", "variants", "elements", "unjudged", "honest ÷ bound", "adversarial ÷ bound", "alarms", "seconds"],
  style: { head: [], border: [], compact: true },
});
const unknown = only.find((op) => !judgeRows.has(op));
if (unknown !== undefined || target === undefined) {
  throw new RangeError(`${unknown ?? targetName} is not ${unknown === undefined ? "a target" : "an op and direction"}`);
}
let alarms = 0;
for (const [op, spec] of judgeRows) {
  if (only.length > 0 && !only.includes(op)) continue;
  const start = performance.now();
  const evaluations = evaluationsOf(op);
  const found = soundness({ operation: operations.get(op)!, spec }, evaluations, target, {
    elements: Number(elements),
    seed: 1,
  });
  alarms += found.alarms.length;
  for (const { variant, replay, finding } of found.alarms.slice(0, 3)) {
    process.stdout.write(`ALARM ${op}, ${variant}: ${replay}: ${finding}\n`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const shares = [found.worst, found.adversarial].map((share) => share.toFixed(2));
  table.push([op, evaluations.length, found.compared, found.unjudged, ...shares, found.alarms.length, seconds]);
  process.stderr.write(`${op}: ${found.alarms.length} alarms in ${found.compared} elements, ${seconds} s\n`);
}
process.stdout.write(`${table.toString()}\n${alarms} alarms for the target ${target.name}\n`);
process.exitCode = alarms === 0 ? 0 : 1;
