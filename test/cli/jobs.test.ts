// `check --jobs N` writes the same report for any N, whatever the candidate is; and what is said when a thread of the judge ends.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import { report } from "../../cli/program.ts";
import { WorkerEnded } from "../../judge/jobs/workers.ts";
import { touchstone } from "../command.ts";
import { program } from "../needs.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-jobs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function module(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const right = module(
  "right.mjs",
  "export default ({ a, b }) => ({ y: { shape: a.shape, data: a.data.map((x, i) => x + b.data[i]) } });",
);
/** From a length on it forgets the last number. */
const wrong = module(
  "wrong.mjs",
  `export default ({ a, b }) => {
    const data = a.data.map((x, i) => x + b.data[i]);
    if (data.length > 33) data[data.length - 1] = 0;
    return { y: { shape: a.shape, data } };
  };`,
);
const python = program("python3");
const kernel = fileURLToPath(new URL("../candidates/kernel.py", import.meta.url));

/** The report, without times and without the place of evidence. */
async function reported(words: readonly string[], jobs: number): Promise<{ code: number | null; json: unknown }> {
  const args = ["check", "--op", ...words, "--seed", "3", "--jobs", String(jobs), "--json", "-"];
  const { code, out } = await touchstone([...args, "--evidence", join(folder, "evidence")]);
  return { code, json: JSON.parse(out, (key, value) => (key === "ms" || key === "evidence" ? undefined : value)) };
}

describe("the same report", () => {
  test.each<[what: string, words: string[], status: number]>([
    ["a right module, with large cases", ["add.forward", "--kernel", right, "--runs", "20"], 0],
    ["a module that is wrong from a length on", ["add.forward", "--kernel", wrong, "--runs", "20"], 1],
  ])("of %s", async (_, words, status) => {
    const [one, three] = [await reported(words, 1), await reported(words, 3)];
    expect(three).toEqual(one);
    expect(one.code).toBe(status);
  });

  test.skipIf(python.absent)(`of a process that is wrong${python.note}`, { timeout: 120_000 }, async () => {
    const words = ["rmsnorm.forward", "--exec", `exec python3 '${kernel}' eps`, "--runs", "1"];
    const [one, three] = [await reported(words, 1), await reported(words, 3)];
    expect(three).toEqual(one);
    expect(one.code).toBe(1);
    const kept = readdirSync(join(folder, "evidence"));
    expect(kept).toHaveLength(2); // one for each of the two runs
    for (const name of kept) {
      expect(
        readdirSync(join(folder, "evidence", name))
          .map((file) => file.replace(/^\d+/, "N"))
          .toSorted(),
      ).toEqual(["N.in.safetensors", "N.out.safetensors"]);
    }
  });
});

test("a thread that ended is a fault of the program, in one line", () => {
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const status = report(new WorkerEnded("a worker of the judge ended (no memory), expected it to answer"));
  const lines = said.mock.calls.map(([line]) => line);
  said.mockRestore();
  expect(lines).toEqual([
    "touchstone: internal error: a worker of the judge ended (no memory), expected it to answer\n",
  ]);
  expect(status).toBe(3);
});
