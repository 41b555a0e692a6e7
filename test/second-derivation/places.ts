// The evaluations of each op at some elements of a problem, every listed form with every other that it goes with.
import { dxForms, dxNode, means, roots, type Row, statistics } from "./evaluations-rmsnorm.ts";
import { bases as rowBases, manners } from "./evaluations-row.ts";
import { dlogitForms, norm, scaledNorm, yForms } from "./evaluations-small.ts";
import { bases, dgates, dups, forwards } from "./evaluations-swiglu.ts";
import type { Orders } from "./orders.ts";
import type { PlacesOf } from "./place.ts";
import { attentionBackward, attentionForward } from "./places-attention.ts";
import type { Problem } from "./problems.ts";
import type { Id, Tape } from "./tape.ts";

const numbers = (problem: Problem, name: string): number[] => Array.from(problem.inputs[name].data);
/** falling is the worst order; the others are for terms whose errors differ. */
const ORDERS: readonly Orders[] = ["falling", "sequential"];

const rmsnormForward: PlacesOf = (problem) => {
  const [x, w] = ["x", "w"].map((name) => numbers(problem, name));
  const eps = Number(problem.scalars.eps);
  const ways = Object.entries(means).flatMap(([mean, of]) =>
    Object.entries(yForms).flatMap(([form, evaluate]) =>
      Object.entries(roots).map(([root, rstd]) => {
        const y = (t: Tape): Id => {
          const leaves = t.leaves(x);
          const moment = t.add(of(t, leaves, "falling"), t.constant(eps));
          return evaluate(t, leaves[0], t.leaf(w[0]), rstd(t, moment), moment);
        };
        return [`${form}, ${mean}, ${root}`, y] as const;
      }),
    ),
  );
  return [{ output: "y", index: 0, ways }];
};

const rmsnormBackward: PlacesOf = (problem, few) => {
  const [dy, x, w, [rstd]] = ["dy", "x", "w", "rstd"].map((name) => numbers(problem, name));
  const row: Row = { dy, x, w, rstd, eps: Number(problem.scalars.eps) };
  const chosen = Object.entries(statistics).filter(
    ([name]) => !few || /saved|reciprocal root|shares inverse/.test(name),
  );
  return [0, x.length - 1].slice(0, few ? 1 : 2).map((c) => ({
    output: "dx",
    index: c,
    ways: Object.entries(dxForms).flatMap(([form, evaluate]) =>
      chosen.flatMap(([from, statistic]) =>
        ORDERS.slice(0, few ? 1 : 2).map(
          (order) =>
            [`${form}, ${from}, ${order}`, (t: Tape) => dxNode(t, row, evaluate, statistic, order, c)] as const,
        ),
      ),
    ),
  }));
};

const swigluForward: PlacesOf = (problem) => {
  const [gate, up] = ["gate", "up"].map((name) => numbers(problem, name));
  return gate.map((z, i) => ({
    output: "y",
    index: i,
    ways: Object.entries(forwards).flatMap(([form, y]) =>
      Object.entries(bases).map(
        ([base, exp]) => [`${form}, base ${base}`, (t: Tape) => y(t, t.leaf(z), t.leaf(up[i]), exp)] as const,
      ),
    ),
  }));
};

const swigluBackward: PlacesOf = (problem) => {
  const [dy, gate, up] = ["dy", "gate", "up"].map((name) => numbers(problem, name));
  return gate.flatMap((z, i) =>
    Object.entries({ dgate: dgates, dup: dups }).map(([output, forms]) => ({
      output,
      index: i,
      ways: Object.entries(forms).flatMap(([form, gradient]) =>
        Object.entries(bases).map(
          ([base, exp]) =>
            [`${form}, base ${base}`, (t: Tape) => gradient(t, t.leaf(dy[i]), t.leaf(z), t.leaf(up[i]), exp)] as const,
        ),
      ),
    })),
  );
};

/** Manners and bases of a row's sum of exponentials that are tried at a model's length. */
const FEW_MANNERS = /^(maximum-first|running, ascending|blocks of 16|lanes, 32)$/;
const FEW_BASES = /^(natural byLog|fused byLog2|unfused inBase2)$/;

function rowWays(few: boolean) {
  return Object.entries(manners)
    .filter(([name]) => !few || FEW_MANNERS.test(name))
    .flatMap(([manner, sumOf]) =>
      Object.entries(rowBases)
        .filter(([name]) => !few || FEW_BASES.test(name))
        .map(([name, base]) => ({ name: `${manner}, ${name}`, sumOf, base })),
    );
}

const crossEntropyForward: PlacesOf = (problem, few) => {
  const logits = numbers(problem, "logits");
  const target = problem.inputs.targets.data[0];
  const ways = rowWays(few);
  return [
    {
      output: "lse",
      index: 0,
      ways: ways.map(({ name, sumOf, base }) => {
        const lse = (t: Tape): Id => {
          const { m, sum } = sumOf(t, t.leaves(logits), base, "falling");
          return base.lse(t, m, sum);
        };
        return [name, lse] as const;
      }),
    },
    {
      output: "loss",
      index: 0,
      ways: ways.flatMap(({ name, sumOf, base }) => {
        const fromLse = (t: Tape): Id => {
          const x = t.leaves(logits);
          const { m, sum } = sumOf(t, x, base, "falling");
          return t.sub(base.lse(t, m, sum), x[target]);
        };
        const fromSum = (t: Tape): Id => {
          const x = t.leaves(logits);
          const { m, sum } = sumOf(t, x, base, "falling");
          return t.sub(t.call("log", sum), t.sub(x[target], m));
        };
        return [[name, fromLse] as const, [`${name}, from the sum`, fromSum] as const];
      }),
    },
  ];
};

const crossEntropyBackward: PlacesOf = (problem, few) => {
  const [V, n] = [problem.inputs.logits.shape[1], problem.inputs.logits.shape[0]];
  const logits = numbers(problem, "logits").slice(0, V);
  const [lse, dloss] = [numbers(problem, "lse")[0], numbers(problem, "dloss")[0]];
  return [V >> 1, 0].map((v) => ({
    output: "dlogits",
    index: v,
    ways: rowWays(few).flatMap(({ name, sumOf, base }) =>
      ["saved", "anew", "quotient", "reciprocal"].flatMap((from) =>
        Object.entries(dlogitForms).map(([form, gradient]) => {
          const evaluate = (t: Tape): Id => {
            const x = t.leaves(logits);
            const p = ((): Id => {
              if (from === "saved") return base.of(t, x[v], t.constant(lse));
              const { m, sum } = sumOf(t, x, base, "falling");
              if (from === "anew") return base.of(t, x[v], base.lse(t, m, sum));
              const e = base.of(t, x[v], m);
              return from === "quotient" ? t.div(e, sum) : t.mul(e, t.div(t.constant(1), sum));
            })();
            return gradient(t, p, v === V >> 1, t.leaf(dloss), t.constant(n));
          };
          return [`${form}, ${from}, ${name}`, evaluate] as const;
        }),
      ),
    ),
  }));
};

const softmaxForward: PlacesOf = (problem, few) => {
  const x = numbers(problem, "x");
  return [0, x.length - 1].slice(0, few ? 1 : 2).map((c) => ({
    output: "y",
    index: c,
    ways: rowWays(few).flatMap(({ name, sumOf, base }) =>
      ["quotient", "reciprocal", "lse"].map((by) => {
        const evaluate = (t: Tape): Id => {
          const row = t.leaves(x);
          const { m, sum } = sumOf(t, row, base, "falling");
          if (by === "lse") return base.of(t, row[c], base.lse(t, m, sum));
          const e = base.of(t, row[c], m);
          return by === "quotient" ? t.div(e, sum) : t.mul(e, t.div(t.constant(1), sum));
        };
        return [`${name}, by ${by}`, evaluate] as const;
      }),
    ),
  }));
};

/** Sizes of parts, from the smallest: none for the root of the sum, four levels at most. */
const PARTS: readonly (readonly number[])[] = [[], [1], [3], [7, 3], [2, 2, 2], [1, 1, 1, 1], [5, 1, 2, 1]];

const gradientNorm: PlacesOf = (problem) => {
  const g = numbers(problem, "g");
  const parts = PARTS.map(
    (sizes) => [`parts ${sizes.join(",")}`, (t: Tape) => norm(t, t.leaves(g), sizes, "falling")] as const,
  );
  return [
    {
      output: "norm",
      index: 0,
      ways: [...parts, ["scaled by largest", (t: Tape) => scaledNorm(t, t.leaves(g), "falling")] as const],
    },
  ];
};

export const placesOf: Readonly<Record<string, PlacesOf>> = {
  "rmsnorm.forward": rmsnormForward,
  "rmsnorm.backward": rmsnormBackward,
  "swiglu.forward": swigluForward,
  "swiglu.backward": swigluBackward,
  "softmax.forward": softmaxForward,
  "cross-entropy.forward": crossEntropyForward,
  "cross-entropy.backward": crossEntropyBackward,
  "attention.forward": attentionForward,
  "attention.backward": attentionBackward,
  "gradient-norm.forward": gradientNorm,
};
