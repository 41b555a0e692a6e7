// The backward of a linear layer: dx as rows times w, dw as sums of outer products over chunks of rows.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, type Floats32, spoiling } from "../kernel.ts";
import { floorTo, leftover, outputs } from "./shared.ts";

/** y += a · b over the rows of b, each addition rounded to float32: a: [M, K], b: [K, N]. */
function addProduct(
  y: Float32Array,
  M: number,
  N: number,
  K: number,
  a: (m: number, k: number) => number,
  b: Float32Array,
): void {
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) {
      const factor = a(m, k);
      for (let n = 0; n < N; n++) y[m * N + n] += f32(factor * b[k * N + n]);
    }
  }
}

interface Steps {
  /** How many of the O terms reach dx. */
  readonly terms: (O: number) => number;
  /** dy as the tiles of dw hold it. */
  readonly held: (dy: Float32Array, r: number, o: number, R: number, O: number) => number;
}

export function backward(change: Partial<Steps> = {}): Kernel {
  const { terms, held }: Steps = { terms: (O) => O, held: (dy, r, o, _, O) => dy[r * O + o], ...change };
  return (inputs) => {
    const { dy, x, w } = floats(inputs);
    const [[R, O], C] = [dy.shape, x.shape[1]];
    const [dx, dw] = [empty([R, C]), empty([O, C])];
    addProduct(dx.data, R, C, terms(O), (r, o) => dy.data[r * O + o], w.data);
    addProduct(dw.data, O, C, R, (o, r) => held(dy.data, r, o, R, O), x.data);
    return outputs({ dx, dw });
  };
}

function keptFromMicrobatches(): Kernel {
  const add = leftover();
  return spoiling(backward(), ({ dx, dw }) => {
    if (dx.shape[0] > 256) add(dw);
  });
}

/** dw passes through bfloat16 after every 512 rows. */
function bufferOfGradients(): Kernel {
  return (inputs) => {
    const { dy, x } = floats(inputs);
    const [[R, O], C] = [dy.shape, x.shape[1]];
    const dx = backward()(inputs, {}).dx as Floats32;
    const dw = empty([O, C]);
    for (let from = 0; from < R; from += 512) {
      const rows = Math.min(512, R - from);
      addProduct(dw.data, O, C, rows, (o, r) => dy.data[(from + r) * O + o], x.data.subarray(from * C));
      if (from + rows < R) for (let i = 0; i < dw.data.length; i++) dw.data[i] = bf16(dw.data[i]);
    }
    return outputs({ dx, dw });
  };
}

export const linearBackward = faultsOf("linear.backward", [
  [
    "second/gradients-of-the-last-step",
    "state",
    "from 257 rows dw is added to that of the last call of the same shape",
    keptFromMicrobatches,
  ],
  [
    "second/dx-of-2048-outputs",
    "size",
    "dx: sums longer than 2,048 are split in slices of 512, and the last, partial one is left out",
    () => backward({ terms: (O) => (O > 2048 ? floorTo(O, 512) : O) }),
  ],
  [
    "second/row-of-two-chunks",
    "size",
    "dw: the first row of each chunk of 384 after the first is added twice",
    () => backward({ held: (dy, r, o, _, O) => (r > 0 && r % 384 === 0 ? 2 : 1) * dy[r * O + o] }),
  ],
  [
    "second/corner-of-the-padded-tile",
    "size",
    "dw: from R = 640 and O = 96 the last corner of each tile of 32 × 33 is overwritten by the padding, 0",
    () =>
      backward({
        held: (dy, r, o, R, O) => (R >= 640 && O >= 96 && r % 32 === 31 && o % 32 === 31 ? 0 : dy[r * O + o]),
      }),
  ],
  [
    "second/gradient-buffer-in-bfloat16",
    "precision",
    "dw passes through bfloat16 between chunks of 512 rows",
    bufferOfGradients,
    bfloat16Cuda,
  ],
]);
