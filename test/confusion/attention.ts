// Attention in known precision: inputs that are read low, weights and slopes that are stored low, low sums, and coarse outputs.
import { candidate } from "../judge/candidates.ts";
import { backward, forward, type Keeps } from "./attention-kernels.ts";
import type { FormatName } from "../../reference/dtype.ts";
import { splitReader } from "./products.ts";
import { cutOff, type Line, nearest, type Reading, type Word } from "./line.ts";

const formats = ["tf32", "bfloat16", "float16"] as const;
const low = ["bfloat16", "float16"] as const;
const NONE = "coarser than float32, in no class";

type Op = "attention.forward" | "attention.backward";
const kernels = { "attention.forward": forward, "attention.backward": backward } as const;
const floats: Readonly<Record<Op, readonly string[]>> = {
  "attention.forward": ["q", "k", "v"],
  "attention.backward": ["dy", "q", "k", "v"],
};

function line(
  op: Op,
  how: string,
  truth: readonly [Word, ...Word[]],
  keeps: Keeps,
  outputs?: readonly string[],
  whereExpIsLoose?: Word,
): Line {
  const run = candidate((inputs) => kernels[op](inputs, keeps));
  return {
    op,
    how,
    truth,
    candidate: run,
    ...(outputs !== undefined && { outputs }),
    ...(whereExpIsLoose !== undefined && { whereExpIsLoose }),
  };
}

const reading = (names: readonly string[], read: Reading): Keeps => ({
  inputs: Object.fromEntries(names.map((name) => [name, read])),
});

/** Each input that is read low shows in these outputs. */
const shownIn: Readonly<Record<Op, Readonly<Record<string, readonly string[]>>>> = {
  "attention.forward": { q: ["y", "lse"], k: ["y", "lse"], v: ["y"], "q, k": ["y"] },
  "attention.backward": {
    dy: ["dq", "dk", "dv"],
    q: ["dq", "dk", "dv"],
    k: ["dq", "dk", "dv"],
    v: ["dq", "dk"],
    "q, k": ["dq", "dk", "dv"],
  },
};

function readLow(op: Op): Line[] {
  return formats.flatMap((format) =>
    [nearest, cutOff].flatMap((as) => {
      const [read, how] = [as(format), as === nearest ? "to nearest" : "cut off"];
      const some = Object.entries(shownIn[op]).map(([names, outputs]) =>
        line(op, `${names} ${how}`, [`${format} inputs (${names})`], reading(names.split(", "), read), outputs),
      );
      const all = reading(floats[op], read);
      const units = { ...all, steps: { P: read, P_dS: read, dS: read } };
      const words: [Word, ...Word[]] = [`${format} inputs`, `${format} inputs (${floats[op].join(", ")})`];
      // lse does not depend on v.
      if (op === "attention.forward") {
        some.push(
          line(op, `q, k ${how}`, [`${format} inputs`, `${format} inputs (q, k)`], reading(["q", "k"], read), ["lse"]),
        );
      }
      some.push(line(op, `all inputs ${how}`, words, all), line(op, `all factors ${how}, P and dS too`, words, units));
      return some;
    }),
  );
}

/** Intermediates, the outputs in which each shows, and the zoo's names for it. */
const steps: Readonly<Record<Op, Readonly<Record<string, readonly [readonly string[], readonly string[]]>>>> = {
  "attention.forward": {
    S: [["y", "lse"], ["S"]],
    P: [["y"], ["P"]],
    weights: [
      ["y", "lse"],
      ["P in the sum", "P, P in the sum"],
    ],
  },
  "attention.backward": {
    S: [["dq", "dk", "dv"], ["S"]],
    P: [["dv"], ["P"]],
    P_dS: [["dq", "dk"], ["P_dS"]],
    dP: [["dq", "dk"], ["dP"]],
    D: [["dq", "dk"], ["D"]],
    dS: [["dq", "dk"], ["dS"]],
  },
};

function storedLow(op: Op): Line[] {
  return low.flatMap((format) =>
    Object.entries(steps[op]).map(([name, [outputs, names]]) => {
      const [first, ...others] = names.map((one): Word => `${format} intermediates (${one})`);
      return line(op, `${name} stored low`, [first, ...others], { steps: { [name]: nearest(format) } }, outputs);
    }),
  );
}

/** Each factor of a product as a sum of numbers of a format: XLA's BF16_BF16_F32_X3, X6 and X9, and CUTLASS' 3xTF32. */
function inPieces(op: Op): Line[] {
  const of = (
    count: number,
    format: FormatName,
    outputs: readonly string[],
    truth: [Word, ...Word[]],
    whereExpIsLoose?: Word,
  ): Line[] =>
    [nearest, cutOff].map((as) => {
      const { left, right, pairs } = splitReader(as(format), count, count);
      const how = `${count} pieces of ${format}, ${as === nearest ? "rounded" : "cut off"}`;
      const times = (a: number, b: number): number => {
        const [ofA, ofB] = [left(a), right(b)];
        return pairs.reduce((sum, [i, j]) => sum + ofA[i] * ofB[j], 0);
      };
      return line(op, how, truth, { times }, outputs, whereExpIsLoose);
    });
  const sums = op === "attention.forward" ? ["y"] : ["dq", "dk", "dv"];
  const [all, statistic] = op === "attention.forward" ? [[...sums, "lse"], ["lse"]] : [sums, []];
  return [
    of(2, "bfloat16", sums, ["bfloat16x3 inputs"]),
    // In lse alone errors of 2⁻¹⁶ of a score, of which many average out, may be those of WGSL's exponentials.
    of(2, "bfloat16", statistic, ["bfloat16x3 inputs"], "float32"),
    of(3, "bfloat16", all, ["float32"]),
    of(2, "tf32", all, ["tf32x3 inputs", "float32"]),
  ].flat();
}

function lowSums(op: Op): Line[] {
  const accumulated = low.map((format) =>
    line(op, "all partial sums", [`${format} accumulation`, NONE], { sums: nearest(format) }),
  );
  const truncated = line(op, "sums cut off", ["float32, truncating", "float32"], { sums: cutOff("float32") });
  return [...accumulated, truncated];
}

function onGrid(op: Op): Line[] {
  return formats.map((format) => line(op, "outputs", [`${format} outputs`], { outputs: nearest(format) }));
}

function plain(op: Op): Line[] {
  return [line(op, "as it is", ["float32"], {})];
}

export const attention: readonly Line[] = (Object.keys(kernels) as Op[]).flatMap((op) =>
  [plain, readLow, storedLow, inPieces, lowSums, onGrid].flatMap((linesOf) => linesOf(op)),
);
