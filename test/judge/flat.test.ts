// What a run leaves behind: no listener, no handle, no word that a terminal would obey. test/campaigns/launches.ts measures memory.
import { getEventListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import { afterAll, expect, test, vi } from "vitest";
import { choose } from "../../judge/choose.ts";
import { functionCandidate } from "../../judge/candidates/function.ts";
import { startProcess } from "../../judge/candidates/process.ts";
import { judge } from "../../judge/api/judge.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { ieeeTerms } from "../terms.ts";

const [{ operation, spec }] = choose(["add.forward"]);
const problem = { ...spec.build({ N: 4 }, "unit", 1, "float32"), profile: "unit" as const };

const controller = new AbortController();
const { signal } = controller;
afterAll(() => controller.abort());

/** Listeners on whatever lives as long as the process, and what keeps it alive. */
function held(): Record<string, number> {
  const emitters = { process, stdout: process.stdout, stderr: process.stderr, stdin: process.stdin };
  const counts = Object.entries(emitters).flatMap(([name, emitter]) =>
    emitter.eventNames().map((event) => [`${name} ${String(event)}`, emitter.listenerCount(event)] as const),
  );
  const handles = process.getActiveResourcesInfo().filter((name) => name !== "Timeout" && name !== "Immediate");
  return { ...Object.fromEntries(counts), abort: getEventListeners(signal, "abort").length, handles: handles.length };
}

/** The least that is held once nothing changes any more. */
async function settled(count: () => Record<string, number>): Promise<Record<string, number>> {
  let last = count();
  for (let same = 0; same < 5;) {
    await setTimeout(50);
    const now = count();
    same = now.handles === last.handles ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** A process that ends before each answer, one that answers nonsense, one that is ended by a signal. */
const commands = ["exit 1", "while read line; do echo no; done", "kill -9 $$"];

test.each(commands)("cases and starts of a process, %s", async (command) => {
  const run = async (): Promise<void> => {
    const candidate = startProcess({ command, operation, dtype: "float32", timeout: 20_000, signal });
    for (let i = 0; i < 3; i++) {
      expect((await judgeProblem(operation, candidate, problem, ieeeTerms)).findings).toHaveLength(1);
    }
    await candidate.close?.();
  };
  await run(); // loads what is loaded once
  const before = await settled(held);
  for (let i = 0; i < 10; i++) await run();
  // A killed process's pipes close a little later.
  await vi.waitFor(() => expect(held()).toEqual(before), 20_000);
});

test("cases of a function", async () => {
  const candidate = functionCandidate("sum", operation, ({ a }) => ({ y: { ...a, data: new Float32Array(a.data) } }));
  const before = held();
  for (let i = 0; i < 100; i++) await judgeProblem(operation, candidate, problem, ieeeTerms);
  expect(held()).toEqual(before);
});

test.each([
  ["a command that is not there", `'${"\x1b[2J"}'`],
  ["another protocol", String.raw`read line; printf '{"protocol":"\\u001b[2J","case":1}\n'; sleep 9`],
])("%s is refused in a line without a control character", async (_, command) => {
  const candidate = startProcess({ command, operation, dtype: "float32", timeout: 20_000 });
  const run = judgeProblem(operation, candidate, problem, ieeeTerms);
  await expect(run).rejects.toThrow(/\\u001b\[2J/);
  await expect(run).rejects.not.toThrow(/[\p{Cc}\p{Cf}]/u);
  await candidate.close?.();
});

const obeyed = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e\r\nFORGED pass\u2028";

test.each<[string, unknown]>([
  [
    "throws it",
    () => {
      throw new Error(obeyed);
    },
  ],
  [
    "throws it bare",
    () => {
      throw obeyed;
    },
  ],
  ["complains of it", { name: "mine", run: async () => ({ outputs: {}, complaints: [obeyed] }) } satisfies Candidate],
  ["has it as its name", { name: obeyed, run: () => Promise.reject(new Error("x")) } satisfies Candidate],
  [
    "ends with it",
    {
      name: "mine",
      run: async () => ({ outputs: {}, complaints: [] }),
      close: () => Promise.reject(new Error(obeyed)),
    },
  ],
])("a candidate that %s: every finding is a line without a control character", async (_, candidate) => {
  const { findings, replays } = await judge("add.forward", candidate as Candidate, { runs: 1 });
  expect(findings.length).toBeGreaterThan(0);
  for (const line of [...findings, ...replays]) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
});
