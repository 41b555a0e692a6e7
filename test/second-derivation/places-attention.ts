// The evaluations of attention at some elements, every listed form with every other that it goes with.
import { visibleKeys } from "../../reference/ops/attention.ts";
import type { Tensor } from "../../reference/tensor.ts";
import * as forwardWays from "./evaluations-attention.ts";
import {
  deltaForms,
  gradientOf,
  gradientScales,
  scoresOf,
  type Way,
  weightForms,
} from "./evaluations-attention-backward.ts";
import type { PlacesOf } from "./place.ts";
import type { Problem } from "./problems.ts";
import type { Id, Tape } from "./tape.ts";

/** The manners of attention, as many as there is time for. */
function attentionManners(few: boolean) {
  const list: forwardWays.Manner[] = [];
  for (const place of few ? (["in-scores", "in-exponent"] as const) : forwardWays.scales) {
    for (const form of few ? ["division", "inverse-sqrt"] : Object.keys(forwardWays.scaleForms)) {
      for (const base of forwardWays.baseNames) list.push({ place, form, base, order: "falling" });
    }
  }
  return list;
}
const inWords = ({ place, form, base }: forwardWays.Manner): string => `${place}, ${form}, base ${base}`;

/** The numbers of query t, from tensors of one batch and one head. */
function queryOf({ inputs }: Problem, t: number) {
  const { q, k, v } = inputs as Record<string, Tensor<Float32Array>>;
  const [T, S, HS] = [q.shape[1], k.shape[1], q.shape[3]];
  const seen = visibleKeys(t, T, S);
  const rows = (x: Tensor<Float32Array>, n: number): number[][] =>
    Array.from({ length: n }, (_, j) => Array.from(x.data.subarray(j * HS, (j + 1) * HS)));
  return { q: rows(q, T)[t], k: rows(k, seen), v: rows(v, seen), masked: S - seen, HS };
}

export const attentionForward: PlacesOf = (problem, few) => {
  const query = queryOf(problem, 0);
  const ways = attentionManners(few).flatMap((manner) =>
    Object.entries(forwardWays.passages).map(([name, passage]) => ({
      manner,
      passage,
      name: `${inWords(manner)}, ${name}`,
    })),
  );
  const start = (t: Tape, { manner, passage }: (typeof ways)[number]) => {
    const head = forwardWays.headOf(t, query, manner);
    const v = query.v.map((row) => t.leaf(row[0]));
    return { head, v, sums: passage(t, head, v, query, manner.order) };
  };
  return [
    {
      output: "y",
      index: 0,
      ways: ways.flatMap((way) =>
        Object.entries(forwardWays.normalisations).map(([by, normalise]) => {
          const evaluate = (t: Tape): Id => {
            const { head, v, sums } = start(t, way);
            return normalise(t, head, v, sums, way.manner.order);
          };
          return [`${way.name}, ${by}`, evaluate] as const;
        }),
      ),
    },
    {
      output: "lse",
      index: 0,
      ways: ways.map((way) => {
        const evaluate = (t: Tape): Id => {
          const { head, sums } = start(t, way);
          return head.lse(sums.m, sums.l);
        };
        return [way.name, evaluate] as const;
      }),
    },
  ];
};

function wayOf(manner: forwardWays.Manner, parts: Pick<Way, "weights" | "delta" | "gradient">): Way {
  return { ...manner, ...parts, scaled: forwardWays.scaleForms[manner.form] };
}

export const attentionBackward: PlacesOf = (problem, few) => {
  const { dy, y, lse, q } = problem.inputs as Record<string, Tensor<Float32Array>>;
  const [T, HS] = [q.shape[1], q.shape[3]];
  const slope = (n: number) => ({
    ...queryOf(problem, n),
    dy: Array.from(dy.data.subarray(n * HS, (n + 1) * HS)),
    y: Array.from(y.data.subarray(n * HS, (n + 1) * HS)),
    lse: lse.data[n],
  });
  const ways = attentionManners(few).flatMap((manner) =>
    weightForms.flatMap((weights) =>
      deltaForms.flatMap((delta) =>
        gradientScales
          .filter((gradient) => gradient !== "in-factor-base-2" || manner.base === "2-in-scale")
          .map((gradient) => wayOf(manner, { weights, delta, gradient })),
      ),
    ),
  );
  const named = (evaluate: (t: Tape, way: Way) => Id) =>
    ways.map(
      (way) =>
        [
          `${inWords(way)}, p ${way.weights}, D ${way.delta}, scale ${way.gradient}`,
          (t: Tape) => evaluate(t, way),
        ] as const,
    );
  const first = slope(0);
  return [
    {
      output: "dq",
      index: 0,
      ways: named((t, way) => {
        const { dS } = scoresOf(t, first, way);
        return gradientOf(
          t,
          way,
          HS,
          dS.map((x, j) => [x, t.constant(first.k[j][0])] as const),
        );
      }),
    },
    {
      output: "dk",
      index: 0,
      ways: named((t, way) => {
        const terms = Array.from({ length: T }, (_, n) => {
          const query = slope(n);
          return [scoresOf(t, query, way).dS[0], t.constant(query.q[0])] as const;
        });
        return gradientOf(t, way, HS, terms);
      }),
    },
    {
      output: "dv",
      index: 0,
      ways: named((t, way) =>
        t.chain(
          Array.from({ length: T }, (_, n) => {
            const query = slope(n);
            return t.mul(scoresOf(t, query, way).p[0], t.constant(query.dy[0]));
          }),
        ),
      ),
    },
  ];
};
