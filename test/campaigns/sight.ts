// `npm run campaign:sight [-- MODEL [OP…]]` prints at which share of the normal elements of fixtures at a model's shapes (65B) an error of 1 % is seen: by the proof, and
// after an arrow by it or by the second verdict. The table of docs/bounds.md.
import { lengthsOf } from "../../golden/fixtures/scale.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { SHOWN, sightLines } from "../sight.ts";

const [model = "65B", ...only] = process.argv.slice(2);
process.stdout.write(`| output | ${SHOWN.join(" | ")} | by |\n| --- |${" --- |".repeat(SHOWN.length + 1)}\n`);
for (const [op, { atScale }] of judgeRows) {
  if (atScale === undefined || (only.length > 0 && !only.includes(op))) continue;
  process.stdout.write(`${sightLines(op, lengthsOf(model as "65B")).join("\n")}\n`);
}
