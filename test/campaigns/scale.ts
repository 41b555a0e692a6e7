// `npm run campaign:scale [-- SEED]` makes every fixture at the shapes of 7B and 65B, and computes each of its samples a second
// time from its metadata alone. Exit status 1 where one lies farther than a tenth of its bound.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { readFixture } from "../../golden/fixtures/read.ts";
import { generateAtScale, lengthsOf } from "../../golden/fixtures/scale.ts";
import { fixtureNames } from "../../golden/fixtures/verify.ts";
import { targets } from "../../reference/targets.ts";
import { farthest } from "../fixtures/stranger.ts";
import { whole } from "../../cli/numbers.ts";
import { script } from "../script.ts";

const [seed] = script("campaign:scale", "Makes every fixture at 7B and 65B, and computes its samples a second time.")
  .argument("[seed]", "of what is sampled", whole(0), 1)
  .parse().processedArgs as [number];
const folder = mkdtempSync(join(tmpdir(), "touchstone-campaign-"));
const table = new Table({
  head: ["case", "output", "samples", "second computation ÷ bound", "seconds"],
  style: { head: [], border: [], compact: true },
});
let alarms = 0;
try {
  for (const name of ["7B", "65B"] as const) {
    generateAtScale(folder, { name, lengths: lengthsOf(name) }, seed, targets.wgsl, undefined, {
      onFile: (file, bytes, seconds) => process.stderr.write(`${file}: ${bytes} bytes, ${seconds.toFixed(1)} s\n`),
      onRefusal(reason) {
        alarms++;
        process.stdout.write(`NOT MADE ${reason}\n`);
      },
    });
  }
  for (const file of fixtureNames(folder)) {
    const start = performance.now();
    const fixture = readFixture(join(folder, file));
    for (const [output, { ratio, at }] of Object.entries(farthest(fixture))) {
      if (!(ratio < 0.1)) {
        alarms++;
        process.stdout.write(`ALARM ${file}: ${output} at ${at}: ${ratio} of the bound\n`);
      }
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      table.push([fixture.case, output, fixture.outputs[output].data.length, ratio.toExponential(1), seconds]);
    }
    process.stderr.write(`${file}: computed again\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${table.toString()}\n${alarms} alarms\n`);
process.exitCode = alarms === 0 ? 0 : 1;
