// Each relation holds for correct evaluations in any order, and catches the mistake that it is there for.
import { describe, expect, test } from "vitest";
import { check } from "../../judge/check.ts";
import { choose } from "../../judge/choose.ts";
import { relationsOf } from "../../judge/relations/index.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import type { Operation, Outputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import { gather } from "../../judge/relations/relation.ts";
import { candidate, mistaken, trialOf, tryRelation, zooCandidate } from "./candidates.ts";
import { wgslTerms } from "../terms.ts";

const SLIGHT = Math.fround(2 ** -26);

describe("correct evaluations keep every relation", () => {
  test.each([...operations.keys()])("%s", async (op) => {
    expect(relationsOf(operations.get(op)!, judgeRows.get(op)!).length).toBeGreaterThan(0);
    const variants = evaluationsOf(op).length;
    for (const [i, order] of (["sequential", "descending", "pairwise", "strided"] as const).entries()) {
      // Functions that err at random would give other bits for the same argument.
      const habits = { order, fused: i % 2 === 0, functions: "low" } as const;
      const tried = zooCandidate(op, { habits, variant: (3 * i) % variants });
      for (const { name, run } of relationsOf(operations.get(op)!, judgeRows.get(op)!)) {
        if (/^another (number|length) of/.test(name)) continue; // sums are long; test/judge/batches.test.ts has some
        const { state, message } = await run(trialOf(op, tried, i));
        expect(state, `${name}, ${order}: ${message}`).not.toBe("broken");
      }
    }
  });
});

/** The op applied to changed inputs: how a mistake in an index looks from outside. */
function reading(op: string, change: (inputs: Record<string, Tensor<Floats | Ints>>) => void) {
  return candidate((inputs, scalars) => {
    const changed: Record<string, Tensor<Floats | Ints>> = { ...inputs };
    change(changed);
    return operations.get(op)!.evaluate(changed, scalars, Float32Array) as Outputs;
  });
}

describe("attention", () => {
  const op = "attention.forward";

  test("a later token that leaks by less than the bound is seen", async () => {
    const leaking = mistaken(op, ({ y }, { v }) => {
      const [B, T, NH, HS] = y.shape;
      const last = v.data.length / B - HS; // the last key's last head
      for (let i = 0; i < (y.data.length / B / T) * (T - 1); i++) y.data[i] += SLIGHT * v.data[last + (i % HS)];
      expect(NH).toBeGreaterThan(0);
    });
    const { operation, spec, sizes } = trialOf(op, leaking);
    const verdict = await judgeProblem(operation, leaking, spec.build(sizes, "unit", 1), wgslTerms);
    expect(verdict.findings).toEqual([]);
    const { state, message } = await tryRelation(op, "later tokens", leaking);
    expect(state).toBe("broken");
    expect(message).toMatch(/^attention\.forward B=2 .* seed=1, later tokens: y\[.*\]: \S+ became \S+$/);
    // What promises no bits is held to its bound, which this keeps.
    const loose = { ...trialOf(op, leaking), deterministic: false };
    expect(
      (
        await relationsOf(operations.get(op)!, judgeRows.get(op)!)
          .find(({ name }) => name === "later tokens")!
          .run(loose)
      ).state,
    ).toBe("holds");
  });

  test("the mask off by one, keys of another batch, and the wrong group of heads", async () => {
    const nextKey = candidate((inputs, scalars) => {
      const { q } = inputs as Record<string, Tensor>;
      const T = q.shape[1];
      const places = Array.from({ length: T }, (_, t) => t);
      // Each query stands at the next one's place, sees what that one sees, and goes back.
      const moved = gather(q, "B,T,NH,HS", { T: places.map((t) => Math.max(0, t - 1)) });
      const { y, lse } = operations.get(op)!.evaluate({ ...inputs, q: moved }, scalars, Float32Array);
      return { y: gather(y, "B,T,NH,HS", { T: places.map((t) => Math.min(T - 1, t + 1)) }), lse };
    });
    expect((await tryRelation(op, "later tokens", nextKey)).state).toBe("broken");
    const firstBatch = reading(op, (inputs) => {
      inputs.k = gather(inputs.k, "B,S,NKV,HS", { B: [0, 0] });
    });
    expect((await tryRelation(op, "the rest of B", firstBatch, 3)).state).toBe("broken");
    expect((await tryRelation(op, "another order of B", firstBatch, 3)).state).toBe("broken");
    const otherGroup = reading(op, (inputs) => {
      inputs.v = gather(inputs.v, "B,S,NKV,HS", { NKV: [1, 0] });
    });
    expect((await tryRelation(op, "the rest of the heads", otherGroup)).state).toBe("broken");
  });

  test("scores that do not stay a softmax's", async () => {
    // A lost maximum: lse as if the largest weight were 1.
    const clamped = mistaken(op, ({ lse }) => lse.data.forEach((x, i) => (lse.data[i] = Math.min(x, 2))));
    expect((await tryRelation(op, "a constant added to a query's scores", clamped)).state).toBe("broken");
  });
});

describe("rows, places and scales", () => {
  test("linear: a result that depends on its place, beyond and within the bound", async () => {
    const op = "linear.forward";
    const uneven = (factor: number) =>
      mistaken(op, ({ y }) => {
        const O = y.shape[1];
        for (let i = 0; i < y.data.length; i++) if (Math.floor(i / O) % 32 === 31) y.data[i] *= factor;
      });
    const relation = "another order of R";
    expect((await tryRelation(op, relation, uneven(1.001))).state).toBe("broken");
    expect((await tryRelation(op, relation, uneven(1 + 2 ** -22))).state).toBe("rounded");
    expect((await tryRelation(op, relation, uneven(1))).state).toBe("holds");
  });

  test("linear: a remainder of an earlier sum", async () => {
    const stale = mistaken("linear.forward", ({ y }) => y.data.forEach((_, i) => (y.data[i] += SLIGHT)));
    expect((await tryRelation("linear.forward", "a row of zeros", stale)).state).toBe("broken");
  });

  test("linear: a sum that stops early is another sum in another order", async () => {
    const short = reading("linear.forward", (inputs) => {
      const { x } = inputs as Record<string, Tensor>;
      const [R, C] = x.shape;
      inputs.x = { data: x.data.map((v, i) => (i % C === C - 1 ? 0 : v)) as Floats, shape: [R, C] };
    });
    expect((await tryRelation("linear.forward", "another order of C", short)).state).toBe("broken");
  });

  test("embedding: gradients overwritten where a token occurs twice", async () => {
    const op = "embedding.backward";
    const overwriting = mistaken(op, ({ dw }, { dy, tokens }) => {
      const C = dy.shape[1];
      tokens.data.forEach((v, r) => dw.data.set(dy.data.subarray(r * C, r * C + C) as Float32Array, v * C));
    });
    expect((await tryRelation(op, "another order of R", overwriting)).state).toBe("broken");
  });

  test("rmsnorm: eps outside the root; the gain of another row", async () => {
    const op = "rmsnorm.forward";
    const outside = mistaken(op, ({ y, rstd }, { x, w }, { eps }) => {
      const C = w.shape[0];
      rstd.data.forEach((_, r) => {
        let squares = 0;
        for (let c = 0; c < C; c++) squares += x.data[r * C + c] ** 2;
        rstd.data[r] = 1 / (Math.sqrt(squares / C) + 100 * Number(eps));
        for (let c = 0; c < C; c++) y.data[r * C + c] = x.data[r * C + c] * rstd.data[r] * w.data[c];
      });
    });
    expect((await tryRelation(op, "x times 8, eps times 64", outside)).state).toBe("broken");
    const neighbour = mistaken(op, ({ y }) => y.data.copyWithin(0, 1));
    expect((await tryRelation(op, "the rest of R", neighbour)).state).toBe("broken");
  });

  test("rope: angles that do not grow with the position", async () => {
    const squared = reading("rope.forward", (inputs) => {
      const T = inputs.cos.shape[0];
      const order = { T: Array.from({ length: T }, (_, t) => (t * t) % T) };
      inputs.cos = gather(inputs.cos, "T,HS/2", order);
      inputs.sin = gather(inputs.sin, "T,HS/2", order);
    });
    expect((await tryRelation("rope.forward", "equal differences of positions", squared)).state).toBe("broken");
  });

  test("rope-table: sine and cosine changed over; a start that is not counted", async () => {
    const swapped = mistaken("rope-table.forward", ({ cos, sin }) => sin.data.set(cos.data));
    expect((await tryRelation("rope-table.forward", "the same position", swapped)).state).toBe("broken");
    const op = operations.get("rope-table.forward")!;
    const fromZero = candidate((inputs, scalars) => op.evaluate(inputs, { ...scalars, start: 0 }, Float32Array));
    expect((await tryRelation("rope-table.forward", "the same position", fromZero)).state).toBe("broken");
  });

  test("swiglu: σ in place of silu", async () => {
    const gateless = mistaken("swiglu.forward", ({ y }, { gate }) =>
      y.data.forEach((x, i) => (y.data[i] = x / gate.data[i])),
    );
    expect((await tryRelation("swiglu.forward", "gate mirrored", gateless)).state).toBe("broken");
  });

  test("cross-entropy: no maximum subtracted, all rows with the first row's gradient, classes counted from one", async () => {
    const op = "cross-entropy.forward";
    const clamped = mistaken(op, ({ lse }) => lse.data.forEach((x, i) => (lse.data[i] = Math.min(x, 5))));
    expect((await tryRelation(op, "a constant added to a row's logits", clamped)).state).toBe("broken");
    const first = mistaken("cross-entropy.backward", ({ dlogits }) => {
      const V = dlogits.shape[1];
      dlogits.data.forEach((_, i) => (dlogits.data[i] = dlogits.data[i % V]));
    });
    expect((await tryRelation("cross-entropy.backward", "the rest of R", first)).state).toBe("broken");
    expect((await tryRelation("cross-entropy.backward", "another order of R", first)).state).toBe("broken");
    const shifted = reading(op, (inputs) => {
      const V = inputs.logits.shape[1];
      inputs.targets = { ...inputs.targets, data: inputs.targets.data.map((v) => (v < 0 ? v : (v + 1) % V)) as Ints };
    });
    expect((await tryRelation(op, "another order of V", shifted)).state).toBe("broken");
  });

  test("clip: gradients within the limit scaled up; the norm's last part dropped", async () => {
    const scaledUp = mistaken("clip.forward", ({ g }, inputs, { maxNorm }) => {
      const factor = Number(maxNorm) / inputs.norm.data[0];
      inputs.g.data.forEach((x, i) => (g.data[i] = x * factor));
    });
    expect((await tryRelation("clip.forward", "a limit of twice the norm", scaledUp)).state).toBe("broken");
    const dropped = reading("gradient-norm.forward", (inputs) => {
      const n = inputs.g.data.length;
      inputs.g = { data: inputs.g.data.slice(0, n - (n % 64)) as Floats, shape: [n - (n % 64)] };
    });
    expect((await tryRelation("gradient-norm.forward", "another order of N", dropped)).state).toBe("broken");
  });

  test("adamw: every element gets the first one's second moment", async () => {
    const first = reading("adamw.forward", (inputs) => {
      inputs.v = { data: inputs.v.data.map(() => inputs.v.data[0]) as Floats, shape: inputs.v.shape };
    });
    expect((await tryRelation("adamw.forward", "the rest of N", first)).state).toBe("broken");
    expect((await tryRelation("adamw.forward", "another order of N", first)).state).toBe("broken");
  });
});

test("every op of the table has relations, and each relation a sentence", () => {
  for (const [op, operation] of operations as ReadonlyMap<string, Operation>) {
    const list = relationsOf(operations.get(op)!, judgeRows.get(op)!);
    expect(list.length, operation.name).toBeGreaterThan(0);
    for (const { name, statement } of list) expect(statement, name).toMatch(/^[A-Za-z].*\.$/);
    expect(new Set(list.map(({ name }) => name)).size).toBe(list.length);
  }
  expect(judgeRows.size).toBe(operations.size);
});

test("calls in another order are not accused of what a case has shown already", async () => {
  const op = "add.forward";
  const off = mistaken(op, ({ y }) => y.data.forEach((x, i) => (y.data[i] = 2 * x)));
  expect((await tryRelation(op, "another order of calls", off)).state).toBe("broken");
  const known = { ...trialOf(op, off), isOutside: () => true };
  const order = relationsOf(operations.get(op)!, judgeRows.get(op)!).find(({ name }) =>
    name.includes("order of calls"),
  )!;
  expect((await order.run(known)).state).toBe("holds");
  // The numbers of the last call again are wrong in an order of their own.
  let last: Outputs | undefined;
  const stale = candidate((inputs, scalars) => {
    const now = operations.get(op)!.evaluate(inputs, scalars, Float32Array);
    const given = last?.y.data.length === now.y.data.length ? last : now;
    last = now;
    return given;
  });
  expect((await order.run({ ...trialOf(op, stale), isOutside: () => true })).state).toBe("broken");
  const { examination } = await check(choose([op])[0], off, wgslTerms, { runs: 1, seed: 1 });
  expect(examination!.relations.find(({ name }) => name === order.name)!.state).toBe("holds");
});
