// `npm run campaign:tightness [-- TARGET [OP…]]` prints bound ÷ the worst evaluation that was built, before sums were trees and exp(0) was 1, and now, in drawn cases and
// on long sums; on these also what is plausible ÷ the worst evaluation that rounds to nearest: the table of docs/bounds.md.
import { judgeRows } from "../../judge/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { CASES, LENGTH, tightnessLine } from "../tightness.ts";

const [name = "ieee", ...only] = process.argv.slice(2);
process.stdout.write(
  `| op | drawn, before | now | sums of ${LENGTH}, before | now | plausible |\n| --- | --- | --- | --- | --- | --- |\n`,
);
for (const op of judgeRows.keys()) {
  if (evaluationsOf(op).length === 0 || (only.length > 0 && !only.includes(op))) continue;
  process.stdout.write(`${tightnessLine(op, targets[name as keyof typeof targets], CASES)}\n`);
}
