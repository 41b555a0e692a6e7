// Where a bound has grown most: the element's own row as a small problem, and the worst evaluation of the second derivation there, whose every operation errs to the
// side that hurts. It shows what the covered forms need, where drawn evaluations hardly come near.
import type { Problem as Drawn } from "../judge/case.ts";
import type { Scalars } from "../reference/operation.ts";
import type { Target } from "../reference/targets.ts";
import { visibleKeys } from "../reference/ops/attention.ts";
import { type Tensor, tensor } from "../reference/tensor.ts";
import { placesOf } from "./second-derivation/places.ts";
import type { Problem } from "./second-derivation/problems.ts";
import { Tape } from "./second-derivation/tape.ts";

/** An element as one of a small problem. */
export interface Peak {
  readonly problem: Problem;
  readonly index: number;
}

type Cut = (drawn: Drawn, output: string, i: number) => Peak;

interface Shaped {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

const rowOf = ({ data }: { readonly data: ArrayLike<number> }, r: number, width: number): number[] =>
  Array.from({ length: width }, (_, k) => data[r * width + k]);
const line = (xs: readonly number[]): Tensor<Float32Array> => tensor(Float32Array.from(xs), [1, xs.length]);
/** The numbers with that of one place before all others. */
const first = (xs: readonly number[], place: number): number[] => [xs[place], ...xs.toSpliced(place, 1)];
const withoutIgnored = (scalars: Scalars): Scalars => ({ ...scalars, ignoreIndex: -100 });

/** Of an element of a tensor of rows of the same length. */
function inRow(
  of: { readonly shape: readonly number[] },
  i: number,
): readonly [row: number, place: number, width: number] {
  const width = of.shape.at(-1)!;
  return [Math.floor(i / width), i % width, width];
}

const cuts: Record<string, Cut> = {
  "rmsnorm.forward": ({ inputs: { x, w }, scalars }, _, i) => {
    const [r, c, C] = inRow(x, i);
    const own = { x: line(first(rowOf(x, r, C), c)), w: tensor(Float32Array.from(first(rowOf(w, 0, C), c)), [C]) };
    return { problem: { op: "rmsnorm.forward", inputs: own, scalars }, index: 0 };
  },
  "rmsnorm.backward": ({ inputs: { dy, x, w, rstd }, scalars }, output, i) => {
    const [r, c, C] = inRow(x, output === "dx" ? i : 0);
    const [ofRow, all] = [[dy, x].map((one) => line(first(rowOf(one, r, C), c))), first(rowOf(w, 0, C), c)];
    const saved = tensor(Float32Array.of(rstd.data[r]), [1]);
    const inputs = { dy: ofRow[0], x: ofRow[1], w: tensor(Float32Array.from(all), [C]), rstd: saved };
    return { problem: { op: "rmsnorm.backward", inputs, scalars }, index: 0 };
  },
  "softmax.forward": ({ inputs: { x }, scalars }, _, i) => {
    const [r, c, C] = inRow(x, i);
    return { problem: { op: "softmax.forward", inputs: { x: line(first(rowOf(x, r, C), c)) }, scalars }, index: 0 };
  },
  "cross-entropy.forward": ({ inputs: { logits, targets }, scalars }, output, i) => {
    const [R, V] = logits.shape;
    const reach = (r: number): number => rowOf(logits, r, V).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const used = Array.from({ length: R }, (_, r) => r).filter((r) => targets.data[r] !== scalars.ignoreIndex);
    // The loss is an average of rows: that of the largest logits has most of the error.
    const r = output === "lse" ? i : used.reduce((a, b) => (reach(b) > reach(a) ? b : a), used[0] ?? 0);
    const target = targets.data[r] === scalars.ignoreIndex ? 0 : targets.data[r];
    const inputs = { logits: line(rowOf(logits, r, V)), targets: tensor(Int32Array.of(target), [1]) };
    return { problem: { op: "cross-entropy.forward", inputs, scalars: withoutIgnored(scalars) }, index: 0 };
  },
  "cross-entropy.backward": ({ inputs: { dloss, logits, targets, lse }, scalars }, __, i) => {
    const [r, v, V] = inRow(logits, i);
    const n = Array.from(targets.data).filter((target) => target !== scalars.ignoreIndex).length;
    const [middle, target] = [V >> 1, targets.data[r]];
    const isTarget = v === target;
    const own = rowOf(logits, r, V);
    // The target lies in the middle, any other element in front.
    const others = own.filter((_, k) => k !== target && (isTarget || k !== v));
    const front = isTarget ? others : [own[v], ...others];
    const placed = front.toSpliced(middle, 0, own[target]);
    const inputs = {
      dloss: dloss as Tensor<Float32Array>,
      logits: tensor(
        Float32Array.from({ length: n * V }, (_, k) => placed[k % V]),
        [n, V],
      ),
      targets: tensor(new Int32Array(n).fill(middle), [n]),
      lse: tensor(new Float32Array(n).fill(lse.data[r]), [n]),
    };
    const problem = { op: "cross-entropy.backward", inputs, scalars: withoutIgnored(scalars) };
    return { problem, index: isTarget ? middle : 0 };
  },
};
for (const op of ["swiglu.forward", "swiglu.backward"]) {
  cuts[op] = ({ inputs, scalars }, _, i) => {
    const own = Object.entries(inputs).map(([name, { data }]) => [name, line([data[i]])]);
    return { problem: { op, inputs: Object.fromEntries(own), scalars }, index: 0 };
  };
}

/** Tokens of one head, with channel c first; `keys` of them from token `from` of batch b. */
function tokens({ data, shape }: Shaped, [b, from, keys]: readonly [number, number, number], h: number, c: number) {
  const [, N, heads, HS] = shape;
  const rows = Array.from({ length: keys }, (_, j) => {
    const at = ((b * N + from + j) * heads + h) * HS;
    return first(
      Array.from({ length: HS }, (__, k) => data[at + k]),
      c,
    );
  });
  return tensor(Float32Array.from(rows.flat()), [1, keys, 1, HS]);
}

/** One query on the keys that it sees. Of a key's gradients: the last query's share. */
const ofQuery =
  (op: string): Cut =>
  ({ inputs, scalars }, output, i) => {
    const { q, k } = inputs;
    const [[, T, NH, HS], [, S, NKV]] = [q.shape, k.shape];
    const [group, isKey] = [NH / NKV, output === "dk" || output === "dv"];
    const row = output === "lse" ? i : Math.floor(i / HS);
    const c = output === "lse" ? 0 : i % HS;
    const b = Math.floor(row / (isKey ? NKV * S : NH * T));
    const h = isKey ? (row % NKV) * group : output === "lse" ? Math.floor(row / T) % NH : row % NH;
    const t = isKey ? T - 1 : output === "lse" ? row % T : Math.floor(row / NH) % T;
    const seen = visibleKeys(t, T, S);
    const [query, head] = [[b, t, 1] as const, Math.floor(h / group)];
    const key = isKey ? Math.floor(row / NKV) % S : 0;
    const onKeys = (x: Shaped) => {
      const { data, shape } = tokens(x, [b, 0, seen], head, c);
      const rows = Array.from({ length: seen }, (_, j) => Array.from(data.subarray(j * HS, (j + 1) * HS)));
      return tensor(Float32Array.from([rows[key], ...rows.toSpliced(key, 1)].flat()), shape);
    };
    const own = Object.entries(inputs).map(([name, x]) => {
      if (name === "lse") return [name, tensor(Float32Array.of(x.data[(b * NH + h) * T + t]), [1, 1, 1])] as const;
      return [name, name === "k" || name === "v" ? onKeys(x) : tokens(x, query, h, c)] as const;
    });
    return { problem: { op, inputs: Object.fromEntries(own), scalars }, index: 0 };
  };
for (const op of ["attention.forward", "attention.backward"]) cuts[op] = ofQuery(op);

/** The element alone; undefined where the second derivation has no such evaluation. */
export function peakOf(op: string, drawn: Drawn, output: string, i: number): Peak | undefined {
  return cuts[op]?.(drawn, output, i);
}

/** The largest error of an evaluation of the element, by the letter of the target's figures. */
export function worstAt({ problem, index }: Peak, output: string, truth: number, target: Target): number {
  const ways = placesOf[problem.op](problem, problem.op.startsWith("attention")).find(
    (place) => place.output === output && place.index === index,
  );
  let most = 0;
  for (const [, evaluate] of ways?.ways ?? []) {
    const t = new Tape(target, true);
    const { reached } = t.worst(evaluate(t), truth);
    if (reached > most && reached < Infinity) most = reached; // of others nothing is promised
  }
  return most;
}
