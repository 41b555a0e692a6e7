// Kernels of ops that are no sums of products, written on their own: none of these goes through the zoo's arithmetic, and
// their formulas are other ones where an op has several.
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { pair, type PairLayout } from "../../reference/ops/rope.ts";
import type { Tensor } from "../../reference/tensor.ts";

/** What becomes of an intermediate of that name. */
export type Keep = (name: string, x: number) => number;
type Results = Record<string, Tensor<Float32Array>>;
export type Kernel = (inputs: Record<string, Tensor>, scalars: Scalars, keep: Keep, all: Inputs) => Results;

const { fround } = Math;
const LANES = 32;

/** In lanes of float32, which are added one after another. */
function sum(n: number, term: (i: number) => number): number {
  const lanes = new Float32Array(LANES);
  for (let i = 0; i < n; i++) lanes[i % LANES] += fround(term(i));
  return lanes.reduce((total, x) => fround(total + x), 0);
}

function filled(shape: readonly number[], value: (i: number) => number): Tensor<Float32Array> {
  const size = shape.reduce((a, b) => a * b, 1);
  return { data: Float32Array.from({ length: size }, (_, i) => value(i)), shape };
}

const sigmoid = (keep: Keep, z: number): number => keep("sigmoid", fround(1 / fround(1 + fround(Math.exp(-z)))));

function rmsStatistics({ x }: Record<string, Tensor>, eps: number, keep: Keep): number[] {
  const [R, C] = x.shape;
  return Array.from({ length: R }, (_, r) => {
    const moment = fround(fround(sum(C, (c) => x.data[r * C + c] ** 2) / C) + fround(eps));
    return keep("rstd", fround(1 / fround(Math.sqrt(moment))));
  });
}

function turned(x: Tensor, cos: Tensor, sin: Tensor, { layout }: Scalars, sign: 1 | -1, keep: Keep) {
  const [, T, NH, HS] = x.shape;
  const y = filled(x.shape, () => 0);
  const times = (a: number, b: number): number => keep("product", fround(a * b));
  for (let row = 0; row * HS < x.data.length; row++) {
    for (let i = 0; i < HS / 2; i++) {
      const [a, b] = pair(i, HS, layout as PairLayout).map((at) => row * HS + at);
      const at = (Math.floor(row / NH) % T) * (HS / 2) + i;
      const [c, s] = [cos.data[at], sign * sin.data[at]];
      y.data[a] = times(x.data[a], c) - times(x.data[b], s);
      y.data[b] = times(x.data[b], c) + times(x.data[a], s);
    }
  }
  return y;
}

function maxOf(row: ArrayLike<number>): number {
  return Array.from(row).reduce((a, b) => Math.max(a, b), -Infinity);
}

export const kernels = {
  "swiglu.forward": ({ gate, up }, _, keep) => ({
    y: filled(gate.shape, (i) => {
      const silu = keep("silu", fround(gate.data[i] * sigmoid(keep, gate.data[i])));
      return silu * up.data[i];
    }),
  }),
  "swiglu.backward": ({ dy, gate, up }, _, keep) => {
    const at = (i: number) => {
      const s = sigmoid(keep, gate.data[i]);
      return { s, silu: keep("silu", fround(gate.data[i] * s)) };
    };
    return {
      dgate: filled(gate.shape, (i) => {
        const { s } = at(i);
        const slope = fround(s * fround(1 + fround(gate.data[i] * fround(1 - s))));
        return keep("dsilu", fround(dy.data[i] * up.data[i])) * slope;
      }),
      dup: filled(up.shape, (i) => dy.data[i] * at(i).silu),
    };
  },
  "add.forward": ({ a, b }) => ({ y: filled(a.shape, (i) => a.data[i] + b.data[i]) }),
  "cast.forward": ({ x }) => ({ y: filled(x.shape, (i) => x.data[i]) }),
  "rope.forward": ({ x, cos, sin }, scalars, keep) => ({ y: turned(x, cos, sin, scalars, 1, keep) }),
  "rope.backward": ({ dy, cos, sin }, scalars, keep) => ({ dx: turned(dy, cos, sin, scalars, -1, keep) }),
  "rope-table.forward": (_, scalars, keep) => {
    const [theta, HS, start, T] = ["theta", "HS", "start", "T"].map((name) => Number(scalars[name]));
    const angle = (i: number): number => {
      const frequency = keep("frequency", fround(theta ** (((i % (HS / 2)) * -2) / HS)));
      return keep("angle", fround((start + Math.floor(i / (HS / 2))) * frequency));
    };
    return {
      cos: filled([T, HS / 2], (i) => Math.cos(angle(i))),
      sin: filled([T, HS / 2], (i) => Math.sin(angle(i))),
    };
  },
  "rmsnorm.forward": (inputs, { eps }, keep) => {
    const { x, w } = inputs;
    const rstd = rmsStatistics(inputs, Number(eps), keep);
    const C = w.data.length;
    return {
      y: filled(x.shape, (i) => keep("n", fround(x.data[i] * rstd[Math.floor(i / C)])) * w.data[i % C]),
      rstd: filled([rstd.length], (r) => rstd[r]),
    };
  },
  "rmsnorm.backward": ({ dy, x, w, rstd }, _, keep) => {
    const [R, C] = x.shape;
    const n = (i: number): number => keep("n", fround(x.data[i] * rstd.data[Math.floor(i / C)]));
    const dn = (i: number): number => keep("dn", fround(dy.data[i] * w.data[i % C]));
    const means = Array.from({ length: R }, (_row, r) => fround(sum(C, (c) => dn(r * C + c) * n(r * C + c)) / C));
    return {
      dx: filled(x.shape, (i) => {
        const r = Math.floor(i / C);
        return rstd.data[r] * fround(dn(i) - fround(n(i) * means[r]));
      }),
      dw: filled(w.shape, (c) => sum(R, (r) => dy.data[r * C + c] * n(r * C + c))),
    };
  },
  "embedding.forward": ({ w }, _, __, { tokens }) => {
    const C = w.shape[1];
    return { y: filled([tokens.shape[0], C], (i) => w.data[tokens.data[Math.floor(i / C)] * C + (i % C)]) };
  },
  "embedding.backward": ({ dy }, { V }, _, { tokens }) => {
    const [R, C] = dy.shape;
    const rows = Array.from({ length: R }, (_row, r) => r);
    const of = (v: number) => rows.filter((r) => tokens.data[r] === v);
    return {
      dw: filled([Number(V), C], (i) => {
        const found = of(Math.floor(i / C));
        return sum(found.length, (k) => dy.data[found[k] * C + (i % C)]);
      }),
    };
  },
  "softmax.forward": ({ x }, _, keep) => {
    const [R, C] = x.shape;
    const y = filled(x.shape, () => 0);
    for (let r = 0; r < R; r++) {
      const row = x.data.subarray(r * C, (r + 1) * C);
      const max = maxOf(row);
      const e = Float32Array.from(row, (z) => keep("exp", fround(Math.exp(fround(z - max)))));
      const total = sum(C, (c) => e[c]);
      for (let c = 0; c < C; c++) y.data[r * C + c] = e[c] / total;
    }
    return { y };
  },
  "softmax.backward": ({ dy, y }, _, keep) => {
    const [, C] = y.shape;
    const D = (r: number): number =>
      keep(
        "D",
        sum(C, (c) => dy.data[r * C + c] * y.data[r * C + c]),
      );
    const all = Array.from({ length: y.shape[0] }, (_row, r) => D(r));
    return { dx: filled(y.shape, (i) => y.data[i] * fround(dy.data[i] - all[Math.floor(i / C)])) };
  },
  "cross-entropy.forward": ({ logits }, { ignoreIndex }, keep, { targets }) => {
    const [R, V] = logits.shape;
    const lse = filled([R], (r) => {
      const row = logits.data.subarray(r * V, (r + 1) * V);
      const max = maxOf(row);
      const total = sum(V, (v) => keep("exp", fround(Math.exp(fround(row[v] - max)))));
      return keep("lse", fround(max + fround(Math.log(total))));
    });
    const counted = Array.from({ length: R }, (_, r) => r).filter((r) => targets.data[r] !== ignoreIndex);
    const loss = (r: number): number => fround(lse.data[r] - logits.data[r * V + targets.data[r]]);
    return { loss: filled([], () => sum(counted.length, (k) => loss(counted[k])) / counted.length), lse };
  },
  "cross-entropy.backward": ({ logits, lse, dloss }, { ignoreIndex }, keep, { targets }) => {
    const V = logits.shape[1];
    const count = Array.from(targets.data).filter((target) => target !== ignoreIndex).length;
    const scale = fround(dloss.data[0] / count);
    return {
      dlogits: filled(logits.shape, (i) => {
        const r = Math.floor(i / V);
        if (targets.data[r] === ignoreIndex) return 0;
        const p = keep("p", fround(Math.exp(fround(logits.data[i] - lse.data[r]))));
        return fround(p - (i % V === targets.data[r] ? 1 : 0)) * scale;
      }),
    };
  },
  "clip.forward": ({ g, norm }, { maxNorm }, keep) => {
    const scale = keep("scale", fround(Math.min(1, fround(maxNorm as number) / fround(norm.data[0] + fround(1e-6)))));
    return { g: filled(g.shape, (i) => g.data[i] * scale) };
  },
  "adamw.forward": ({ w, g, m, v }, scalars, keep) => {
    const s = Object.fromEntries(Object.entries(scalars).map(([name, x]) => [name, fround(Number(x))]));
    const first = w.data.map((_, i) => keep("m", fround(s.beta1 * m.data[i] + fround(s.oneMinusBeta1 * g.data[i]))));
    const second = w.data.map((_, i) =>
      keep("v", fround(s.beta2 * v.data[i] + fround(fround(s.oneMinusBeta2 * g.data[i]) * g.data[i]))),
    );
    return {
      w: filled(w.shape, (i) => {
        const root = fround(fround(Math.sqrt(fround(second[i] / s.correction2))) + s.eps);
        const step = keep("step", fround(fround(first[i] / s.correction1) / root));
        return w.data[i] - fround(s.learningRate * fround(step + fround(s.weightDecay * w.data[i])));
      }),
      m: filled(m.shape, (i) => first[i]),
      v: filled(v.shape, (i) => second[i]),
    };
  },
} satisfies Readonly<Record<string, Kernel>>;
