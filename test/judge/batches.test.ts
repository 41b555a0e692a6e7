// Another number of rows: kernels that take another way for few rows keep their numbers, and those that promise bits keep those.
import { describe, expect, test } from "vitest";
import { isFinding } from "../../judge/examination.ts";
import { parseReplay } from "../../judge/replay.ts";
import type { Candidate } from "../../reference/candidate.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import { relationsOf } from "../../judge/relations/index.ts";
import type { Outcome } from "../../judge/relations/relation.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { candidate, mistaken, trialOf, tryRelation, zooCandidate } from "./candidates.ts";

/** The relation as a candidate that promises bits is tried by. */
async function tryPromised(op: string, name: string, tried: Candidate): Promise<Outcome> {
  const relation = relationsOf(operations.get(op)!, judgeRows.get(op)!).find((one) => one.name === name)!;
  return relation.run({ ...trialOf(op, tried), bitwise: true });
}

test.each(["embedding.backward", "linear.forward", "softmax.backward", "cross-entropy.forward"])(
  "%s, evaluated correctly, keeps its bits among others and its bound otherwise",
  async (op) => {
    const tried = zooCandidate(op, { habits: { order: "pairwise", functions: "low" } });
    for (const { name, run } of relationsOf(operations.get(op)!, judgeRows.get(op)!)) {
      if (!/^another (number|length) of/.test(name)) continue;
      const { state, compared, unjudged, message } = await run(trialOf(op, tried));
      expect([state, unjudged], `${name}: ${message}`).toEqual(["holds", 0]);
      expect(compared).toBeGreaterThan(0);
    }
  },
);

/** A product in float32, split over `parts(rows, columns)` sums. */
function splitLinear(parts: (rows: number, columns: number) => number): Candidate {
  return candidate((inputs) => {
    const { x, w } = inputs as Record<"x" | "w", Tensor>;
    const [R, C] = x.shape;
    const O = w.shape[0];
    const y = new Float32Array(R * O);
    const width = Math.ceil(C / parts(R, C));
    for (let r = 0; r < R; r++) {
      for (let o = 0; o < O; o++) {
        let sum = 0;
        for (let from = 0; from < C; from += width) {
          let part = 0;
          for (let c = from; c < Math.min(C, from + width); c++) {
            part = Math.fround(part + Math.fround(x.data[r * C + c] * w.data[o * C + c]));
          }
          sum = Math.fround(sum + part);
        }
        y[r * O + o] = sum;
      }
    }
    return { y: { data: y, shape: [R, O] } };
  });
}

describe("linear.forward", () => {
  const op = "linear.forward";
  const NAME = "another number of R";

  test("split the same for every number of rows keeps its bits", async () => {
    expect(
      await tryRelation(
        op,
        NAME,
        splitLinear(() => 1),
      ),
    ).toMatchObject({ state: "holds", unjudged: 0 });
    expect(
      (
        await tryRelation(
          op,
          NAME,
          splitLinear((_, C) => Math.ceil(C / 128)),
        )
      ).state,
    ).toBe("holds");
  });

  test.each([
    ["sequential for one row", (R: number) => (R === 1 ? 1 : 4)],
    ["split for up to 16 rows", (R: number) => (R <= 16 ? 8 : 1)],
    [
      "split for fewer than 128 rows with columns from 1,024 on",
      (R: number, C: number) => (R < 128 && C >= 1024 ? 4 : 1),
    ],
  ])("%s is a note, and a finding where bits are promised", async (_, parts) => {
    const outcome = await tryPromised(op, NAME, splitLinear(parts));
    expect(outcome.state).toBe("rounded");
    expect([isFinding(outcome, false), isFinding(outcome, true)]).toEqual([false, true]);
    expect(outcome.message).toMatch(/seed=1, another number of R: .*R \d+: y\[\d+,\d+\]: \S+ became \S+; bits by R: /);
    expect(parseReplay(outcome.replay!).relation?.name).toBe(NAME);
    const loose = { ...trialOf(op, splitLinear(parts)), deterministic: false };
    expect((await parseReplay(outcome.replay!).relation!.run(loose)).state).toBe("holds");
  });

  test("beyond the bound is a finding of every kernel", async () => {
    const wrong = mistaken(op, ({ y }) => {
      if (y.shape[0] === 7) y.data[0] *= 1.01;
    });
    expect((await tryRelation(op, NAME, wrong)).state).toBe("broken");
  });
});

describe("attention.forward", () => {
  const op = "attention.forward";
  const NAME = "another number of T";
  /** A last bit that depends on the numbers of queries and of keys. */
  const nudged = (isNudged: (T: number, S: number) => boolean): Candidate =>
    candidate((inputs, scalars) => {
      const { y, lse } = operations.get(op)!.evaluate(inputs, scalars, Float32Array) as Record<string, Tensor>;
      const factor = isNudged(inputs.q.shape[1], inputs.k.shape[1]) ? 1 + 2 ** -22 : 1;
      return { y: { data: y.data.map((v) => v * factor) as Floats, shape: y.shape }, lse };
    });

  test("one query by another way than many, and longer keys", async () => {
    expect(
      (
        await tryRelation(
          op,
          NAME,
          nudged(() => false),
        )
      ).state,
    ).toBe("holds");
    const decode = await tryRelation(
      op,
      NAME,
      nudged((T) => T === 1),
    );
    expect([decode.state, decode.message]).toEqual(["rounded", expect.stringContaining("bits by T: 1 | 2–")]);
    const long = await tryRelation(
      op,
      NAME,
      nudged((_, S) => S >= 40),
    );
    expect([long.state, long.message]).toEqual(["rounded", expect.stringContaining("keys: 1–7 other | 64 same")]);
  });
});
