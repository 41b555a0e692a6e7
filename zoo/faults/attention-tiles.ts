// Attention's forward over tiles of keys: an online softmax, and parts that are merged at the end.
import { type Attend, atOnce, right, type Seen } from "./attention-forward.ts";
import { exp, f32, sum } from "./kernel.ts";

const tile = ({ scores, value }: Seen, from: number, to: number): Seen => ({
  scores: scores.subarray(from, to),
  value: (i) => value(from + i),
});

const largest = (a: Float32Array): number => a.reduce((m, x) => Math.max(m, x), -Infinity);

/** Online softmax over tiles; `rescaled` is the factor of the accumulator where the maximum rises. */
export const online =
  (size: number, rescaled: (factor: number, isLast: boolean) => number = (factor) => factor): Attend =>
  (seen, HS) => {
    const whole = atOnce(right)(seen, HS);
    const n = seen.scores.length;
    if (n <= size) return whole;
    let [m, l, o] = [-Infinity, 0, new Float32Array(HS)];
    for (let at = 0; at < n; at += size) {
      const { scores, value } = tile(seen, at, Math.min(n, at + size));
      const next = Math.max(m, largest(scores));
      const p = scores.map((s) => exp(f32(s - next)));
      const factor = exp(f32(m - next));
      l = f32(f32(l * factor) + sum(p.length, (i) => p[i]));
      const kept = rescaled(factor, at + size >= n);
      const added = right.weigh(p, value, HS);
      o = o.map((x, d) => f32(x * kept) + added[d]);
      m = next;
    }
    return { o: o.map((x) => x / l), lse: whole.lse };
  };

/** Parts of `size` keys, merged by `power`(lse − max). */
export const merged =
  (size: number, power: (x: number) => number): Attend =>
  (seen, HS) => {
    const n = seen.scores.length;
    if (n <= size) return atOnce(right)(seen, HS);
    const parts = Array.from({ length: Math.ceil(n / size) }, (_, i) =>
      atOnce(right)(tile(seen, i * size, Math.min(n, i * size + size)), HS),
    );
    const most = parts.reduce((m, { lse }) => Math.max(m, lse), -Infinity);
    const w = parts.map(({ lse }) => f32(power(f32(lse - most))));
    const total = sum(w.length, (i) => w[i]);
    const o = Float32Array.from({ length: HS }, (_, d) => sum(w.length, (i) => f32(w[i] * parts[i].o[d])) / total);
    return { o, lse: atOnce(right)(seen, HS).lse };
  };
