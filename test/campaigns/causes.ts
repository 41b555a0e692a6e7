// The cause that a check names for each fault of the zoo that is in TypeScript: npx tsx test/campaigns/causes.ts [TEXT]
import { causeOf } from "../../judge/cause/index.ts";
import { check } from "../../judge/check.ts";
import { choose } from "../../judge/choose.ts";
import { causeLines } from "../../cli/check-cause.ts";
import { subjects } from "../zoo/subject.ts";
import { script } from "../script.ts";

const [text] = script("campaign:causes", "The cause that a check names for each fault of the zoo in TypeScript.")
  .argument("[text]", "faults whose name holds it", "")
  .parse().processedArgs as [string];
let [failed, withWhat, withWhen] = [0, 0, 0];
for (const { id, op, what, terms, candidate } of subjects) {
  if (!id.includes("/") || id.includes(".wgsl") || !id.includes(text)) continue;
  const since = performance.now();
  const { report, cause } = await check(choose([op])[0], await candidate(), terms, { runs: 20, seed: 3, causeOf });
  const [failure] = report.failures;
  if (failure === undefined) {
    console.log(`${id}: no case fails`);
    continue;
  }
  failed++;
  if (cause !== undefined && cause.what.length > 0) withWhat++;
  if (cause !== undefined && cause.sizes.length > 0) withWhen++;
  console.log(`\n${id}: ${what} (${((performance.now() - since) / 1000).toFixed(1)} s)\n${failure.replay}`);
  console.log((cause === undefined ? ["  no cause"] : causeLines(cause, failure.replay)).join("\n"));
}
console.log(`\n${failed} fail, ${withWhat} with what the numbers are, ${withWhen} with sizes`);
process.exit(0);
