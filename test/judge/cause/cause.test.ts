// What is said of a wrong kernel: where, what, at which sizes, and what it may have forgotten to declare.
import { expect, test } from "vitest";
import { causeLines } from "../../../cli/check-cause.ts";
import { causeOf } from "../../../judge/cause/index.ts";
import { parseCase } from "../../../judge/case.ts";
import { check } from "../../../judge/check.ts";
import { choose } from "../../../judge/choose.ts";
import { operations } from "../../../reference/ops/index.ts";
import { targets } from "../../../reference/targets.ts";
import { faults } from "../../../zoo/faults/index.ts";
import { candidateOf } from "../../zoo/subject.ts";

const terms = { target: targets.wgsl, dtype: "float32" } as const;

/** The lines for a fault of the zoo in a case at which it fails. */
async function linesFor(name: string, replay: string): Promise<string> {
  const failing = parseCase(replay);
  const { op } = failing;
  const fault = faults.find((one) => one.op === op && one.name === name)!;
  const candidate = candidateOf(operations.get(op)!, fault.kernel(), "float32");
  const cause = await causeOf({ chosen: choose([op])[0], candidate, terms }, failing);
  return cause === undefined ? "none" : causeLines(cause, replay).join("\n");
}

test.for<[name: string, replay: string, lines: readonly string[]]>([
  [
    "rstd-of-c",
    "rmsnorm.forward R=1 C=2 eps=1e-5 profile=unit seed=0",
    ["y is 0.119523 = 1/√C times what is expected there", "when   C ≥ 2"],
  ],
  [
    "last-of-four-rows",
    "rmsnorm.forward R=3 C=1 eps=1e-5 profile=unit seed=0",
    ["y: 1 of 3 outside, at r = 2 (the last of 3)", "rstd: right", "when   R ≡ 3 mod 4"],
  ],
  [
    "rstd-saved-bf16",
    "rmsnorm.forward R=1 C=1 eps=1e-5 profile=unit seed=0",
    ["y: right", "rstd: all 9 outside", "rstd is rounded to bfloat16"],
  ],
  ["silu-bf16", "swiglu.forward R=1 F=3 profile=unit seed=0", ["hint   passes with --store silu="]],
  ["exchanged", "swiglu.forward R=1 F=1 profile=unit seed=0", ["y: as if gate and up were exchanged"]],
  [
    "vector-tail",
    "swiglu.forward R=1 F=1 profile=unit seed=0",
    ["at f ≥ 68 of 70", "··#", "y is zero there", "when   F no multiple of 4"],
  ],
  [
    "saturated",
    "swiglu.backward R=1 F=2 profile=large seed=0",
    ["dgate: ", "≤ gate ≤ −16", "dup: right", "dgate is zero there"],
  ],
  ["keeps", "linear.forward R=1 O=1 C=1 profile=unit seed=0", ["y is added to what the call before left"]],
])("%s", async ([name, replay, lines]) => {
  const said = await linesFor(name, replay);
  for (const line of lines) expect(said.replaceAll("-16", "−16")).toContain(line);
});

test("a right kernel has no cause, nor does one that gives no numbers", async () => {
  const [chosen] = choose(["add.forward"]);
  const silent = { name: "silent", run: () => Promise.reject(new Error("no device")) };
  const { cause, conclusion } = await check(chosen, silent, terms, { runs: 2, seed: 1, causeOf });
  expect(conclusion.verdict).toBe("FAIL");
  expect(cause).toBeUndefined();
});
