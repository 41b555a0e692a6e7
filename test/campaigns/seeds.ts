// `npm run campaign:seeds [-- RUNS]` runs touchstone check with 20 different seeds. Exit status 1 after a failure.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { whole } from "../../cli/numbers.ts";
import { script } from "../script.ts";

const [runs] = script("campaign:seeds", "touchstone check with so many seeds.")
  .argument("[runs]", "how many seeds", whole(1), 20)
  .parse().processedArgs as [number];
const root = fileURLToPath(new URL("../..", import.meta.url));
let failures = 0;
for (let seed = 1; seed <= runs; seed++) {
  const start = performance.now();
  const args = ["--import", "tsx", "cli/index.ts", "check", "--adapter", "software", "--seed", String(seed)];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  process.stdout.write(`seed ${seed}: exit status ${status}, ${seconds} s, ${stdout.trim().split("\n").at(-1)}\n`);
  if (status !== 0) {
    failures++;
    process.stdout.write(
      stdout
        .split("\n")
        .filter((line) => /FAIL|replay|got/.test(line))
        .join("\n") + "\n",
    );
  }
}
process.stdout.write(`${runs - failures} passed, ${failures} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;
