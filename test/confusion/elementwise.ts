// Ops that are no sums of products, in known precision: one input read low, one intermediate stored low, outputs on a
// coarser grid, and a few elements that are wrong.
import { candidate } from "../judge/candidates.ts";
import type { Candidate } from "../../reference/candidate.ts";
import type { FormatName } from "../../reference/dtype.ts";
import type { Inputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { type Keep, type Kernel, kernels } from "./kernels.ts";
import { asIs, cutOff, type Line, nearest, type Reading, type Word } from "./line.ts";

type Op = keyof typeof kernels;

/** For each input, or several of them that go together, and for each intermediate, the outputs in which it shows. */
interface Sources {
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  readonly intermediates: Readonly<Record<string, readonly string[]>>;
}

const none = {};
const sources: Readonly<Record<Op, Sources>> = {
  "swiglu.forward": { inputs: { gate: ["y"], up: ["y"] }, intermediates: { silu: ["y"], sigmoid: ["y"] } },
  "swiglu.backward": {
    inputs: { dy: ["dgate", "dup"], gate: ["dgate", "dup"], up: ["dgate"] },
    intermediates: { silu: ["dup"], dsilu: ["dgate"] },
  },
  "add.forward": { inputs: { a: ["y"], b: ["y"] }, intermediates: none },
  "cast.forward": { inputs: { x: ["y"] }, intermediates: none },
  "rope.forward": {
    inputs: { x: ["y"], cos: ["y"], sin: ["y"], "cos, sin": ["y"] },
    intermediates: { product: ["y"] },
  },
  "rope.backward": {
    inputs: { dy: ["dx"], cos: ["dx"], "cos, sin": ["dx"] },
    intermediates: { product: ["dx"] },
  },
  "rope-table.forward": { inputs: none, intermediates: { frequency: ["cos", "sin"], angle: ["cos", "sin"] } },
  "rmsnorm.forward": { inputs: { x: ["y"], w: ["y"] }, intermediates: { n: ["y"], rstd: ["y", "rstd"] } },
  "rmsnorm.backward": {
    inputs: { dy: ["dx", "dw"], x: ["dx", "dw"], w: ["dx"], rstd: ["dx", "dw"] },
    intermediates: { n: ["dx", "dw"], dn: ["dx"] },
  },
  "embedding.forward": { inputs: { w: ["y"] }, intermediates: none },
  "embedding.backward": { inputs: { dy: ["dw"] }, intermediates: none },
  "softmax.forward": { inputs: { x: ["y"] }, intermediates: { exp: ["y"] } },
  "softmax.backward": { inputs: { dy: ["dx"], y: ["dx"] }, intermediates: { D: ["dx"] } },
  "cross-entropy.forward": {
    inputs: { logits: ["loss", "lse"] },
    intermediates: { exp: ["lse"], lse: ["loss", "lse"] },
  },
  "cross-entropy.backward": {
    inputs: { logits: ["dlogits"], lse: ["dlogits"] },
    intermediates: { p: ["dlogits"] },
  },
  "clip.forward": { inputs: { g: ["g"], norm: ["g"] }, intermediates: { scale: ["g"] } },
  "adamw.forward": {
    inputs: { w: ["w"], g: ["w", "m", "v"], m: ["w", "m"], v: ["w", "v"] },
    intermediates: { m: ["w", "m"], v: ["w", "v"], step: ["w"] },
  },
};

interface Manner {
  /** Inputs that are read low. */
  readonly inputs?: readonly string[];
  readonly intermediate?: string;
  readonly outputs?: boolean;
  readonly read: Reading;
}

function of(kernel: Kernel, { inputs = [], intermediate, outputs = false, read }: Manner): Candidate {
  const keep: Keep = (name, x) => (name === intermediate ? read(x) : x);
  return candidate((given, scalars) => {
    const all = Object.fromEntries(
      Object.entries(given).map(([name, t]) => [name, inputs.includes(name) ? mapped(t as Tensor, read) : t]),
    ) as Inputs;
    const results = kernel(all as Record<string, Tensor>, scalars, keep, all);
    return outputs ? Object.fromEntries(Object.entries(results).map(([name, t]) => [name, mapped(t, read)])) : results;
  });
}

function mapped({ data, shape }: Tensor, to: Reading): Tensor<Float32Array> {
  return { data: Float32Array.from(data, to), shape };
}

const ways = [
  ["to nearest", nearest],
  ["cut off", cutOff],
] as const;

function readLow(op: Op): Line[] {
  const { wide, integers, inputs: all } = operations.get(op)!;
  const floats = Object.keys(all).filter((name) => !wide.includes(name) && !integers.includes(name));
  return Object.entries(sources[op].inputs).flatMap(([names, outputs]) =>
    (["tf32", "bfloat16", "float16"] as const).flatMap((format) =>
      ways.map(([how, reading]): Line => {
        const inputs = names.split(", ");
        const isAll = inputs.length === floats.length && inputs.every((name) => floats.includes(name));
        const one: Word = `${format} inputs (${names})`;
        return {
          op,
          truth: isCopy(op) ? [`${format} inputs`, `${format} outputs`] : isAll ? [`${format} inputs`, one] : [one],
          how: `${names} ${how}`,
          outputs,
          candidate: of(kernels[op], { inputs, read: reading(format) }),
        };
      }),
    ),
  );
}

const isCopy = (op: Op): boolean => op === "embedding.forward" || op === "cast.forward";
const low = ["bfloat16", "float16"] as const;

function storedLow(op: Op): Line[] {
  return Object.entries(sources[op].intermediates).flatMap(([intermediate, outputs]) =>
    low.flatMap((format) =>
      outputs.map((output): Line => {
        const isOutput = output === intermediate || (op.startsWith("softmax") && intermediate === "y");
        const word: Word = `${format} intermediates (${intermediate})`;
        return {
          op,
          truth: isOutput ? [`${format} outputs`, word] : [word],
          how: `${intermediate} stored low`,
          outputs: [output],
          candidate: of(kernels[op], { intermediate, read: nearest(format) }),
        };
      }),
    ),
  );
}

function onGrid(op: Op): Line[] {
  return (["tf32", ...low] as readonly FormatName[]).flatMap((format) =>
    ways.map(([how, reading]): Line => ({
      op,
      truth: isCopy(op) ? [`${format} outputs`, `${format} inputs`] : [`${format} outputs`],
      how: `outputs ${how}`,
      candidate: of(kernels[op], { outputs: true, read: reading(format) }),
    })),
  );
}

/** Every hundredth element of each output is 0, and at least one. */
function holed(op: Op): Line[] {
  if (op === "cross-entropy.forward" || op === "embedding.backward") return []; // few elements of a probe
  const whole = of(kernels[op], { read: asIs });
  const run: Candidate["run"] = async (inputs, scalars) => {
    const { outputs } = await whole.run(inputs, scalars);
    for (const { data } of Object.values(outputs))
      for (let i = 37 % data.length; i < data.length; i += 101) data[i] = 0;
    return { outputs, complaints: [] };
  };
  const counted = op.startsWith("rmsnorm") ? { outputs: ["y", "dx"] } : {};
  const truth = ["in no class: few elements are wrong"] as const;
  return [{ op, truth, how: "one element in 101 is 0", ...counted, candidate: { name: "holes", run } }];
}

/** Rows of dy that give nothing, or give twice. */
function lost(op: Op): Line[] {
  if (op !== "embedding.backward") return [];
  const times: Readonly<Record<string, (r: number, R: number) => number>> = {
    "one row is lost": (r, R) => (r === Math.floor(R / 3) ? 0 : 1),
    "the last rows are lost": (r, R) => (r >= R - Math.ceil(R / 100) ? 0 : 1),
    "a row counts twice": (r) => (r === 1 ? 2 : 1),
  };
  return Object.entries(times).map(([how, factor]): Line => ({
    op,
    truth: ["in no class: whole terms are wrong", "coarser than every class"],
    how,
    candidate: candidate(({ dy, ...others }, scalars) => {
      const [R, C] = dy.shape;
      const data = Float32Array.from(dy.data, (x, i) => x * factor(Math.floor(i / C), R));
      const given = { ...others, dy: { data, shape: dy.shape } };
      return kernels[op](given as Record<string, Tensor<Float32Array>>, scalars, (_, x) => x, given);
    }),
  }));
}

function plain(op: Op): Line[] {
  return [{ op, truth: ["float32"], how: "as it is", candidate: of(kernels[op], { read: asIs }) }];
}

export const elementwise: readonly Line[] = (Object.keys(kernels) as Op[]).flatMap((op) =>
  [plain, readLow, storedLow, onGrid, holed, lost].flatMap((linesOf) => linesOf(op)),
);
