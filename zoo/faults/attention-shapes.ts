// Attention's faults that lie in how heads, rows and keys are laid out or split, not in a step of the formula.
import { forward, right } from "./attention-forward.ts";
import type { Kernel } from "./fault.ts";
import { empty, f32, floats, type Floats32, spoiling } from "./kernel.ts";

/** Head sizes are padded to a multiple of 8, keys with the numbers that come next in memory. */
export function padded(inputs: Parameters<Kernel>[0], scalars: Parameters<Kernel>[1]): ReturnType<Kernel> {
  const { q, k, v } = floats(inputs);
  const HS = q.shape[3];
  const pad = (8 - (HS % 8)) % 8;
  if (pad === 0 || k.data.length === 0 || q.data.length === 0) return forward()(inputs, scalars);
  const wide = ({ data, shape }: Floats32, factor: number, isClean = false): Floats32 => {
    const padding = empty([...shape.slice(0, 3), HS + pad]);
    return {
      ...padding,
      data: padding.data.map((_, i) => {
        const [row, d] = [Math.floor(i / (HS + pad)), i % (HS + pad)];
        return isClean && d >= HS ? 0 : (data[row * HS + d] ?? 0) * factor;
      }),
    };
  };
  const given = { q: wide(q, f32(Math.sqrt((HS + pad) / HS))), k: wide(k, 1), v: wide(v, 1, true) };
  const { y, lse } = forward()(given, scalars);
  const cut = empty(q.shape);
  return { y: { ...cut, data: cut.data.map((_, i) => y.data[Math.floor(i / HS) * (HS + pad) + (i % HS)]) }, lse };
}

/** Where keys are split over blocks, rows of a tile are written a token's stride apart. */
export const splitRows = (): Kernel =>
  spoiling(forward(), ({ y }, inputs) => {
    const [B, T, NH, HS] = y.shape;
    const [, S, NKV] = inputs.k.shape;
    const tile = HS <= 64 ? 256 : HS <= 128 ? 128 : 64;
    if (!(S > tile && B * NH * Math.ceil(T / 64) < 100 && NH > 1 && !(T === 1 && NH > NKV))) return;
    const rows = Array.from({ length: B * NH * T }, (_, i) => {
      const [b, h, t] = [Math.floor(i / (NH * T)), Math.floor(i / T) % NH, i % T];
      return y.data.slice(((b * T + t) * NH + h) * HS, ((b * T + t) * NH + h + 1) * HS);
    });
    y.data.fill(0);
    for (const [r, row] of rows.entries()) {
      const to = (r - (r % 4)) * HS + (r % 4) * NH * HS;
      if (to + HS <= y.data.length) y.data.set(row, to);
    }
  });

/** For decoding, the number of parts is that of the first call with these heads. */
export function cachedSplits(): Kernel {
  const compiled = new Map<string, number>();
  return (inputs, scalars) => {
    const [, T, NH, HS] = inputs.q.shape;
    const [, S, NKV] = inputs.k.shape;
    if (T > 8 || S <= 64 || NKV === 0) return forward()(inputs, scalars);
    const key = `${HS} ${NH / NKV}`;
    if (!compiled.has(key)) compiled.set(key, Math.ceil(S / 64));
    const kept = compiled.get(key)! * 64;
    return forward({ sees: (s, t, place) => s < kept && right.sees(s, t, place) })(inputs, scalars);
  };
}
