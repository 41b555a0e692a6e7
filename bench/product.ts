// The two forms of the matrix product (reference/product.ts) on one core, in the three uses of a linear layer.
import { type Operand, plainProduct, product } from "../reference/product.ts";
import { normal } from "../reference/random.ts";
import { medianMilliseconds } from "./measure.ts";

/** The least speed-up that the fast form should reach. */
const LEAST = 2.5;

/** R rows, C inputs, O outputs: a block of a small model, and a length that no tile divides. */
const sizes = [
  { R: 256, C: 256, O: 688 },
  { R: 131, C: 509, O: 257 },
];

const uses = {
  "y = x · wᵀ": ({ R, C, O }) => [R, O, C, rows(R, C), rows(O, C)],
  "dx = dy · w": ({ R, C, O }) => [R, C, O, rows(R, O), columns(C, O)],
  "dw = dyᵀ · x": ({ R, C, O }) => [O, C, R, columns(O, R), columns(C, R)],
} satisfies Record<string, (size: (typeof sizes)[number]) => [number, number, number, Operand, Operand]>;

/** Prints GFLOP/s of both forms, two operations for each product that is added, and their ratio. */
export function benchProduct(): void {
  console.log("matrix product on one core, median: plain loops and register blocks, GFLOP/s");
  let least = Infinity;
  for (const size of sizes) {
    for (const [name, use] of Object.entries(uses)) {
      const [I, J, K, a, b] = use(size);
      const out = new Float32Array(I * J);
      const [plain, fast] = medianMilliseconds(
        () => plainProduct(out, I, J, K, a, b),
        () => product(out, I, J, K, a, b),
      );
      const speed = (milliseconds: number): string => ((2 * I * J * K) / milliseconds / 1e6).toFixed(2).padStart(6);
      least = Math.min(least, plain / fast);
      const shape = `R=${size.R} C=${size.C} O=${size.O}`;
      const ratio = (plain / fast).toFixed(1);
      console.log(`  ${name.padEnd(13)} ${shape.padEnd(20)} ${speed(plain)} ${speed(fast)}   ${ratio} ×`);
    }
  }
  console.log(`  least ratio ${least.toFixed(1)} ×, expected at least ${LEAST} ×`);
}

/** [n, K] row by row. */
function rows(n: number, K: number): Operand {
  return { data: numbers(n * K), outer: K, inner: 1 };
}

/** [n, K] as it lies in a row-major [K, n]. */
function columns(n: number, K: number): Operand {
  return { data: numbers(n * K), outer: 1, inner: n };
}

function numbers(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => normal(1, 1, i));
}
