// The function under test: RMSNorm, with its squares added in four lanes.
import { type InputsOf, type OutputsOf, type ScalarsOf, tensor } from "touchstone-llama";

type Op = "rmsnorm.forward";
const { fround } = Math;

export function rmsnorm({ x, w }: InputsOf<Op>, { eps }: ScalarsOf<Op>): OutputsOf<Op> {
  const [R, C] = x.shape as [number, number];
  const y = new Float32Array(R * C);
  const rstd = new Float32Array(R);
  for (let r = 0; r < R; r++) {
    const row = x.data.subarray(r * C, (r + 1) * C);
    const lanes = new Float32Array(4);
    row.forEach((v, c) => (lanes[c % 4] = lanes[c % 4]! + fround(v * v)));
    const squares = fround(fround(lanes[0]! + lanes[1]!) + fround(lanes[2]! + lanes[3]!));
    const scale = fround(1 / fround(Math.sqrt(fround(fround(squares / C) + fround(eps)))));
    row.forEach((v, c) => (y[r * C + c] = fround(v * scale) * w.data[c]!));
    rstd[r] = scale;
  }
  return { y: tensor(y, [R, C]), rstd: tensor(rstd, [R]) };
}
