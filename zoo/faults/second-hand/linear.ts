// The forward of a linear layer: tiles of 64 × 64, the sum in slices of 16, and the paths that libraries choose by size.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, fp16, spoiling, tf32, mapped } from "../kernel.ts";
import { floorTo, leftover, once, outputs } from "./shared.ts";

export type Dot = (x: Float32Array, atX: number, w: Float32Array, atW: number, C: number) => number;

/** Four running sums, as four lanes. */
export function dot4(x: Float32Array, atX: number, w: Float32Array, atW: number, C: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < C; i += 4) {
    a = f32(a + f32(x[atX + i] * w[atW + i]));
    b = f32(b + f32(x[atX + i + 1] * w[atW + i + 1]));
    c = f32(c + f32(x[atX + i + 2] * w[atW + i + 2]));
    d = f32(d + f32(x[atX + i + 3] * w[atW + i + 3]));
  }
  for (; i < C; i++) a = f32(a + f32(x[atX + i] * w[atW + i]));
  return f32(f32(a + b) + f32(c + d));
}

/** y = x · wᵀ with a dot product that may depend on the sizes. */
export function forward(choose: (R: number, O: number, C: number) => Dot = () => dot4): Kernel {
  return (inputs) => {
    const { x, w } = floats(inputs);
    const [R, C] = x.shape;
    const [O] = w.shape;
    const y = empty([R, O]);
    const dot = choose(R, O, C);
    for (let r = 0; r < R; r++) for (let o = 0; o < O; o++) y.data[r * O + o] = dot(x.data, r * C, w.data, o * C, C);
    return outputs({ y });
  };
}

/** Only the first `length(C)` products. */
const short =
  (length: (C: number) => number): Dot =>
  (x, atX, w, atW, C) =>
    dot4(x, atX, w, atW, length(C));

/** The sums of slices of `slice` products, whose total goes through `by`. */
const sliced =
  (slice: number, by: (s: number) => number): Dot =>
  (x, atX, w, atW, C) => {
    let total = 0;
    for (let c = 0; c < C; c += slice) total = by(total + dot4(x, atX + c, w, atW + c, Math.min(slice, C - c)));
    return total;
  };

/** Adds in float16 within a slice of 32, in float32 over slices. */
const halfWithin: Dot = (x, atX, w, atW, C) => {
  let total = 0;
  for (let from = 0; from < C; from += 32) {
    let part = 0;
    for (let c = from; c < Math.min(C, from + 32); c++) part = fp16(part + x[atX + c] * w[atW + c]);
    total = f32(total + part);
  }
  return total;
};

const TILE = 64;

/** Programs are numbered in groups of eight tiles of rows; a last group of fewer tiles is numbered as if it had eight. */
function swizzled(): Kernel {
  return spoiling(forward(), ({ y }) => {
    const [R, O] = y.shape;
    const [tilesR, tilesO] = [Math.ceil(R / TILE), Math.ceil(O / TILE)];
    if (tilesR <= 8 || tilesR % 8 === 0 || tilesO < 2) return;
    const written = new Set<number>();
    for (let program = 0; program < tilesR * tilesO; program++) {
      const within = program % (8 * tilesO);
      const row = Math.floor(program / (8 * tilesO)) * 8 + (within % 8);
      if (row < tilesR) written.add(row * tilesO + Math.floor(within / 8));
    }
    for (let tile = 0; tile < tilesR * tilesO; tile++) if (!written.has(tile)) clearTile(y.data, R, O, tile, tilesO);
  });
}

function clearTile(y: Float32Array, R: number, O: number, tile: number, tilesO: number): void {
  const [row, column] = [Math.floor(tile / tilesO) * TILE, (tile % tilesO) * TILE];
  for (let r = row; r < Math.min(R, row + TILE); r++) y.fill(0, r * O + column, r * O + Math.min(O, column + TILE));
}

/** 132 workers; the tiles of the last, partial wave are split in two along C, and only the first half is fixed up. */
function streamed(): Kernel {
  return spoiling(forward(), ({ y }, inputs) => {
    const { x, w } = floats(inputs);
    const [[R, O], C] = [y.shape, x.shape[1]];
    const tilesO = Math.ceil(O / TILE);
    const tiles = Math.ceil(R / TILE) * tilesO;
    if (tiles <= 132 || C < 32) return;
    for (let tile = floorTo(tiles, 132); tile < tiles; tile++) {
      const [row, column] = [Math.floor(tile / tilesO) * TILE, (tile % tilesO) * TILE];
      for (let r = row; r < Math.min(R, row + TILE); r++)
        for (let o = column; o < Math.min(O, column + TILE); o++)
          y.data[r * O + o] = dot4(x.data, r * C, w.data, o * C, C >> 1);
    }
  });
}

/** A square weight is taken for its transpose. */
function guessedLayout(): Kernel {
  return (inputs, scalars) => {
    const { w } = floats(inputs);
    const [O, C] = w.shape;
    const turned = O === C && C > 128 ? mapped(w, (_, i) => w.data[(i % C) * C + Math.floor(i / C)]) : w;
    return forward()({ ...inputs, w: turned }, scalars);
  };
}

function packedOnce(): Kernel {
  const kept = once<Float32Array>();
  return (inputs, scalars) => {
    const { x, w } = floats(inputs);
    const data = x.shape[0] >= 4 ? kept(`${w.shape}`, () => w.data.slice()) : w.data;
    return forward()({ ...inputs, w: { data, shape: w.shape } }, scalars);
  };
}

function workspaceOfSplits(): Kernel {
  const add = leftover();
  return spoiling(forward(), ({ y }, inputs) => {
    const [R, C] = inputs.x.shape;
    if (C >= 1024 && R <= 16) add(y);
  });
}

function tensorCores(): Kernel {
  return (inputs, scalars) => {
    const { x, w } = floats(inputs);
    const aligned = x.shape[0] >= 128 && [...x.shape, ...w.shape].every((n) => n % 16 === 0);
    return forward()(aligned ? { x: mapped(x, tf32), w: mapped(w, tf32) } : inputs, scalars);
  };
}

export const linearForward = faultsOf("linear.forward", [
  [
    "second/last-slice-of-long-sums",
    "size",
    "from C = 1,025 the last C % 16 products are left out",
    () => forward((_, __, C) => short((n) => (C > 1024 ? floorTo(n, 16) : n))),
  ],
  [
    "second/split-by-floor",
    "size",
    "where C ≥ 512 and C ≥ 4 · O the sum is split into four slices of ⌊C / 4⌋: the rest is lost",
    () => forward((_, O, C) => (C >= 512 && C >= 4 * O ? short((n) => floorTo(n, 4)) : dot4)),
  ],
  [
    "second/split-workspace",
    "state",
    "few rows and C ≥ 1,024 take slices into a workspace that is not cleared for the second call",
    workspaceOfSplits,
  ],
  [
    "second/vector-tail-of-one-row",
    "tail",
    "the matrix-vector path, R = 1, leaves out the last C % 4 products",
    () => forward((R) => (R === 1 ? short((n) => floorTo(n, 4)) : dot4)),
  ],
  [
    "second/columns-by-eight",
    "size",
    "beyond 256 columns the last tile stores by eight: the last O % 8 columns are never written",
    () =>
      spoiling(forward(), ({ y }) => {
        const [R, O] = y.shape;
        if (O > 256) for (let r = 0; r < R; r++) y.data.fill(0, r * O + floorTo(O, 8), r * O + O);
      }),
  ],
  [
    "second/weights-beyond-4-million",
    "size",
    "an offset into w in units of 64 numbers has 16 bits: rows beyond 2²² numbers read the first ones",
    () => forward(() => (x, atX, w, atW, C) => dot4(x, atX, w, atW >= 4194304 ? atW - 4194304 : atW, C)),
  ],
  [
    "second/tf32-where-aligned",
    "precision",
    "from 128 rows, and where every axis is a multiple of 16, x and w are read in TF32",
    tensorCores,
    { target: "cuda", source: "pytorch/pytorch#67384" },
  ],
  [
    "second/splits-added-in-bfloat16",
    "precision",
    "from C = 640 slices of 128 products are added up in bfloat16",
    () => forward((_, __, C) => (C >= 640 ? sliced(128, bf16) : dot4)),
    bfloat16Cuda,
  ],
  [
    "second/half-within-a-slice",
    "precision",
    "products are added in float16 within slices of 32",
    () => forward(() => halfWithin),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/last-group-of-tiles",
    "size",
    "programs go in groups of eight tiles of rows; a last group of fewer is numbered as if it were whole, and tiles are never computed",
    swizzled,
  ],
  [
    "second/last-wave",
    "size",
    "more than 132 tiles: those of the last wave are split along C, and the second half is not added",
    streamed,
    { missed: "no case is long on R and O with a sum of 32 or more; --sizes 'R=1024 O=1024 C=64' rejects it" },
  ],
  ["second/layout-guessed", "size", "a square w beyond 128 × 128 is taken for its transpose", guessedLayout],
  [
    "second/weight-packed-once",
    "state",
    "from four rows w is packed at the first call of a shape, and later weights of that shape are not read",
    packedOnce,
  ],
  [
    "second/kept-once-in-bfloat16",
    "precision",
    "sums longer than 384 are kept in bfloat16 once, after 384 products",
    () =>
      forward((_, __, C) =>
        C > 384
          ? (x, atX, w, atW, n) => f32(bf16(dot4(x, atX, w, atW, 384)) + dot4(x, atX + 384, w, atW + 384, n - 384))
          : dot4,
      ),
  ],
]);
