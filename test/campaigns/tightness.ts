// `npm run campaign:tightness [-- TARGET [OP…]]` prints bound ÷ the worst evaluation that was built, before sums were trees and exp(0) was 1, and now, in drawn cases and
// on long sums; on these also what is plausible ÷ the worst evaluation that rounds to nearest: the table of docs/bounds.md.
import { judgeRows } from "../../judge/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { CASES, LENGTH, tightnessLine } from "../tightness.ts";
import { opNames, script } from "../script.ts";
import { Argument } from "commander";

const [name, only] = script("campaign:tightness", "Bound ÷ the worst evaluation that was built, before and now.")
  .addArgument(new Argument("[target]", "whose accuracies hold").choices(Object.keys(targets)).default("ieee"))
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as [keyof typeof targets, string[]];
process.stdout.write(
  `| op | drawn, before | now | sums of ${LENGTH}, before | now | plausible |\n| --- | --- | --- | --- | --- | --- |\n`,
);
for (const op of judgeRows.keys()) {
  if (evaluationsOf(op).length === 0 || (only.length > 0 && !only.includes(op))) continue;
  process.stdout.write(`${tightnessLine(op, targets[name], CASES)}\n`);
}
