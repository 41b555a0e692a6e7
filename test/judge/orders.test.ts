// Calls in another order: what a kernel keeps between calls under too small a key is seen, and what it keeps rightly is not.
import { describe, expect, test } from "vitest";
import { check } from "../../judge/check.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { parseReplay } from "../../judge/replay.ts";
import type { Candidate } from "../../reference/candidate.ts";
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { wgslTerms } from "../terms.ts";
import { candidate, trialOf, tryRelation } from "./candidates.ts";

const NAME = "another order of calls";
const right = (op: string, inputs: Inputs, scalars: Scalars = {}): Outputs =>
  operations.get(op)!.evaluate(inputs, scalars, Float32Array);

/** y = x wᵀ of as many columns of x as the plan is for, at most. */
function linearOf(columns: number, { x, w }: Inputs): Outputs {
  const cut = (t: Tensor): Tensor => {
    const C = t.shape[1];
    return { data: t.data.map((v, i) => (i % C < columns ? v : 0)) as Floats, shape: t.shape };
  };
  return right("linear.forward", { x: cut(x as Tensor), w: w as Tensor });
}

/** A linear whose plan, for a number of columns, is made at the first call with a key. */
function planned(keyOf: (inputs: Record<"x" | "w", Tensor>) => string): Candidate {
  const plans = new Map<string, number>();
  return candidate((inputs) => {
    const [key, columns] = [keyOf(inputs as Record<"x" | "w", Tensor>), inputs.x.shape[1]];
    if (!plans.has(key)) plans.set(key, columns);
    return linearOf(plans.get(key)!, inputs);
  });
}

/** A kernel that keeps something between the calls of one process. */
const keeping = (op: string, keep: (outputs: Record<string, Tensor>, inputs: Inputs) => Outputs): Candidate =>
  candidate((inputs, scalars) => keep(right(op, inputs, scalars) as Record<string, Tensor>, inputs));

describe("a linear whose plan is kept", () => {
  const tried = (keyOf: Parameters<typeof planned>[0]) => tryRelation("linear.forward", NAME, planned(keyOf));

  test("under all sizes passes", async () => {
    expect(await tried(({ x, w }) => `${x.shape} ${w.shape}`)).toMatchObject({ state: "holds", unjudged: 0 });
    expect((await tried(({ x }) => `${x.shape[1]}`)).state).toBe("holds");
  });

  test.each([
    ["the op alone", () => ""],
    ["the rows", ({ x }: Record<"x", Tensor>) => `${x.shape[0]}`],
    ["the columns of the output", ({ w }: Record<"w", Tensor>) => `${w.shape[0]}`],
    ["both sizes of the output", ({ x, w }: Record<"x" | "w", Tensor>) => `${x.shape[0]} ${w.shape[0]}`],
    ["whether the sum is split", ({ x }: Record<"x", Tensor>) => `${x.shape[1] > 64}`],
    ["the columns modulo 10", ({ x }: Record<"x", Tensor>) => `${x.shape[1] % 10}`],
  ])("under %s is seen", async (_, keyOf) => {
    const { state, message, replay } = await tried(keyOf);
    expect(state).toBe("broken");
    expect(message).toMatch(
      /^linear\.forward R=37 O=35 C=41 .* seed=1, another order of calls: [ROC]=\d+, .* after .*: y\[/,
    );
    expect(parseReplay(replay!).relation?.name).toBe(NAME);
  });
});

describe("what else is kept", () => {
  test("a workspace that grows and is not cleared shows in the call after a larger one", async () => {
    let workspace = new Float32Array(0);
    const grown = (isCleared: boolean): Candidate =>
      keeping("swiglu.forward", ({ y }) => {
        if (workspace.length < y.data.length || isCleared) workspace = new Float32Array(y.data.length);
        const last = workspace[y.data.length - 1];
        workspace.set(y.data);
        return { y: { data: y.data.map((v) => v + last * 2 ** -23) as Floats, shape: y.shape } };
      });
    expect((await tryRelation("swiglu.forward", NAME, grown(true))).state).toBe("holds");
    expect((await tryRelation("swiglu.forward", NAME, grown(false))).state).toBe("broken");
  });

  test("a gradient that is added to the last one of its shape", async () => {
    const last = new Map<string, Tensor>();
    const added = keeping("rmsnorm.backward", ({ dx, dw }) => {
      const before = last.get(`${dw.shape}`);
      const data = dw.data.map((v, i) => v + (before?.data[i] ?? 0)) as Floats;
      last.set(`${dw.shape}`, { data, shape: dw.shape });
      return { dx, dw: { data, shape: dw.shape } };
    });
    expect((await tryRelation("rmsnorm.backward", NAME, added)).state).toBe("broken");
  });

  test("a weight that was uploaded is the one of its array, until the numbers in it change", async () => {
    const op = "linear.forward";
    const uploads = new WeakMap<object, Tensor>();
    const cached = (isChecked: boolean): Candidate =>
      candidate(({ x, w }) => {
        const kept = uploads.get(w.data);
        if (kept === undefined || (isChecked && kept.data.some((v, i) => v !== w.data[i]))) {
          uploads.set(w.data, { data: w.data.slice() as Floats, shape: w.shape });
        }
        return right(op, { x, w: uploads.get(w.data)! });
      });
    expect((await tryRelation(op, NAME, cached(true))).state).toBe("holds");
    const { state, message } = await tryRelation(op, NAME, cached(false));
    expect([state, message]).toEqual(["broken", expect.stringMatching(/: R=130, .* after R=70, .*: y\[/)]);
  });

  test("keys over as many parts as at the first call, where there are few queries", async () => {
    const op = "attention.forward";
    const parts = new Map<number, number>();
    const split = candidate((inputs, scalars) => {
      const [k, T] = [inputs.k, inputs.q.shape[1]];
      const [, S, , HS] = k.shape;
      const count = Math.ceil(S / 64);
      if (T > 8 || S <= 64) return right(op, inputs, scalars);
      if (!parts.has(HS)) parts.set(HS, count);
      const outputs = right(op, inputs, scalars) as Record<string, Tensor>;
      if (parts.get(HS)! >= count) return outputs;
      return { ...outputs, y: { data: outputs.y.data.map(() => 0) as Floats, shape: outputs.y.shape } };
    });
    for (const seed of [1, 2, 3, 4]) {
      parts.clear();
      expect((await tryRelation(op, NAME, split, seed)).state).toBe("broken");
    }
  });
});

describe("a candidate that can be started again", () => {
  /** Bits that one process chooses and keeps. */
  function choosing(factor: (process: number) => number): Candidate {
    let process = 0;
    const { run } = keeping("swiglu.forward", ({ y }) => {
      return { y: { data: y.data.map((v) => v * factor(process)) as Floats, shape: y.shape } };
    });
    return { name: "a process", run, restart: async () => void process++ };
  }

  test("is started once, and may choose other bits, but not other numbers", async () => {
    const one = await tryRelation(
      "swiglu.forward",
      NAME,
      choosing((process) => 1 + process * 2 ** -22),
    );
    expect(one.state).toBe("rounded");
    expect(
      (
        await tryRelation(
          "swiglu.forward",
          NAME,
          choosing((process) => 1 + process / 100),
        )
      ).state,
    ).toBe("broken");
    expect(
      (
        await tryRelation(
          "swiglu.forward",
          NAME,
          choosing(() => 1),
        )
      ).state,
    ).toBe("holds");
  });

  test("that will not end is a finding, and a check reaches it", async () => {
    const op = "swiglu.forward";
    const chosen = { operation: operations.get(op)!, spec: judgeRows.get(op)! };
    const stuck: Candidate = {
      ...keeping(op, (outputs) => outputs),
      restart: () => Promise.reject(new Error("left a process running")),
    };
    const { examination, conclusion } = await check(chosen, stuck, wgslTerms, { runs: 1, seed: 1 });
    expect(conclusion.verdict).toBe("FAIL");
    expect(examination?.findings).toEqual(["a function failed: left a process running"]);
  });
});

test("bits that are not promised may change from call to call within the bound", async () => {
  const op = "swiglu.forward";
  let calls = 0;
  const uneven = keeping(op, ({ y }) => {
    const factor = 1 + (calls++ % 3) * 2 ** -23;
    return { y: { data: y.data.map((v) => v * factor) as Floats, shape: y.shape } };
  });
  const { run } = parseReplay(`${op} R=9 F=70 profile=unit seed=1, ${NAME}`).relation!;
  expect((await run({ ...trialOf(op, uneven), deterministic: false })).state).toBe("holds");
  expect((await run(trialOf(op, uneven))).state).toBe("broken");
});
