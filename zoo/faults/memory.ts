// Faults that need an earlier case: what a call leaves behind, and what is kept under too short a key.
import type { Scalars } from "../../reference/operation.ts";
import * as adamw from "./adamw.ts";
import * as attention from "./attention-forward.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as embedding from "./embedding.ts";
import { type Fault, faultsOf } from "./fault.ts";
import * as gradients from "./gradients.ts";
import { f32, type Floats32, mapped, scalar, spoiling } from "./kernel.ts";
import * as linear from "./linear.ts";
import * as rmsnorm from "./rmsnorm.ts";
import { keptInput, lateInput, remembering, shapes, tuned, unwritten } from "./remembering.ts";
import * as ropeTable from "./rope-table.ts";
import * as softmax from "./softmax.ts";
import * as swiglu from "./swiglu.ts";

const found = { source: "ScalingIntelligence/KernelBench, its adversarial kernels" } as const;

export const memory: readonly Fault[] = [
  faultsOf("linear.forward", [
    [
      "weights-kept",
      "state",
      "w is packed once for each shape: later weights are not seen",
      () => keptInput("w", linear.forward()),
    ],
    [
      "result-kept",
      "state",
      "the first result of a shape serves all later calls",
      () => remembering(shapes, linear.forward()),
      found,
    ],
    [
      "last-tile-unwritten",
      "state",
      "the last O % 16 columns are not written: an earlier result stands there",
      () => unwritten("y", (i, [, O]) => i % O >= O - (O % 16), linear.forward()),
      found,
    ],
    [
      "empty-unwritten",
      "state",
      "where C is 0, y is not written",
      () => {
        let last = 0;
        return spoiling(linear.forward(), ({ y }, { x }) => {
          if (x.shape[1] === 0) y.data.fill(last + 7);
          else last = y.data[0] ?? 0;
        });
      },
      { source: "@tensorflow/tfjs 4.22.0, matMul" },
    ],
  ]),
  faultsOf("linear.backward", [
    ["x-late", "state", "dw reads x of the call before", () => lateInput("x", linear.backward())],
  ]),
  faultsOf("attention.forward", [
    [
      "mask-kept",
      "state",
      "the mask is kept under T alone: S of a later call is another",
      () => {
        const offsets = new Map<number, number>();
        return (inputs, scalars) => {
          const [T, S] = [inputs.q.shape[1], inputs.k.shape[1]];
          if (!offsets.has(T)) offsets.set(T, S - T);
          const offset = offsets.get(T)!;
          return attention.forward({ sees: (s, t) => s <= t + offset })(inputs, scalars);
        };
      },
    ],
    [
      "groups-kept",
      "state",
      "a program made for no groups is used with groups",
      () => {
        const groups = new Map<string, number>();
        return (inputs, scalars) => {
          const [, , NH, HS] = inputs.q.shape;
          const NKV = inputs.k.shape[2];
          const key = `${NH} ${HS}`;
          if (!groups.has(key)) groups.set(key, Math.max(1, NH / NKV));
          return attention.forward({ keyHead: (h) => Math.min(NKV - 1, Math.floor(h / groups.get(key)!)) })(
            inputs,
            scalars,
          );
        };
      },
      { source: "onnxruntime-web 1.30.0, GroupQueryAttention; microsoft/onnxruntime 24309" },
    ],
    [
      "cache-late",
      "state",
      "k is that of the call before, where the shape is the same",
      () => lateInput("k", attention.forward()),
    ],
  ]),
  faultsOf("rmsnorm.forward", [
    [
      "rstd-late",
      "state",
      "every 64th row is scaled by the rstd of the call before",
      () => {
        let before: Float32Array | undefined;
        return spoiling(rmsnorm.forward(), ({ y, rstd }) => {
          const C = y.shape[1];
          const late = before?.length === rstd.data.length ? before : rstd.data;
          for (let i = 0; i < y.data.length; i++) {
            const r = Math.floor(i / C);
            if (r % 64 === 63) y.data[i] = f32(f32(y.data[i] / rstd.data[r]) * late[r]);
          }
          before = rstd.data.slice();
        });
      },
    ],
  ]),
  faultsOf("rmsnorm.backward", [
    [
      "changes-dy",
      "state",
      "dx is written over dy while others still read it",
      () => (inputs, scalars) => {
        const outputs = rmsnorm.backward()(inputs, scalars);
        (inputs.dy.data as Float32Array).set(outputs.dx.data);
        return outputs;
      },
      { source: "linkedin/Liger-Kernel 370, 376" },
    ],
  ]),
  faultsOf("softmax.forward", [
    [
      "accumulator-kept",
      "formula",
      "of eight rows a workgroup, each sum begins with the one before: a variable in a loop keeps its value",
      () => (inputs, scalars) => {
        let [turn, before] = [0, 0];
        const total = (p: Float32Array): number => {
          before = f32((turn++ % 8 === 0 ? 0 : before) + softmax.right.total(p));
          return before;
        };
        return softmax.forward({ total })(inputs, scalars);
      },
      { source: "Dawn, npm webgpu 0.6.2; gfx-rs/wgpu 9489" },
    ],
  ]),
  faultsOf("rope-table.forward", [
    [
      "start-kept",
      "state",
      "a table is kept under its size and theta: start is that of the first call",
      () => remembering((_, { theta, HS, T }) => `${theta} ${HS} ${T}`, ropeTable.forward()),
    ],
    [
      "theta-kept",
      "state",
      "a table is kept under its size and start: theta is that of the first call",
      () => remembering((_, { start, HS, T }) => `${start} ${HS} ${T}`, ropeTable.forward()),
    ],
  ]),
  faultsOf("swiglu.backward", [
    [
      "dup-from-dgate",
      "state",
      "dgate is written over dy, from which dup is then computed",
      () => (inputs, scalars) => {
        const { dgate } = swiglu.backward()(inputs, scalars);
        return { dgate, dup: swiglu.backward()({ ...inputs, dy: dgate }, scalars).dup };
      },
    ],
    [
      "tuned-low",
      "state",
      "from the third call of a shape on dy is read in 10 bits",
      () =>
        tuned(3, swiglu.backward(), (inputs, scalars) =>
          swiglu.backward()(
            { ...inputs, dy: mapped(inputs.dy as Floats32, (x) => f32(f32(x * 8193) - f32(f32(x * 8193) - x))) },
            scalars,
          ),
        ),
    ],
  ]),
  faultsOf("cross-entropy.forward", [
    [
      "count-kept",
      "state",
      "the number of targets that count is that of the first call with as many rows",
      () => {
        const counts = new Map<number, number>();
        return (inputs, scalars) => {
          const mean = (total: number, n: number, R: number): number => {
            if (!counts.has(R)) counts.set(R, n);
            const count = counts.get(R)!;
            return count === 0 ? 0 : f32(total / count);
          };
          return crossEntropy.forward({ mean })(inputs, scalars);
        };
      },
    ],
  ]),
  faultsOf("cross-entropy.backward", [
    [
      "ignored-unwritten",
      "state",
      "rows that are ignored are not written: an earlier gradient stands there",
      () => {
        const kept = new Map<string, Float32Array>();
        return spoiling(crossEntropy.backward(), ({ dlogits: { data, shape } }, { targets }, { ignoreIndex }) => {
          const before = kept.get(shape.join());
          for (let i = 0; i < data.length; i++)
            if (targets.data[Math.floor(i / shape[1])] === ignoreIndex) data[i] = before?.[i] ?? 0;
          kept.set(shape.join(), data.slice());
        });
      },
      found,
    ],
  ]),
  faultsOf("embedding.backward", [
    [
      "rows-not-cleared",
      "state",
      "only rows of tokens that occur are written: the others hold an earlier gradient",
      () => {
        const kept = new Map<string, Float32Array>();
        return spoiling(embedding.backward(), ({ dw }, { tokens }) => {
          const [, C] = dw.shape;
          const key = dw.shape.join();
          const occurring = new Set(tokens.data);
          const before = kept.get(key);
          for (let i = 0; i < dw.data.length; i++) if (!occurring.has(Math.floor(i / C))) dw.data[i] = before?.[i] ?? 0;
          kept.set(key, dw.data.slice());
        });
      },
    ],
  ]),
  faultsOf("gradient-norm.forward", [
    [
      "not-cleared",
      "state",
      "the sum of squares goes on from the call before",
      () => {
        let total = 0;
        return (inputs, scalars) => {
          const own = gradients.norm()(inputs, scalars).norm.data[0];
          total = Number.isFinite(own) ? total + own * own : total;
          return { norm: scalar(Math.sqrt(total)) };
        };
      },
    ],
  ]),
  faultsOf("clip.forward", [
    ["norm-late", "state", "the norm is that of the call before", () => lateInput("norm", gradients.clip())],
  ]),
  faultsOf("adamw.forward", [
    [
      "corrections-kept",
      "state",
      "the bias corrections are those of the first call with as many weights",
      () => {
        const kept = new Map<number, Scalars>();
        return (inputs, scalars) => {
          const n = inputs.w.data.length;
          if (!kept.has(n)) kept.set(n, { correction1: scalars.correction1, correction2: scalars.correction2 });
          return adamw.forward()(inputs, { ...scalars, ...kept.get(n)! });
        };
      },
    ],
  ]),
].flat();
