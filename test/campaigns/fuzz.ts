// `npm run campaign:fuzz [-- INPUTS [SEED]]` gives every reader 120,000 changed inputs, in parts with seeds of their own. Exit status 1
// after an input that was neither taken nor refused in one line, which is kept in a folder that is named.
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { whole } from "../../cli/numbers.ts";
import { script } from "../script.ts";

const PART = 20_000;
const [inputs, first] = script(
  "campaign:fuzz",
  "Changed files, lines and options to every reader: each is taken or refused in one line.",
)
  .argument("[inputs]", "how many", whole(1), 120_000)
  .argument("[seed]", "of the first part", whole(0), 1)
  .parse().processedArgs as [number, number];
const root = fileURLToPath(new URL("../..", import.meta.url));
const kept = mkdtempSync(join(tmpdir(), "touchstone-fuzz-kept-"));
let failures = 0;
for (let done = 0, seed = first; done < inputs; done += PART, seed++) {
  const count = Math.min(PART, inputs - done);
  const env = {
    ...process.env,
    TOUCHSTONE_FUZZ_INPUTS: String(count),
    TOUCHSTONE_FUZZ_SEED: String(seed),
    TOUCHSTONE_FUZZ_KEEP: kept,
  };
  const start = performance.now();
  const { status, stdout } = spawnSync("npx", ["vitest", "run", "test/fuzz"], { cwd: root, env, encoding: "utf8" });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  process.stdout.write(`seed ${seed}: ${count} inputs, exit status ${status}, ${seconds} s\n`);
  if (status === 0) continue;
  failures++;
  process.stdout.write(`${stdout}\n`);
}
process.stdout.write(
  failures === 0 ? `${inputs} inputs, no fault\n` : `${failures} parts failed; inputs are kept in ${kept}\n`,
);
process.exitCode = failures === 0 ? 0 : 1;
