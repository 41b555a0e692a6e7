// RoPE's faults. Both directions are right until a step is replaced.
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, f32, floats, reading } from "./kernel.ts";

interface At {
  readonly b: number;
  readonly t: number;
  readonly h: number;
  readonly T: number;
  readonly NH: number;
}
type Turn = (x1: number, x2: number, c: number, s: number) => readonly [number, number];

const right = {
  turn: ((x1, x2, c, s) => [f32(f32(x1 * c) - f32(x2 * s)), f32(f32(x1 * s) + f32(x2 * c))]) as Turn,
  layout: (layout: string): string => layout,
  row: ({ t }: At): number => t,
  turns: (_at: At): boolean => true,
};
const back: Turn = (x1, x2, c, s) => right.turn(x1, x2, c, -s);

/** Pairs of x turned by the angles of their rows; `to` names the output. */
function turning(from: "x" | "dy", to: "y" | "dx", replaced: Partial<typeof right>): Kernel {
  const step = { ...right, ...replaced };
  return (inputs, scalars) => {
    const { [from]: x, cos, sin } = floats(inputs);
    const [B, T, NH, HS] = x.shape;
    const y = empty(x.shape);
    const isAdjacent = step.layout(String(scalars.layout)) === "adjacent";
    for (let head = 0; head < B * T * NH; head++) {
      const at = { b: Math.floor(head / (T * NH)), t: Math.floor(head / NH) % T, h: head % NH, T, NH };
      const row = (step.row(at) * HS) / 2;
      for (let i = 0; i < HS / 2; i++) {
        const [first, second] = isAdjacent ? [2 * i, 2 * i + 1] : [i, i + HS / 2];
        const pair = [x.data[head * HS + first], x.data[head * HS + second]] as const;
        const turned = step.turns(at) ? step.turn(pair[0], pair[1], cos.data[row + i], sin.data[row + i]) : pair;
        [y.data[head * HS + first], y.data[head * HS + second]] = turned;
      }
    }
    return { [to]: y };
  };
}

export const forward = (replaced: Partial<typeof right> = {}): Kernel => turning("x", "y", replaced);
export const backward = (replaced: Partial<typeof right> = {}): Kernel =>
  turning("dy", "dx", { turn: back, ...replaced });

const bf16Table = { cos: bf16, sin: bf16 };

export const ropeForward = faultsOf("rope.forward", [
  [
    "layout-ignored",
    "index",
    "the layout is always adjacent",
    () => forward({ layout: () => "adjacent" }),
    {
      source: "jzhang38/TinyLlama 24; transformers 25199",
    },
  ],
  [
    "half-the-heads",
    "index",
    "only the first half of the heads is turned",
    () => forward({ turns: ({ h, NH }) => h < Math.floor((NH + 1) / 2) }),
  ],
  ["next-row", "index", "token t is turned by row t + 1", () => forward({ row: ({ t, T }) => (t + 1) % T })],
  ["table-bf16", "precision", "the table is read as bfloat16, undeclared", () => reading(bf16Table, forward())],
  [
    "batches-continue",
    "index",
    "the second batch's positions go on where the first one's end, and stay at the last row",
    () => forward({ row: ({ b, t, T }) => Math.min(b * T + t, T - 1) }),
  ],
  [
    "in-place",
    "index",
    "the second of a pair is computed from the first after it was overwritten",
    () =>
      forward({
        turn: (x1, x2, c, s) => {
          const y1 = f32(f32(x1 * c) - f32(x2 * s));
          return [y1, f32(f32(y1 * s) + f32(x2 * c))];
        },
      }),
  ],
  [
    "outputs-exchanged",
    "index",
    "both outputs of a pair are written in the wrong order",
    () => forward({ turn: (x1, x2, c, s) => [...right.turn(x1, x2, c, s)].toReversed() as [number, number] }),
    { source: "vllm-project/vllm-metal 44" },
  ],
  [
    "products-bf16",
    "precision",
    "products are rounded to bfloat16, undeclared",
    () =>
      forward({
        turn: (x1, x2, c, s) => [
          f32(bf16(f32(x1 * c)) - bf16(f32(x2 * s))),
          f32(bf16(f32(x1 * s)) + bf16(f32(x2 * c))),
        ],
      }),
    { dtype: "bfloat16" },
  ],
]);

export const ropeBackward = faultsOf("rope.backward", [
  [
    "backward-forward",
    "formula",
    "the backward turns forward",
    () => backward({ turn: right.turn }),
    { source: "BUGS 16" },
  ],
  [
    "table-bf16",
    "precision",
    "the table is read as bfloat16, undeclared",
    () => reading(bf16Table, backward()),
    { dtype: "bfloat16" },
  ],
]);
