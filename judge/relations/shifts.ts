// Relations of single ops: scores and logits may be shifted, RoPE depends on differences of positions, silu is odd except for
// a term z.
//
// Each uses numbers with few bits, so that additions to an input are exact; the two runs may then differ by no more than
// their two errors.
import { dtypes } from "../../reference/dtype.ts";
import type { Inputs } from "../../reference/operation.ts";
import type { Floats, Tensor } from "../../reference/tensor.ts";
import type { Problem } from "../case.ts";
import type { JudgeRow } from "../row.ts";
import {
  compareSides,
  type Difference,
  ordinary,
  outcomeOf,
  type Relation,
  Run,
  type Side,
  sideOf,
  type Trial,
} from "./relation.ts";

/** An output of a run with something added to each element, in double. */
function plus(run: Run, output: string, addend: (i: number) => number): Side {
  const { data, shape } = run.outputs[output];
  return { data: Float64Array.from(data, (x, i) => x + addend(i)), shape, allowed: () => run.allowance(output).data };
}

/** Rounded to multiples of 2⁻⁴: sums of two such unit numbers are exact, in bfloat16 too. */
function coarse(t: Tensor): Tensor {
  return { data: t.data.map((x) => Math.round(x * 16) / 16) as Floats, shape: t.shape };
}

function withInputs({ inputs, scalars }: Problem, changed: Readonly<Record<string, Tensor>>): Problem {
  return { inputs: { ...inputs, ...changed } as Inputs, scalars };
}

/** The differences of those outputs that the candidate offers. */
function offered({ operation }: Trial, differences: Readonly<Record<string, () => Difference>>): Difference[] {
  return Object.keys(operation.outputs).flatMap((output) => differences[output]?.() ?? []);
}

/** A relation of one op's own. */
export interface Shift {
  readonly name: string;
  readonly statement: string;
  readonly differences: (trial: Trial) => Promise<readonly Difference[]>;
}

/** k + c for every key gives s + scale · q · c for every score of a query, so the softmax stays. */
export const scores: Shift = {
  name: "a constant added to a query's scores",
  statement: "A number added to all scores of a query changes only lse, by that number.",
  differences: async (trial) => {
    const problem = ordinary(trial);
    const { q, k } = problem.inputs as Record<string, Tensor>;
    const [, T, NH, HS] = q.shape;
    const [B, , NKV] = k.shape;
    const base = coarse(k);
    const c = coarse({ data: k.data.slice(0, HS) as Floats, shape: [HS] }).data; // the first key's numbers
    const before = await Run.of(trial, withInputs(problem, { k: base }));
    const shifted = { data: base.data.map((x, i) => x + c[i % HS]) as Floats, shape: k.shape };
    const after = await Run.of(trial, withInputs(problem, { k: shifted }));
    // lse[b, h, t] grows by scale · Σ q · c.
    const growth = new Float64Array(B * NH * T);
    for (let row = 0; row < B * T * NH; row++) {
      const [h, t, b] = [row % NH, Math.floor(row / NH) % T, Math.floor(row / NH / T)];
      let sum = 0;
      for (let i = 0; i < HS; i++) sum += q.data[row * HS + i] * c[i];
      growth[(b * NH + h) * T + t] = sum / Math.sqrt(HS);
    }
    if (NKV === 0) return [];
    return offered(trial, {
      y: () => compareSides("y", sideOf(before, "y"), sideOf(after, "y"), "free"),
      lse: () =>
        compareSides(
          "lse",
          plus(before, "lse", (i) => growth[i]),
          sideOf(after, "lse"),
          "free",
        ),
    });
  },
};

export const logits: Shift = {
  name: "a constant added to a row's logits",
  statement: "A number added to all logits of a row changes only lse, by that number.",
  differences: async (trial) => {
    const { before, after, addend } = await raisedRows(trial, "logits");
    return offered(trial, {
      loss: () => compareSides("loss", sideOf(before, "loss"), sideOf(after, "loss"), "free"),
      lse: () => compareSides("lse", plus(before, "lse", addend), sideOf(after, "lse"), "free"),
    });
  },
};

/** Runs before and after `addend(r)` is added to every number of row r of an input [R, C]. */
export async function raisedRows(
  trial: Trial,
  input: string,
): Promise<{ readonly before: Run; readonly after: Run; readonly addend: (r: number) => number }> {
  const problem = ordinary(trial);
  const base = coarse(problem.inputs[input] as Tensor);
  const [, columns] = base.shape;
  const addend = (r: number): number => (r % 7) - 3 + 0.5;
  const before = await Run.of(trial, withInputs(problem, { [input]: base }));
  const raised = { data: base.data.map((x, i) => x + addend(Math.floor(i / columns))) as Floats, shape: base.shape };
  const after = await Run.of(trial, withInputs(problem, { [input]: raised }));
  return { before, after, addend };
}

/** Positions whose pairs are compared, spread over those of the case: there are as many pairs as their square. */
const MOST_POSITIONS = 128;

/**
 * One query and one key turned to every position: their product depends only on the difference of positions. The table is
 * rounded, so it is not an exact rotation: its rounding is an error of the inputs.
 */
export const positions: Shift = {
  name: "equal differences of positions",
  statement: "The product of a turned query and a turned key depends on the difference of their positions.",
  differences: async (trial) => {
    const problem = ordinary(trial);
    const { x, cos, sin } = problem.inputs as Record<string, Tensor>;
    const [B, T, NH, HS] = x.shape;
    // The same two vectors at every position: those of the first position.
    const same = { data: x.data.map((_, i) => x.data[i % (NH * HS)]) as Floats, shape: x.shape };
    const turned = withInputs(problem, { x: same });
    const run = await Run.of(trial, turned);
    const { y } = run.outputs;
    const half = (t: Tensor): Tensor => ({ data: Float64Array.from(t.data, () => dtypes.float32.u), shape: t.shape });
    const errors = { cos: half(cos), sin: half(sin) };
    const allowed = run.allowance("y", errors).data;
    const key = NH > 1 ? 1 : 0;
    const product = (s: number, t: number): { value: number; error: number } => {
      let [value, error] = [0, 0];
      for (let i = 0; i < HS; i++) {
        const [a, b] = [s * NH * HS + i, (t * NH + key) * HS + i];
        value += y.data[a] * y.data[b];
        error += Math.abs(y.data[a]) * allowed[b] + Math.abs(y.data[b]) * allowed[a] + allowed[a] * allowed[b];
      }
      return { value, error };
    };
    if (B === 0 || T === 0) return [];
    const differences: Difference[] = [];
    const stride = Math.ceil(T / MOST_POSITIONS);
    for (let apart = 0; apart < T; apart += stride) {
      const first = product(apart, 0);
      for (let t = 1; t + apart < T; t += stride) {
        const other = product(t + apart, t);
        differences.push(
          compareSides(
            `y[0,${apart},0] · y[0,0,${key}] and y[0,${t + apart},0] · y[0,${t},${key}]`,
            { data: [first.value], shape: [], allowed: () => [first.error] },
            { data: [other.value], shape: [], allowed: () => [other.error] },
            "free",
          ),
        );
      }
    }
    return differences;
  },
};

/** silu(z) − silu(−z) = z. */
export const mirrored: Shift = {
  name: "gate mirrored",
  statement: "y for gate minus y for −gate is gate · up.",
  differences: async (trial) => {
    const problem = ordinary(trial);
    const { gate, up } = problem.inputs as Record<string, Tensor>;
    const before = await Run.of(trial, problem);
    const mirror = { data: gate.data.map((z) => -z) as Floats, shape: gate.shape };
    const after = await Run.of(trial, withInputs(problem, { gate: mirror }));
    const difference = compareSides(
      "y",
      sideOf(before, "y"),
      plus(after, "y", (i) => gate.data[i] * up.data[i]),
      "free",
    );
    return [difference];
  },
};

/** A limit above the norm leaves the gradient as it is. */
export const unclipped: Shift = {
  name: "a limit of twice the norm",
  statement: "Gradients within the limit stay as they are.",
  differences: async (trial) => {
    const problem = ordinary(trial);
    const { g, norm } = problem.inputs as Record<string, Tensor>;
    const wide: Problem = { inputs: problem.inputs, scalars: { maxNorm: Math.fround(2 * norm.data[0] + 1) } };
    const run = await Run.of(trial, wide);
    const exact = { data: g.data, shape: g.shape, allowed: () => new Float64Array(g.data.length) };
    return [compareSides("g", exact, sideOf(run, "g"), "reported")];
  },
};

/** Zeros in, zeros out: nothing is left over from an earlier run or from a neighbour. */
export const zeroRow: Shift = {
  name: "a row of zeros",
  statement: "A row of zeros gives a row of zeros, in every bit.",
  differences: async (trial) => {
    const problem = ordinary(trial);
    const { x } = problem.inputs as Record<string, Tensor>;
    const [R, C] = x.shape;
    const row = Math.floor(R / 2);
    const data = x.data.slice() as Floats;
    data.fill(0, row * C, (row + 1) * C);
    const { y } = (await Run.of(trial, withInputs(problem, { x: { data, shape: x.shape } }))).outputs;
    const O = y.shape[1];
    const found = y.data.slice(row * O, (row + 1) * O);
    const zeros = new Float64Array(found.length);
    return [
      compareSides(
        `row ${row} of y`,
        { data: zeros, shape: [O], allowed: () => zeros },
        { data: found, shape: [O], allowed: () => zeros },
        "kept",
      ),
    ];
  },
};

/** Row t of a table that starts at s is row 0 of one that starts at s + t; and each pair lies on the unit circle. */
export const table: Shift = {
  name: "the same position",
  statement: "A position's row is the same wherever the table starts, and cos² + sin² = 1.",
  differences: async (trial) => {
    const problem = ordinary(trial);
    const before = await Run.of(trial, problem);
    const start = Number(problem.scalars.start) + 1;
    const after = await Run.of(trial, { inputs: {}, scalars: { ...problem.scalars, start } });
    const differences: Difference[] = [];
    for (const output of Object.keys(trial.operation.outputs)) {
      const row = before.outputs[output].shape[1];
      const side = (run: Run, from: number, to: number | undefined): Side => {
        const { data, shape } = run.outputs[output];
        const allowed = (): Float64Array => run.allowance(output).data.slice(from, to) as Float64Array;
        return { data: data.slice(from, to), shape: [shape[0] - 1, row], allowed };
      };
      differences.push(compareSides(output, side(before, row, undefined), side(after, 0, -row), "reported"));
    }
    const { cos, sin } = before.outputs;
    if (cos === undefined || sin === undefined) return differences;
    const [c, s] = [cos.data, sin.data];
    const [ec, es] = [before.allowance("cos").data, before.allowance("sin").data];
    const slack = (i: number): number =>
      2 * Math.abs(c[i]) * ec[i] + ec[i] ** 2 + 2 * Math.abs(s[i]) * es[i] + es[i] ** 2;
    const circle = compareSides(
      "cos² + sin²",
      {
        data: Float64Array.from(c, () => 1),
        shape: cos.shape,
        allowed: () => Float64Array.from(c, (_, i) => slack(i)),
      },
      {
        data: Float64Array.from(c, (x, i) => x * x + s[i] * s[i]),
        shape: cos.shape,
        allowed: () => new Float64Array(c.length),
      },
      "free",
    );
    return [...differences, circle];
  },
};

export function shiftsOf(row: JudgeRow): Relation[] {
  return row.shift.map(({ name, statement, differences }) => ({
    name,
    statement,
    run: async (trial) => outcomeOf(name, trial, await differences(trial)),
  }));
}
