// What is known of a large attention without its truth, for rows that are wrong by a little.
//
// P's rows add up to 1. So where all values of a channel are the same number c, y is c there, in every row that sees a key; the large
// cases are made with such a channel. And y = P·v, dv = Pᵀ·dy, dq = s·dS·k, dk = s·dSᵀ·q give, of each head of keys with its
// group of query heads one below another, whatever P and dS are,
//
//   vᵀ·dv = (P·v)ᵀ·dy = yᵀ·dy        qᵀ·dq = s·qᵀ·dS·k = dkᵀ·k        kᵀ·dk = dqᵀ·q
import { dtypes } from "../reference/dtype.ts";
import { visibleKeys } from "../reference/ops/attention.ts";
import { integer, streamOf } from "../reference/random.ts";
import type { Tensor } from "../reference/tensor.ts";
import type { Problem } from "./case.ts";
import { Checked, type Checksum, type Rows } from "./projection/checksum.ts";
import { checkKnown } from "./projection/known.ts";
import type { Check, Seen } from "./whole.ts";

/** The value of the channel that is the same for all keys. */
const SAME = 1;

/** Makes all values of one channel, which the seed decides, the same. */
export function setSame({ data, shape }: Tensor, seed: number): void {
  const HS = shape[3];
  for (let i = integer(seed, streamOf("same channel"), 0, HS); i < data.length; i += HS) data[i] = SAME;
}

/** The first channel in which all values are SAME. */
function sameChannel({ data, shape }: Tensor): number | undefined {
  const HS = shape[3];
  const isSame = new Uint8Array(HS).fill(1);
  for (let i = 0; i < data.length; i++) if (data[i] !== SAME) isSame[i % HS] = 0;
  const channel = isSame.indexOf(1);
  return channel < 0 || data.length === 0 ? undefined : channel;
}

/** y in the channel in which it is known. */
export function checkForward({ problem, output, got }: Seen): Check | undefined {
  const channel = output === "y" ? sameChannel(problem.inputs.v as Tensor) : undefined;
  if (channel === undefined) return undefined;
  const [, T, NH, HS] = got.shape;
  const S = problem.inputs.k.shape[1];
  const at: number[] = [];
  for (let i = channel; i < got.data.length; i += HS)
    if (visibleKeys(Math.floor(i / HS / NH) % T, T, S) > 0) at.push(i);
  return checkKnown(got.data, at, SAME);
}

/** The rows of dq, dk and dv by their checksums, one of each head of keys. */
export function checkBackward({ problem, output, got, outputs, measured, dtype, seed }: Seen): Check {
  const [B, , NKV, HS] = problem.inputs.k.shape;
  const checked = Array.from({ length: B * NKV }, (_, head) => {
    const sum = checksumOf(problem, output, outputs, [Math.floor(head / NKV), head % NKV], {
      measured,
      u: dtypes[dtype].u,
    });
    return sum === undefined ? undefined : { head, of: sum.x, checked: new Checked(sum, measured, seed) };
  });
  const found = checked.flatMap((one) =>
    (one?.checked.suspects ?? []).map(({ row, cosine }) => ({ head: one!.head, start: one!.of.start(row), cosine })),
  );
  const rows = found.toSorted((p, q) => q.cosine - p.cosine).slice(0, MOST);
  const headsOf = got.shape[2] / NKV;
  return {
    suspects: rows.flatMap(({ start }) => Array.from({ length: HS }, (_, i) => start + i)),
    held: ({ at, before, after }) => {
      const row = Math.floor(at[0] / HS);
      const e = new Float64Array(HS);
      for (const [n, i] of at.entries()) {
        if (Math.floor(i / HS) !== row) return () => false; // several rows, which no one points to
        e[i % HS] = after[n] - before[n];
      }
      const [, tokens, NH] = got.shape;
      const [b, token, h] = [Math.floor(row / NH / tokens), Math.floor(row / NH) % tokens, row % NH];
      const one = checked[b * NKV + Math.floor(h / headsOf)];
      const cosine = one?.checked.after(token * headsOf + (h % headsOf), e);
      const others = rows.filter((other) => other.head !== one?.head && other.cosine > cosine!);
      return () => cosine !== undefined && others.length < MOST;
    },
  };
}

/** The most rows that are judged for their checksums: one of dk or dv takes as long as its head's share of P. */
const MOST = 4;

/** The checksum of one output of one head of keys; undefined where what it needs is missing. */
function checksumOf(
  { inputs }: Problem,
  output: string,
  outputs: Seen["outputs"],
  [b, head]: readonly [b: number, head: number],
  errors: { readonly measured: number; readonly u: number },
): Checksum | undefined {
  const NKV = inputs.k.shape[2];
  const of = ({ data, shape: [, tokens, NH, HS] }: Tensor): Rows => {
    const heads = NH / NKV;
    const start = (row: number): number =>
      ((b * tokens + Math.floor(row / heads)) * NH + head * heads + (row % heads)) * HS;
    return { data, count: tokens * heads, length: HS, start };
  };
  const [dy, q, k, v, y] = ["dy", "q", "k", "v", "y"].map((name) => of(inputs[name] as Tensor));
  const { dq, dk, dv } = outputs;
  if (output === "dv") return dv && { a: v, x: of(dv), c: y, z: dy, known: errors.u };
  if (dq === undefined || dk === undefined) return undefined;
  return output === "dq"
    ? { a: q, x: of(dq), c: of(dk), z: k, known: errors.measured }
    : { a: k, x: of(dk), c: of(dq), z: q, known: errors.measured };
}
