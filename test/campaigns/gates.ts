// `npm run campaign:gates [-- SEEDS [OP…]]` plants faults that begin at a size, at gates from 16 to 2,048 along one axis or two,
// and to 256 along three, and counts those that the cases and probes of a check let through. Those are tried once more with
// `--sizes` at a size that contains the gate. No kernel runs: the right outputs are the reference's in float32. Exit status 1
// where less than 95 of 100 faults of an op are rejected or named, or one that `--sizes` contains is not.
import Table from "cli-table3";
import { exampleCases } from "../../judge/case.ts";
import { type Chosen, choose } from "../../judge/choose.ts";
import { largeCases } from "../../judge/large.ts";
import { chosenWithin } from "../../judge/sizes/within.ts";
import { type FaultName, type Gate, gatesOf, plantAll, type Planted } from "../gates.ts";
import { whole } from "../../cli/numbers.ts";
import { opNames, script } from "../script.ts";

const [seeds, ops] = script(
  "campaign:gates",
  "Faults that begin at a size, and those that a default check lets through.",
)
  .argument("[seeds]", "how many", whole(1), 1)
  .argument("[op...]", "all of them without this", opNames, [])
  .parse().processedArgs as [number, string[]];

/** All faults, or those of the list, at the cases and probes of a check with that seed; cheap cases first, since any of them may show a fault. */
function atSeed(
  chosen: Chosen,
  seed: number,
  gates: readonly Gate[],
  names?: readonly FaultName[],
): Promise<Planted[]> {
  const { spec } = chosen;
  const cases = [...exampleCases(spec, seed), ...largeCases(spec, seed)];
  const work = cases.map((c) => ({ c, work: spec.large?.work(c.sizes) ?? 0 })).toSorted((a, b) => a.work - b.work);
  return plantAll(chosen, gates, work.map(({ c }) => c), names); // prettier-ignore
}

/** What becomes of the same fault at sizes that contain its gate. */
async function withSizes(chosen: Chosen, { gate, fault }: Planted, seed: number): Promise<string> {
  const terms = gate.axes.map((axis) => `${axis}>=${gate.at}`).join(" ");
  try {
    const [within] = chosenWithin([chosen], terms);
    const [planted] = await atSeed(within, seed, [gate], [fault]);
    return planted?.outcome ?? "missed";
  } catch (error) {
    if (error instanceof RangeError) return `refused (${error.message})`;
    throw error;
  }
}

const table = new Table({
  head: ["op", "faults", "rejected", "named", "share", "missed", "with --sizes", "seconds"],
  style: { head: [], border: [], compact: true },
  colWidths: [24, 8, 10, 7, 9, 50, 30, 9],
  wordWrap: true,
});
let isShort = false;
for (const chosen of choose(ops)) {
  const start = performance.now();
  const planted: Planted[] = [];
  const again: string[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const found = await atSeed(chosen, seed, gatesOf(chosen));
    planted.push(...found);
    for (const one of found.filter(({ outcome }) => outcome === "missed"))
      again.push(await withSizes(chosen, one, seed));
  }
  const count = (outcome: string): number => planted.filter((one) => one.outcome === outcome).length;
  const share = planted.length === 0 ? 1 : 1 - count("missed") / planted.length;
  const unseen = again.filter((outcome) => outcome === "missed" || outcome.startsWith("refused"));
  if (share < 0.95 || unseen.length > 0) isShort = true;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const missed = planted.filter(({ outcome }) => outcome === "missed");
  const words = new Set(missed.map(({ gate, fault }) => `${gate.axes.join(" and ")} from ${gate.at}: ${fault}`));
  const { name } = chosen.operation;
  const counts = [planted.length, count("rejected"), count("named"), `${(100 * share).toFixed(1)} %`];
  const seen = again.length === 0 ? "" : `${again.length - unseen.length} of ${again.length}`;
  table.push([name, ...counts, [...words].join("; "), [seen, ...new Set(unseen)].join("; "), seconds]);
  process.stderr.write(`${name}: ${counts.join(", ")}; with --sizes ${seen || "none"}; ${seconds} s\n`);
}
process.stdout.write(`${table.toString()}\n`);
process.exitCode = isShort ? 1 : 0;
