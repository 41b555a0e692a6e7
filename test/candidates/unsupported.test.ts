// Cases that candidates refuse: no failure, listed, and never a way to a pass that was not earned.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { type Candidate, invariance, judge, type JudgeOptions, ops, Unsupported } from "../../index.ts";
import { processCandidate } from "../../node.ts";
import { matchers } from "../../vitest.ts";
import { program } from "../needs.ts";

const folder = mkdtempSync(join(tmpdir(), "touchstone-unsupported-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const client = (path: string): string => fileURLToPath(new URL(`../../golden/clients/${path}`, import.meta.url));

type Kernel = (typeof ops)["swiglu.forward"]["reference"];
type Arguments = Parameters<Kernel>;
const swiglu = (...[inputs, scalars]: Arguments) => ops["swiglu.forward"].reference(inputs, scalars);
const refusing = (
  why: (...given: Arguments) => string | undefined,
  kernel: (...given: Arguments) => ReturnType<Kernel> = swiglu,
) => {
  return (...given: Arguments) => {
    const reason = why(...given);
    if (reason !== undefined) throw new Unsupported(reason);
    return kernel(...given);
  };
};
const judged = (kernel: ReturnType<typeof refusing>, options: JudgeOptions = {}) =>
  judge("swiglu.forward", kernel, { runs: 8, ...options });

describe("by sizes", () => {
  const few = refusing(({ gate: { shape } }) => (shape[0] > 30 ? `${shape[0]} rows` : undefined));

  test("some refusals are listed with the sizes that they name, and pass", async () => {
    const result = await judged(few);
    expect(result).toMatchObject({ verdict: "pass", findings: [] });
    const { cases, reasons, term, byNumbers } = result.refusals!;
    expect(cases.of).toBe(result.cases + cases.refused);
    expect(cases.refused).toBeGreaterThan(0);
    expect(reasons).toHaveLength(1); // numbers make no other reason
    expect(reasons[0]).toMatchObject({ cases: cases.refused, sizes: expect.stringMatching(/^R=\d+/) });
    expect([term?.slice(0, 3), byNumbers]).toEqual(["R<=", []]);
    const { message } = await matchers.toPassTouchstone(few, "swiglu.forward", { runs: 8 });
    expect(message()).toMatch(/and refused \d+ of \d+ cases.*: \d+ rows \(R=/);
  });

  test("more than a share of them is inconclusive, and so is nothing that remains", async () => {
    const none = await judged(few, { allowRefused: 0 });
    expect(none.verdict).toBe("inconclusive");
    expect(none.reasons[0]).toMatch(/^swiglu.forward: refused \d+ of \d+ cases \(.* %\), expected at most 0 %$/);
    expect(none.reasons.at(-1)).toMatch(/--sizes 'R<=\d+' keeps all that is tried to what the kernel supports$/);
    const all = await judged(
      refusing(() => "anything"),
      { allowRefused: 1 },
    );
    expect(all).toMatchObject({ verdict: "inconclusive", findings: [], cases: 0 });
    expect(all.reasons.join("\n")).toMatch(/refused (\d+) of \1 cases \(100 %\)[^]*refused (\d+) of \2 relations/);
    await expect(judged(few, { allowRefused: 2 })).rejects.toThrow(
      "options.allowRefused: got 2, expected a number from 0 to 1",
    );
  });

  test("what is answered is judged as ever", async () => {
    const off = refusing(
      ({ gate: { shape } }) => (shape[0] > 30 ? "many" : undefined),
      (...given) => {
        const { y } = swiglu(...given);
        return { y: { data: y.data.map((x) => 1.01 * x), shape: y.shape } };
      },
    );
    expect((await judged(off)).verdict).toBe("FAIL");
  });

  test("a line that is refused when it is run again is inconclusive", async () => {
    const replay = "swiglu.forward R=70 F=2 profile=unit seed=1";
    expect(await judged(few, { replay })).toMatchObject({
      verdict: "inconclusive",
      reasons: ["swiglu.forward: the candidate refused it: 70 rows"],
    });
    const relation = await judged(few, { replay: `${replay}, the rest of R` });
    expect(relation).toMatchObject({
      verdict: "inconclusive",
      findings: [],
      reasons: ["the rest of R: the candidate refused it: 70 rows"],
    });
  });

  test("maps of bits leave out what is refused", async () => {
    const { verdict, findings, untried } = await invariance("swiglu.forward", few, { sizes: "R<=129 F=8" });
    expect([findings, verdict === "FAIL"]).toEqual([[], false]);
    expect(untried.join("\n")).toMatch(/refused: \d+ rows/);
  });
});

describe("as a way out", () => {
  test("by numbers: what was refused of sizes that were answered with others is never passed", async () => {
    const { verdict, reasons } = await judged(
      refusing(({ gate }) => (gate.data[0] > 0 ? "I may be wrong here" : undefined)),
      { allowRefused: 1 },
    );
    expect(verdict).toBe("inconclusive");
    expect(reasons.join("\n")).toContain("refused numbers of sizes that it answered with others: I may be wrong here");
  });

  test("by chance: what is refused once and answered once is a finding", async () => {
    let calls = 0;
    const { findings } = await judged(refusing(() => (++calls % 3 === 0 ? "not now" : undefined)));
    expect(findings[0]).toMatch(/refused a case \(not now\) and answered it when asked again/);
    const seen = new Set<string>();
    const second = refusing(({ gate }) => {
      const key = gate.data.join();
      return gate.shape.join() === "9,70" && seen.size === seen.add(key).size ? "once is enough" : undefined;
    });
    const late = await judged(second);
    expect([late.verdict, late.findings.join("\n")]).toEqual([
      "FAIL",
      expect.stringContaining("refused a case that it had answered before"),
    ]);
  });

  test("after a change of its inputs it is a finding", async () => {
    const { findings } = await judged(refusing(({ gate }) => (gate.data.fill(0), "spoilt")));
    expect(findings[0]).toMatch(/refused a case after it had changed input gate/);
  });

  test("reasons are one short line each, and of many few are kept", async () => {
    let n = 0;
    const letters = (k: number): string => String.fromCodePoint(...[k >> 8, k >> 4, k].map((x) => 97 + (x & 15)));
    const { refusals } = await judged(refusing(() => `\u001b[31m${letters(n++ >> 1)}\n${"x".repeat(1e6)}`));
    expect(refusals!.reasons.length).toBeLessThanOrEqual(21);
    for (const { reason } of refusals!.reasons) expect(reason).toMatch(/^[^\p{Cc}]{1,210}$/u);
    const empty = await judged(refusing(() => " "));
    expect(empty.refusals!.reasons[0].reason).toBe("no reason given");
  });
});

describe("from a process", () => {
  const python = program("python3");
  const compiler = program("cc");
  const replay = "add.forward N=5 profile=unit seed=1";
  const told = async (kernel: Candidate) => {
    const { verdict, reasons, findings } = await judge("add.forward", kernel, { replay });
    return [verdict, ...reasons, ...findings].join("\n");
  };
  const said = (answer: string, before = "") =>
    processCandidate(
      `${process.execPath} -e '${`process.stdin.on("data", (text) => { const r = JSON.parse(text); ${before} console.log(JSON.stringify({ protocol: 2, case: r.case, ${answer} })); });`}'`,
    );

  test("a line of the protocol", async () => {
    expect(await told(said('unsupported: "odd"'))).toBe("inconclusive\nadd.forward: the candidate refused it: odd");
    expect(await told(said("unsupported: 3"))).toMatch(/^FAIL\n.*or "unsupported" with a reason in words/);
    expect(await told(said('unsupported: "odd", error: "broken"'))).toMatch(
      /^FAIL\n.*or one of "error" and "unsupported"/,
    );
    expect(await told(said('unsupported: "x".repeat(1e6)'))).toMatch(/^FAIL\n.*wrote more than 65536 characters/);
    const written = 'require("fs").writeFileSync(r.outputs, "");';
    expect(await told(said('unsupported: "odd"', written))).toMatch(
      /^FAIL\n.*refused a case after it had written the file of its outputs/,
    );
    const spoilt = 'require("fs").appendFileSync(r.inputs, "0");';
    expect(await told(said('unsupported: "odd"', spoilt))).toMatch(
      /^FAIL\n.*refused a case, and its inputs file was changed/,
    );
  });

  test.skipIf(python.absent)(`the Python client${python.note}`, async () => {
    const path = join(folder, "kernel.py");
    writeFileSync(
      path,
      'import touchstone\ndef kernel(op, inputs, scalars):\n    raise touchstone.Unsupported("%d numbers" % inputs["a"].shape[0])\ntouchstone.serve(kernel)\n',
    );
    expect(await told(processCandidate(`PYTHONDONTWRITEBYTECODE=1 python3 '${path}'`))).toBe(
      "inconclusive\nadd.forward: the candidate refused it: 5 numbers",
    );
  });

  test.skipIf(compiler.absent)(`the C client${compiler.note}`, async () => {
    const [source, binary] = [join(folder, "kernel.c"), join(folder, "kernel")];
    writeFileSync(
      source,
      '#include "touchstone.h"\nint main(void) { static ts_case c; while (ts_next(&c)) ts_unsupported(&c, "a \\"quote\\""); return 0; }\n',
    );
    execFileSync("cc", ["-std=c99", "-I", client("c"), "-o", binary, source, "-lm"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    expect(await told(processCandidate(`'${binary}'`))).toBe(
      "inconclusive\nadd.forward: the candidate refused it: a 'quote'",
    );
  });
});
