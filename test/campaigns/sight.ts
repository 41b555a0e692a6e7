// `npm run campaign:sight [-- MODEL [OP…]]` prints at which share of the normal elements of fixtures at a model's shapes (65B) an error of 1 % is seen: by the proof, and
// after an arrow by it or by the second verdict. The table of docs/bounds.md.
import { lengthsOf } from "../../golden/fixtures/scale.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { SHOWN, sightLines } from "../sight.ts";
import { opNames, script } from "../script.ts";
import { Argument } from "commander";

const [model, only] = script(
  "campaign:sight",
  "At which share of elements an error of 1 % is seen at a model's shapes.",
)
  .addArgument(new Argument("[model]", "whose shapes").choices(["7B", "65B"]).default("65B"))
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as ["7B" | "65B", string[]];
process.stdout.write(`| output | ${SHOWN.join(" | ")} | by |\n| --- |${" --- |".repeat(SHOWN.length + 1)}\n`);
for (const [op, { atScale }] of judgeRows) {
  if (atScale === undefined || (only.length > 0 && !only.includes(op))) continue;
  process.stdout.write(`${sightLines(op, lengthsOf(model)).join("\n")}\n`);
}
