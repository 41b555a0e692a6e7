// Functions in this process that throw or return anything, and that spoil what they are given: each is a finding in one line,
// and the next case is judged as if nothing had happened.
import { describe, expect, test } from "vitest";
import { functionCandidate } from "../../judge/candidates/function.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { FormatError } from "../../formats/error.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { ieeeTerms } from "../terms.ts";

const operation = operations.get("swiglu.forward")!;
const problem = judgeRows.get("swiglu.forward")!.build({ R: 3, F: 5 }, "unit", 1);

/** A kernel that is right, on what the arguments were when it was called. */
const right = (inputs: Inputs, scalars: Scalars): Outputs =>
  operation.evaluate(structuredClone(inputs), scalars, Float32Array);

type Any = Record<string, any>; // a hostile function does what no type allows

const spoiled: Record<string, (inputs: Any, scalars: Any) => void> = {
  "written to": ({ gate }) => void (gate.data[0] += 1),
  detached: ({ gate }) => void structuredClone(0, { transfer: [gate.data.buffer] }),
  deleted: (inputs) => void delete inputs.gate,
  "with another shape": ({ gate }) => void gate.shape.splice(0, 2, 5, 3),
  "with a shape of no length": ({ gate }) => void (gate.shape.length = 0),
  "with another array": ({ gate }) => void (gate.data = gate.data.slice()),
  "with a getter that throws": (inputs) =>
    void Object.defineProperty(inputs, "gate", {
      get: () => {
        throw null;
      },
    }),
};

const thrown: Record<string, () => unknown> = {
  null: () => null,
  undefined: () => undefined,
  "a symbol": () => Symbol("s"),
  "an object without a prototype": () => Object.create(null),
  "an object that throws when it is read": () => ({
    get message() {
      throw new Error("no");
    },
  }),
  "a proxy": () =>
    new Proxy(
      {},
      {
        get() {
          throw null;
        },
      },
    ),
  "an object whose words throw": () => ({
    toString() {
      throw new Error("no");
    },
  }),
  "a function whose words throw": () =>
    Object.assign(() => {}, {
      toString() {
        throw new Error("no");
      },
    }),
  "an error of the judge's own class": () => new FormatError("mine", "is broken, expected a file"),
  "an endless message": () => new Error("x".repeat(1e6)),
  "a message of several lines": () => new Error("a\nb"),
};

const y = (n: number) => new Float32Array(n);
const returned: Record<string, () => unknown> = {
  null: () => null,
  nothing: () => undefined,
  "a getter that throws": () => ({
    get y() {
      throw null;
    },
  }),
  "a shape that is no list": () => ({ y: { data: y(15), shape: { length: 2 } } }),
  "a shape of words": () => ({ y: { data: y(15), shape: ["3", "5"] } }),
  "a shape of a million axes": () => ({ y: { data: y(15), shape: Array.from({ length: 1e6 }, () => 1) } }),
  "another shape": () => ({ y: { data: y(15), shape: [5, 3] } }),
  "too few numbers": () => ({ y: { data: y(14), shape: [3, 5] } }),
  "a detached array": () => {
    const data = y(15);
    structuredClone(0, { transfer: [data.buffer] });
    return { y: { data, shape: [3, 5] } };
  },
  "a proxy of an array": () => ({ y: { data: new Proxy(y(15), {}), shape: [3, 5] } }),
  "a list of numbers": () => ({ y: { data: Array.from(y(15)), shape: [3, 5] } }),
};

async function findingsOf(compute: (inputs: Inputs, scalars: Scalars) => unknown): Promise<readonly string[]> {
  const candidate = functionCandidate("it", operation, compute as never);
  const { findings } = await judgeProblem(operation, candidate, problem, ieeeTerms);
  for (const finding of findings) expect(finding).toMatch(/^.{1,2100}$/);
  return findings;
}

describe("in this process", () => {
  test.each(Object.keys(spoiled))("an input is noticed that is left %s", async (how) => {
    const findings = await findingsOf((inputs, scalars) => {
      const outputs = right(inputs, scalars);
      spoiled[how](inputs, scalars);
      return outputs;
    });
    expect(findings).toEqual(["input gate was changed"]);
    expect(await findingsOf(right)).toEqual([]);
  });

  test.each(Object.keys(thrown))("what is thrown is one line: %s", async (what) => {
    const findings = await findingsOf(() => {
      throw thrown[what]();
    });
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatch(/^it failed: /);
  });

  test.each(Object.keys(returned))("what is returned is one line: %s", async (what) => {
    expect(await findingsOf(returned[what])).toHaveLength(1);
  });

  test("an output whose getter answers differently each time is read once", async () => {
    const looks = { data: 0, shape: 0 };
    const findings = await findingsOf((inputs, scalars) => {
      const { data, shape } = right(inputs, scalars).y;
      return {
        y: {
          get data() {
            return looks.data++ === 0 ? data : null;
          },
          get shape() {
            return looks.shape++ === 0 ? shape : null;
          },
        },
      };
    });
    expect(findings).toEqual([]);
    expect(looks).toEqual({ data: 1, shape: 1 });
  });

  test("an output may lie in shared memory, and be frozen", async () => {
    const findings = await findingsOf((inputs, scalars) => {
      const { data, shape } = right(inputs, scalars).y;
      const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
      shared.set(data);
      return Object.freeze({ y: Object.freeze({ data: shared, shape: Object.freeze([...shape]) }) });
    });
    expect(findings).toEqual([]);
  });
});
