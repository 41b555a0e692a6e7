// Products that fill the tiles of a matrix unit, of which some rows and columns are measured.
import { columnsOf, gridOf, type Part, rowsOf, sampled } from "./at-scale.ts";
import type { Problem } from "./case.ts";
import { MEASURED, type Probe, SIDES } from "./probes.ts";

type Changed = Pick<Probe, "change">;

/** Some rows and columns of a product that fills tiles. */
function ofProduct({ inputs: { x, w } }: Problem, seed: number): readonly Part[] {
  const [[R, C], [O]] = [x.shape, w.shape];
  const [r, o] = [sampled(seed, "row", MEASURED.rows, R), sampled(seed, "output", MEASURED.columns, O)];
  return [{ inputs: { x: rowsOf(r, C), w: rowsOf(o, C) }, outputs: { y: gridOf(r, o, O).at } }];
}

/** Of a gradient, [A, C] with sums over the rows or columns of dy. */
function ofGradient(output: "dx" | "dw"): (problem: Problem, seed: number) => readonly Part[] {
  return ({ inputs: { dy, x } }, seed) => {
    const [[R, O], C] = [dy.shape, x.shape[1]];
    const c = sampled(seed, "column", MEASURED.columns, C);
    if (output === "dx") {
      const r = sampled(seed, "row", MEASURED.rows, R);
      const inputs = { dy: rowsOf(r, O), x: gridOf(r, c, C), w: columnsOf(c, O, C) };
      return [{ inputs, outputs: { dx: gridOf(r, c, C).at } }];
    }
    const o = sampled(seed, "output", MEASURED.rows, O);
    const inputs = { dy: columnsOf(o, R, O), x: columnsOf(c, R, C), w: gridOf(o, c, C) };
    return [{ inputs, outputs: { dw: gridOf(o, c, C).at } }];
  };
}

/** Where the precision of large outputs is measured, with sums of n terms, as they are or with other inputs. */
export function productTiles(n: number, changed: Changed = {}) {
  return SIDES.map((side) => {
    const sizes = { R: side, O: side, C: n };
    return { sizes, outputs: ["y"] as const, tiles: ofProduct, ...changed };
  });
}

export function gradientTiles(n: number, changed: { readonly dx?: Changed; readonly dw?: Changed } = {}) {
  return SIDES.flatMap((side) => [
    { sizes: { R: side, O: n, C: side }, outputs: ["dx"] as const, tiles: ofGradient("dx"), ...changed.dx },
    { sizes: { R: n, O: side, C: side }, outputs: ["dw"] as const, tiles: ofGradient("dw"), ...changed.dw },
  ]);
}
